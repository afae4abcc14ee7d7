"""The same traceback, wrapped as shippers, runtimes and people wrap it, is read as the same error."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from functions.detect_errors.model import ParsedError
from functions.detect_errors.read import read_errors

BASES = {
    "plain": """\
Traceback (most recent call last):
  File "/app/main.py", line 14, in <module>
    run({"a": 1}, '[x]: y')
  File "/usr/local/lib/python3.12/site-packages/lib/core.py", line 9, in wrapper
    return fn(*a, **k)
           ^^^^^^^^^^^
  File "<frozen os>", line 685, in __getitem__
KeyError: 'NAME'
""",
    "chain": """\
Traceback (most recent call last):
  File "/app/svc/stage.py", line 11, in fetch
    raise TimeoutError('read timed out after 3.0s')
TimeoutError: read timed out after 3.0s

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "/app/main.py", line 3, in <module>
    run('b7d1c2e0')
  File "/app/svc/stage.py", line 13, in run
    raise FetchError('GET /v1/items/%s' % i) from e
svc.stage.FetchError: GET /v1/items/b7d1c2e0
""",
    "multiline": """\
Traceback (most recent call last):
  File "/app/main.py", line 6, in deploy
    return make(
        name='api',
    ...<5 lines>...
        wait=True,
    )
  File "/app/main.py", line 2, in make
    return Order(**d)
           ~~~~~^^^^^
pydantic.error_wrappers.ValidationError: 2 validation errors for Order
id
  value is not a valid integer (type=type_error.integer)
""",
    "syntax": """\
Traceback (most recent call last):
  File "/app/main.py", line 1, in <module>
    from rules.vat import rate
  File "/app/rules/vat.py", line 2
    'de': 0.19
          ^^^^
SyntaxError: invalid syntax. Perhaps you forgot a comma?
""",
    "recursion": """\
Traceback (most recent call last):
  File "/app/main.py", line 16, in <module>
    n.path()
  File "/app/main.py", line 11, in path
    return self.parent.path() + '/x'
  File "/app/main.py", line 11, in path
    return self.parent.path() + '/x'
  File "/app/main.py", line 11, in path
    return self.parent.path() + '/x'
  [Previous line repeated 296 more times]
RecursionError: maximum recursion depth exceeded
""",
    "group": """\
  + Exception Group Traceback (most recent call last):
  |   File "/app/main.py", line 24, in <module>
  |     top()
  | ExceptionGroup: top (2 sub-exceptions)
  +-+---------------- 1 ----------------
    | OSError: [Errno 5] Input/output error
    +---------------- 2 ----------------
    | Traceback (most recent call last):
    |   File "/app/main.py", line 9, in collect
    |     leaf(n)
    | KeyError: 'a'
    +------------------------------------
""",
}


def every_line(prefix: str) -> Callable[[str], str]:
    """Put a prefix before every line; `{n}` in it counts lines."""

    def wrap(text: str) -> str:
        return "".join(
            prefix.replace("{n}", f"{number:03d}") + line + "\n"
            for number, line in enumerate(text.splitlines())
        )

    return wrap


def strip_indents(text: str) -> str:
    return "".join(line.lstrip() + "\n" for line in text.splitlines())


def first_line(prefix: str, suffix: str = "") -> Callable[[str], str]:
    return lambda text: prefix + text + suffix


def escaped(text: str) -> str:
    return json.dumps(text)[1:-1]


def docker_json(text: str) -> str:
    return "".join(
        json.dumps({"log": line + "\n", "stream": "stderr", "time": f"2026-01-01T00:00:00.{n:09d}Z"}) + "\n"
        for n, line in enumerate(text.splitlines())
    )


def journal_json(text: str) -> str:
    return "".join(
        json.dumps({"__REALTIME_TIMESTAMP": str(1718098221000000 + n), "MESSAGE": line, "PRIORITY": "3"})
        + "\n"
        for n, line in enumerate(text.splitlines())
    )


def wrapped_at_80(text: str) -> str:
    out = []
    for line in every_line("2026-06-11T15:02:54.234{n}+00:00 app[web.1]: ")(text).splitlines():
        out += [line[at : at + 80] for at in range(0, len(line), 80)]
    return "\n".join(out) + "\n"


def interleaved(text: str) -> str:
    other = BASES["plain"].replace("/app/", "/srv/other/").replace("KeyError", "ValueError")
    mine = [f"web-1  | {line}" for line in text.splitlines()]
    theirs = [f"web-2  | {line}" for line in other.splitlines()]
    mixed = [
        line for n in range(max(len(mine), len(theirs))) for line in (*theirs[n : n + 1], *mine[n : n + 1])
    ]
    return "\n".join(mixed) + "\n"


# name: (wrapper, bases that the wrapping itself destroys)
WRAPPINGS: dict[str, Callable[[str], str]] = {
    "as it is": lambda text: text,
    "journald": every_line("Nov 20 13:39:12 web-1 app[812]: "),
    "syslog 5424": every_line("<11>1 2026-06-11T09:30:21.{n}Z web-1 app 812 - - "),
    "container runtime": every_line("2026-06-11T09:30:21.000000{n}Z stderr F "),
    "docker timestamps": every_line("2026-06-11T09:30:21.000000{n}Z "),
    "compose": every_line("worker-1  | "),
    "pod": every_line("[pod/shop-7c9d5ef4-x2x1z/app] "),
    "stern": every_line("shop-7c9d5ef4-x2x1z app "),
    "heroku": every_line("2026-06-11T15:02:54.234{n}+00:00 app[web.1]: "),
    "apache": every_line(
        "[Tue Jun 11 09:30:21.118{n} 2026] [wsgi:error] [pid 812:tid 140] [remote 10.0.0.1:4711] "
    ),
    "tag": every_line("[stderr] "),
    "workflow run": every_line("test\tRun tests\t2026-06-11T09:30:21.1180{n}Z "),
    "logged line by line": every_line("2026-06-11 09:30:21,{n} ERROR [worker] app: "),
    "epoch": every_line("1718098221{n} "),
    "kernel clock": every_line("[  812.001{n}] app: "),
    "line numbers": every_line("{n}: "),
    "markdown quote": every_line("> "),
    "indented by a tab": every_line("\t"),
    "indented by four blanks": every_line("    "),
    "colours": lambda text: "\x1b[31m" + text.rstrip("\n").replace('"/app', '\x1b[35m"/app') + "\x1b[0m\n",
    "carriage returns": lambda text: text.replace("\n", "\r\n"),
    "only carriage returns": lambda text: text.replace("\n", "\r"),
    "byte order mark": lambda text: "\ufeff" + text,
    "no-break spaces": lambda text: re.sub(r"(?m)^ +", lambda m: "\xa0" * len(m[0]), text),
    "an empty line after each": lambda text: text.replace("\n", "\n\n"),
    "no indents": strip_indents,
    "prefix, no indents": lambda text: every_line("10:11:12 web.1 | ")(strip_indents(text)),
    "after a record": first_line("2026-06-11 09:30:21,118 ERROR app: it failed\n"),
    "within the record's line": first_line("ERROR:root:"),
    "prompt": first_line(">>> ", ">>> \n"),
    "code fence": lambda text: f"```\n{text}```\n",
    "syslog newlines": lambda text: "Nov 20 13:39:12 web-1 app[812]: " + text.replace("\n", "#012"),
    "escaped in logfmt": lambda text: f'level=error msg="it failed" error="{escaped(text)}" id=7\n',
    "escaped twice": lambda text: f'error="{escaped(escaped(text))}"\n',
    "bytes literal": lambda text: f"stderr: {text.encode()!r}\n",
    "joined by a bar": lambda text: text.rstrip("\n").replace("\n", " | "),
    "html": lambda text: (
        text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
    ),
    "csv": lambda text: 'ts,message\n2026-06-11,"' + text.rstrip("\n").replace('"', '""') + '"\n',
    "docker's json-file": docker_json,
    "journald's json": journal_json,
    "json message": lambda text: json.dumps({"level": "ERROR", "message": "failed\n" + text}),
    "json exception": lambda text: json.dumps(
        {"level": "error", "event": "failed", "exception": text.rstrip()}
    ),
    "json lines": lambda text: json.dumps({"level": "error", "exc_info": text.rstrip().split("\n")}),
    "json within json": lambda text: json.dumps({"log": json.dumps({"message": "x", "exc_info": text})}),
    "json after a prefix": lambda text: "app-1  | " + json.dumps({"level": "error", "exc_info": text}),
    "json array": lambda text: json.dumps([{"@timestamp": "t", "@message": text}], indent=2),
    "broken at 80 columns": wrapped_at_80,
    "interleaved with another source": interleaved,
    "line numbers of grep": every_line("9{n}:"),
    "files and line numbers of grep": every_line("logs/worker.log:9{n}:"),
    "comment": every_line("# "),
    "commented out": every_line("#"),
    "diff": every_line("+"),
    "quoted twice": every_line("> > "),
    "labels of Loki": every_line('2026-01-01T10:00:00Z {app="shop", pod="shop-1"} '),
    "pm2": every_line("0|shop | 2026-01-01T10:00:0{n}: "),
    "honcho": every_line("10:00:0{n} web.1   | "),
    "box": every_line("\u2502 "),
    "Jenkins": every_line("[2026-01-01T10:00:00.00{n}Z] "),
    "Buildkite": every_line("\x1b_bk;t=17{n}\x07"),
    "Azure pipeline": every_line("2026-01-01T10:00:00.123456{n}Z ##[error]"),
    "Locust": every_line("[2026-01-01 10:00:0{n},1] web/ERROR/stderr: "),
    "list of lines": lambda text: f"ERROR {[line + chr(10) for line in text.splitlines()]!r}\n",
    "tuple of a connection": lambda text: f"({text!r}, 'closed')\n",
    "dict": lambda text: f"ERROR { {'level': 'error', 'exc_info': text}!r}\n",
    "json within json within json": lambda text: json.dumps(
        {"log": json.dumps({"log": json.dumps({"exc_info": text})})}
    ),
    "json with carriage returns": lambda text: json.dumps({"exc_info": text.replace("\n", "\r\n")}),
    "GELF": lambda text: json.dumps({"short_message": "failed", "full_message": text, "level": 3}),
    "bunyan": lambda text: json.dumps({"level": 50, "err": {"message": "x", "stack": text}}),
    "yaml": lambda text: (
        "- error: |-\n" + text.replace("\n", "\n        ").join(("        ", "\n  level: x\n"))
    ),
    "junit": lambda text: (
        f'<testcase name="x"><failure message="x"><![CDATA[{text}]]></failure></testcase>\n'
    ),
    "csv of semicolons": lambda text: 'when;text\n1;"' + text.replace('"', '""') + '"\n',
    "tab-separated": first_line("2026\tERROR\t"),
    "breaks": lambda text: text.replace("\n", "<br>\n"),
    "breaks only": lambda text: text.replace("\n", "<br/>"),
    "caret notation": lambda text: text.replace("\n", "^J"),
    "octal newlines": lambda text: text.replace("\n", "\\012"),
    "trailing blanks": lambda text: "".join(f"{line:<90}\n" for line in text.splitlines()),
    "hanging below a word": lambda text: "  Message: " + text.replace("\n", "\n" + 11 * " "),
}


def facts(error: ParsedError) -> tuple[Any, ...]:
    frames = [(frame.file, frame.line, frame.function) for frame in error.frames]
    chain = [(cause.type, cause.relation, len(cause.frames)) for cause in error.chain]
    members = [(member.type, len(member.frames)) for member in error.members]
    return error.type, (error.message or "").split("\n")[0], frames, chain, members, error.needs_more


# Nothing says where a line of the group's drawing was broken.
LOST = ("broken at 80 columns", "group")


@pytest.mark.parametrize(
    ("wrapping", "base"), [pair for pair in itertools.product(WRAPPINGS, BASES) if pair != LOST]
)
def test_the_wrapping_does_not_matter(wrapping: str, base: str) -> None:
    plain = read_errors(BASES[base])
    assert len(plain) == 1
    wrapped = read_errors(WRAPPINGS[wrapping](BASES[base]))
    assert [facts(error) for error in wrapped if "/srv/other" not in str(error.frames)] == [facts(plain[0])]
    assert wrapped[-1].fingerprint == plain[0].fingerprint


def test_two_heads_before_one_header_are_two_errors() -> None:
    stack = 'Traceback (most recent call last):\n  File "/var/task/app.py", line 3, in weave\n    f()\n'
    found = read_errors(f"[ERROR] KeyError: 'x'\n[ERROR] ZeroDivisionError: division by zero\n{stack}")
    assert [(error.type, len(error.frames)) for error in found] == [("KeyError", 0), ("ZeroDivisionError", 1)]
