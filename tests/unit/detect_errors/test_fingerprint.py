"""What a fingerprint ignores, and what it tells apart."""

from __future__ import annotations

import pytest

from functions.detect_errors.message_template import template
from functions.detect_errors.read import read_errors, reader

BASE = """\
Traceback (most recent call last):
  File "/app/main.py", line 14, in handle
    return [load(r, 'alpha', 'beta') for r in rows]
  File "/app/svc/store.py", line 7, in load
    return db.fetch(row['id'])
  File "/usr/local/lib/python3.12/site-packages/db/core.py", line 99, in fetch
    raise NotThere(key)
db.errors.NotThere: no row 4711 at 0x7f64fc351790
"""
START = '  File "/app/main.py"'
THREAD = '  File "/usr/lib/python3.12/threading.py", line 9, in run\n    self._target()\n'
MANAGE = '  File "/app/manage.py", line 9, in <module>\n    main()\n'
IMPORTER = '  File "/app/jobs.py", line 9, in <module>\n    from main import x\n'
LISTCOMP = """\
  File "/app/main.py", line 14, in <listcomp>
    return [load(r, 'alpha', 'beta') for r in rows]
  File "/app/svc/store.py", line 7"""


def fingerprint(text: str, *, packages: tuple[str, ...] = (), roots: tuple[str, ...] = ()) -> str:
    errors = read_errors(text, packages=packages, roots=roots)
    assert len(errors) == 1
    return errors[0].fingerprint


@pytest.mark.parametrize(
    ("what", "old", "new"),
    [
        ("line shift", "line 14", "line 44"),
        ("deployment root", "/app/", "/var/task/"),
        ("release directory", "/app/", "/home/deploy/releases/20260611093021/"),
        ("unpacked zip", "/app/", "/tmp/tmpk3v9x1qz/"),
        ("Windows", "/app/", "D:\\app\\"),
        ("any common directory", "/app/", "/mnt/efs/shop/"),
        ("values of the message", "no row 4711 at 0x7f64fc351790", "no row 12 at 0x7f0000000000"),
        ("another message", "no row 4711 at 0x7f64fc351790", "nichts da"),
        ("library line", "line 99", "line 120"),
        ("library function", "in fetch", "in fetch_one"),
        ("library version's layout", "site-packages/db/core.py", "site-packages/db/v2/core.py"),
        ("Python version", "python3.12", "python3.9"),
        ("no qualified type", "db.errors.NotThere", "NotThere"),
        ("comprehension frames", '  File "/app/svc/store.py", line 7', LISTCOMP),
        ("launcher", START, THREAD + START),
        ("script", START, MANAGE + START),
        ("importer", START, IMPORTER + START),
        ("carets", "row['id'])\n", "row['id'])\n           ~~~~~~~~^^^^^^^^^^^\n"),
    ],
)
def test_what_moves_is_ignored(what: str, old: str, new: str) -> None:
    assert old in BASE
    assert fingerprint(BASE.replace(old, new)) == fingerprint(BASE), what


@pytest.mark.parametrize(
    ("what", "old", "new"),
    [
        ("function", "in load", "in save"),
        ("source line", "row['id']", "row['key']"),
        ("type", "NotThere:", "Broken:"),
        ("module", "/app/svc/store.py", "/app/svc/shelf.py"),
        ("package", "/app/svc/store.py", "/app/api/store.py"),
        ("caller", "in handle\n    return [load(r", "in other\n    return [load(q"),
        ("literal that the message repeats", "no row 4711", "no row alpha"),
    ],
)
def test_what_tells_bugs_apart_counts(what: str, old: str, new: str) -> None:
    assert old in BASE
    assert fingerprint(BASE.replace(old, new)) != fingerprint(BASE), what


def test_two_literals_of_one_line_are_two_bugs() -> None:
    alpha, beta = BASE.replace("4711", "alpha"), BASE.replace("4711", "beta")
    assert fingerprint(alpha) != fingerprint(beta)


def test_a_root_that_only_the_app_knows_is_taken_off() -> None:
    deployed = BASE.replace("/app/main.py", "/efs/x1/main.py").replace("/app/svc", "/efs/x2/svc")
    assert fingerprint(deployed, roots=("/efs/x1", "/efs/x2")) == fingerprint(BASE)


@pytest.mark.parametrize("name", ["AccessDenied", "ClientError", "botocore.exceptions.ClientError"])
def test_an_aws_error_counts_by_its_code(name: str) -> None:
    said = "An error occurred (AccessDenied) when calling the GetObject operation: User: arn:aws:x/i-1"
    frames = BASE[: BASE.rindex("db.errors")]
    text = f"{frames}{name}: {said}"
    assert fingerprint(text) == fingerprint(f"{frames}AnyOther: {said}")
    assert fingerprint(text) != fingerprint(text.replace("(AccessDenied)", "(SlowDown)"))


def test_a_syntax_error_counts_by_its_file() -> None:
    """Versions, and Lambda, print another line and another sentence for the same mistake."""
    texts = [
        'Traceback (most recent call last):\n  File "/app/m.py", line 1, in <module>\n    import rules.vat\n'
        "  File \"/app/rules/vat.py\", line 2\n    x = (1\n        ^\nSyntaxError: '(' was never closed\n",
        '  File "/srv/shop/rules/vat.py", line 3\n    y = 2\n    ^\nSyntaxError: invalid syntax\n',
        "[ERROR] Runtime.UserCodeSyntaxError: Syntax error in module 'h': invalid syntax (vat.py, line 3)\n"
        'Traceback (most recent call last):\n\xa0\xa0File "/var/task/rules/vat.py" Line 3\n\xa0\xa0y = 2\n',
    ]
    assert len({fingerprint(text) for text in texts}) == 1
    assert fingerprint(texts[0]) != fingerprint(texts[0].replace("vat", "tax"))


def test_an_error_logged_with_its_chain_and_again_without_is_one_incident() -> None:
    cause = BASE.replace("db.errors.NotThere", "KeyError").replace("load", "get")
    logged = cause + "\nDuring handling of the above exception, another exception occurred:\n\n" + BASE
    runtime = "[ERROR] NotThere: no row 4711 at 0x7f64fc351790\n" + BASE[: BASE.rindex("db.errors")]
    first, second = read_errors(logged + runtime)
    assert first.fingerprint == second.fingerprint != read_errors(runtime)[0].fingerprint


def test_an_error_from_another_process_counts_by_where_it_was_raised() -> None:
    pool = '  File "/usr/lib/python3.12/concurrent/futures/_base.py", line 9, in result\n    raise it\n'
    remote = (
        f'concurrent.futures.process._RemoteTraceback: \n"""\n{BASE}"""\n\n'
        "The above exception was the direct cause of the following exception:\n\n"
        f"Traceback (most recent call last):\n{pool}db.errors.NotThere: no row 4711\n"
    )
    assert fingerprint(remote) == fingerprint(BASE)


def test_the_cancellation_behind_a_time_out_does_not_count() -> None:
    sentence = "The above exception was the direct cause of the following exception:"
    cancelled = BASE[: BASE.rindex("db.errors")] + f"asyncio.exceptions.CancelledError\n\n{sentence}\n\n"
    assert fingerprint(cancelled + BASE) == fingerprint(BASE)


def test_depth_of_a_recursion_does_not_count() -> None:
    frames = [f'  File "/app/t.py", line {n}, in {f}\n    {f}(x)\n' for n, f in ((4, "odd"), (8, "even"))]
    head = 'Traceback (most recent call last):\n  File "/app/main.py", line 1, in go\n    even(1)\n'
    last = "RecursionError: maximum recursion depth exceeded"
    deep = head + "".join(frames) * 40 + last
    odd_end = head + "".join(frames) * 70 + frames[0] + last + " in comparison"
    assert fingerprint(deep) == fingerprint(odd_end)
    assert fingerprint(deep) != fingerprint(deep.replace("in go", "in start"))


def test_without_a_frame_of_the_app_library_and_message_count() -> None:
    text = BASE.replace("/app/", "/usr/lib/python3.12/")
    assert fingerprint(text) == fingerprint(text.replace("4711", "12").replace("line 99", "line 1"))
    assert fingerprint(text) != fingerprint(text.replace("no row", "two rows"))
    names = [part.name for part in reader().components(read_errors(text)[0])]
    assert names == ["version", "type", "library", "message"]


def test_every_component_says_why_it_counts() -> None:
    error = read_errors(BASE)[0]
    parts = reader().components(error)
    assert [part.name for part in parts] == ["version", "type", "frame", "frame"]
    assert all(part.why for part in parts)
    assert parts[2].value == "main.py|handle|return [load(r, 'alpha', 'beta') for r in rows]"


def test_remembering_changes_nothing() -> None:
    """The short way for a repeated stack gives what the long way gives."""
    texts = [
        BASE,
        "[ERROR] NotThere: x\n" + BASE[: BASE.rindex("db.errors")],
        "2026-01-01 WARNING it failed\n" + BASE,
        BASE + "END RequestId: 8f5ffbd2-6d4a-4e7f-9c53-2f7a0a1b7c11\n",
        BASE.rstrip("\n") + "\n  second line\n",
        BASE + "\nDuring handling of the above exception, another exception occurred:\n\n" + BASE,
        BASE + BASE,
        BASE.replace("NotThere: no", "NotThere: Task timed out, no"),
    ]
    for text in texts:
        reader.cache_clear()
        cold = read_errors(text)
        for _ in range(3):
            assert read_errors(text) == cold


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("No module named 'redis_pool'", "No module named 'redis_pool'"),
        ("took 3.5 s of 10", "took <n> s of <n>"),
        ("<Node object at 0x7efe42dd34c0>", "<Node object at <address>>"),
        ("job 2af258be-da6a-4a94-ad15-4b054c53c965 failed", "job <id> failed"),
        ("at 2026-06-11T09:30:21.118Z", "at <time>"),
        ("open '/data/ana/x.bin'", "open '<path>'"),
        ("GET https://api.example.com/v1/a?b=1 failed", "GET <url> failed"),
        ("mail to kim.o@example.net bounced", "mail to <email> bounced"),
        ("fields: {'b': 1, 'a': 2}", "fields: <values>"),
        ("customer cus_748e82c25f declined", "customer <word> declined"),
        ("sha 57dcc0aa1 differs", "sha <hex> differs"),
        ("name 'subtotl' is not defined. Did you mean: 'subtotal'?", "name 'subtotl' is not defined"),
        ("first\nsecond 4711", "first"),
    ],
)
def test_the_template_of_a_message(message: str, expected: str) -> None:
    assert template(message) == expected
