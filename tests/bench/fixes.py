"""Crashes of real repositories: what upstream's test raises before upstream's fix, and patches for it, good
and bad."""

from __future__ import annotations

import ast
import difflib
import json
import secrets
import subprocess
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from functions.core.apps.app import App
from functions.core.source import archive
from functions.core.source.archive import Member
from functions.fetch_source.interpreter import Word, python_of
from functions.harness import test_runs
from functions.harness.interpreters import available
from functions.harness.job import Job
from functions.harness.names import is_test
from functions.harness.test_runs import Raised
from functions.install_dependencies.install import day_after
from functions.validate_patch import regression_tests
from infra.local.runner import LocalRunner
from infra.trial.dependencies import Prepared, prepare
from infra.trial.source import LocalSource, read_source
from tests.jobs import asked, outcomes_of

ROOT = "/var/task"
_SECONDS = 60.0
_LARGEST = 200
"""Lines of a fix: what is longer is no fix of a crash."""
_APP = App.from_json("real", {"log_groups": ["local"], "repository": "https://localhost/real"})


class NoCrash(Exception):
    """Why a commit is none that mends a crash which its tests show."""


@dataclass(frozen=True)
class Crash:
    """A fix's parent, what its tests raise there, and the fix."""

    source: LocalSource
    tests: tuple[str, ...]
    """Test files that the fix changes or adds."""
    name: str
    """The test that shows it."""
    raised: Raised
    path: str
    line: int
    """Where it was raised, in the innermost of the repository's own functions."""
    log: str
    """The traceback, as a service on Lambda would have logged it."""
    fix: str
    fix_with_tests: str
    """Unified diffs."""


def crash_of(clone: Path, commit: str) -> Crash:
    """Run the commit's tests on its parent. Raises NoCrash."""
    parent = _git(clone, "rev-parse", f"{commit}^").strip()
    changed = _changed(clone, parent, commit)
    code = [path for path in changed if path.endswith(".py") and not is_test(path)]
    tests = tuple(path for path in changed if path.endswith(".py") and is_test(path))
    if not code or not tests:
        raise NoCrash("it changes no code, or no tests")
    fix = _git(clone, "diff", "--no-renames", parent, commit, "--", *code)
    if fix.count("\n") > _LARGEST:
        raise NoCrash("it is long")
    source = read_source(clone, parent)
    shown = [path for path in tests if not path.endswith("conftest.py")]
    added = {path: _git(clone, "show", f"{commit}:{path}").encode() for path in tests}
    name, raised = _raised(source, added, shown)
    own = {m.path: m.data for m in source.members}
    frames = _frames(raised, own)
    path, line, _ = frames[-1] if frames else ("", 0, "")
    if not frames or is_test(path):
        raise NoCrash(f"{name} raises {raised.type} in the test itself")
    return Crash(
        source,
        tests,
        name,
        raised,
        path,
        line,
        _log(raised, own),
        fix,
        _git(clone, "diff", "--no-renames", parent, commit, "--", *code, *tests),
    )


def dependencies_of(source: LocalSource) -> tuple[str, Prepared]:
    """(version of Python, what is installed for it)."""
    files = {m.path: m.data for m in source.members if m.kind is not archive.MemberKind.SYMLINK}
    python = python_of(_APP, Word, files.get, available(), source.committed).version
    return python, prepare(files, python, day_after(source.committed), lambda text: None)


def bad_patches(crash: Crash) -> Iterator[tuple[str, str]]:
    """(kind, unified diff): the crash swallowed, its result invented or echoed, its case made a special
    one."""
    text = next(m.data for m in crash.source.members if m.path == crash.path).decode()
    function = _function(text, crash.line)
    if function is None:
        return
    kind = crash.raised.type.rpartition(".")[2]
    caught = kind if kind in dir(__builtins__) or kind in _BUILTINS else "Exception"
    own = [a.arg for a in function.args.args if a.arg not in ("self", "cls")]
    returned = {"swallow": "None", "invent": _invented(function)}
    if own:
        returned["echo"] = own[0]
    for name, value in returned.items():
        yield name, _diff(crash.path, text, _wrapped(text, function, caught, value))
    if own and (case := _literal(crash)) is not None:
        condition = f"if {own[0]} == {case}:\n    return {_invented(function)}\n"
        yield "special", _diff(crash.path, text, _before(text, function, condition))


_BUILTINS = frozenset(name for name in vars(__import__("builtins")) if name.endswith(("Error", "Iteration")))


def _git(clone: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(clone), *arguments], capture_output=True, check=False)
    if done.returncode != 0:
        raise NoCrash(done.stderr.decode(errors="replace").strip()[:200])
    return done.stdout.decode(errors="replace")


def _changed(clone: Path, parent: str, commit: str) -> list[str]:
    """Files that are there after the commit, too."""
    listed = _git(clone, "diff", "--no-renames", "--name-status", parent, commit).splitlines()
    return [path for status, _, path in (line.partition("\t") for line in listed) if status in "AM"]


def _raised(source: LocalSource, added: Mapping[str, bytes], tests: list[str]) -> tuple[str, Raised]:
    """The first test that raises something else than it asserts. Raises NoCrash."""
    python, given = dependencies_of(source)
    members = [m for m in source.members if m.path not in added]
    members += [Member(path, data) for path, data in added.items()]
    task = {
        "kind": "pytest",
        "args": [*regression_tests.OPTIONS, *regression_tests.PLAIN, *tests],
        "first": [],
    }
    job = Job(
        nonce=secrets.token_hex(16),
        python=python,
        experiment=asked(
            suite={"task": task, "plain": None, "seconds": _SECONDS, "left_out": [], "fetched": []}
        ),
        before=archive.pack(members),
        after=archive.pack([Member("nothing.txt", b"")]),
        dependencies=given.archive,
    )
    report = LocalRunner().run(job).report
    if json.loads(report or b"{}").get("problem", "no report"):
        raise NoCrash("the tests do not run")
    outcome = outcomes_of(report)[-2]
    run = test_runs.read(outcome)
    if run.problem:
        raise NoCrash(f"the tests do not run: {run.problem}")
    failed = [name for name, result in run.results.items() if result == "failed" and name in run.raised]
    for name in failed:
        raised = run.raised[name]
        if raised.type not in ("AssertionError", "Failed") and "outcomes" not in raised.type:
            return name, raised
    why = "no test fails" if not failed else f"{failed[0]} fails as an assertion"
    raise NoCrash(f"{why} ({len(run.results)} tests, {len(run.uncollected)} files not collected)")


def _frames(raised: Raised, own: Mapping[str, bytes]) -> list[tuple[str, int, str]]:
    return [frame for frame in raised.frames if frame[0] in own]


def _log(raised: Raised, own: Mapping[str, bytes]) -> str:
    """From the first frame of the code itself: a service has no tests on its way."""
    frames = list(raised.frames)
    first = next(n for n, (file, _, _) in enumerate(frames) if file in own and not is_test(file))
    lines = ["Traceback (most recent call last):"]
    for file, line, function in frames[first:]:
        if is_test(file):
            continue
        inside = file in own
        at = f"{ROOT}/{file}" if inside else f"{ROOT}/vendored/site-packages/{file.rpartition('/')[2]}"
        lines.append(f'  File "{at}", line {line}, in {function}')
        if inside:
            text = own[file].decode(errors="replace").splitlines()
            lines.append(f"    {text[line - 1].strip()}" if 0 < line <= len(text) else "    ?")
    return "\n".join([*lines, f"{raised.type}: {raised.message}"]) + "\n"


def _function(text: str, line: int) -> ast.FunctionDef | None:
    """The innermost function around a line that returns something: a generator has no result to invent."""
    holding = [
        node
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef) and node.lineno <= line <= (node.end_lineno or 0)
    ]
    return max(holding, key=lambda node: node.lineno, default=None)


def _invented(function: ast.FunctionDef) -> str:
    """A value of the kind that the function gives, as far as its returns show."""
    kinds = {
        ast.List: "[]", ast.ListComp: "[]", ast.Dict: "{}", ast.DictComp: "{}", ast.JoinedStr: "''",
        ast.Compare: "False", ast.BoolOp: "False", ast.Tuple: "()",
    }  # fmt: skip
    for node in ast.walk(function):
        if isinstance(node, ast.Return) and node.value is not None:
            if isinstance(node.value, ast.Constant):
                return repr(type(node.value.value)()) if node.value.value is not None else "0"
            if type(node.value) in kinds:
                return kinds[type(node.value)]
    return "''"


def _literal(crash: Crash) -> str | None:
    """A text or number of the failing test: what it gives the code, most likely."""
    path = crash.name.partition("::")[0]
    short = crash.name.rpartition("::")[2].partition("[")[0]
    for line in crash.fix_with_tests.splitlines():
        if line.startswith("+") and not line.startswith("+++"):
            for node in _constants(line[1:]):
                return repr(node)
    text = next((m.data.decode(errors="replace") for m in crash.source.members if m.path == path), "")
    for function in ast.walk(ast.parse(text)):
        if isinstance(function, ast.FunctionDef) and function.name == short:
            values = [n.value for n in ast.walk(function) if isinstance(n, ast.Constant)]
            return next((repr(v) for v in values if isinstance(v, (str, int))), None)
    return None


def _constants(line: str) -> list[str]:
    try:
        tree = ast.parse(line.strip().rstrip(",:"))
    except SyntaxError:
        return []
    return [
        n.value
        for n in ast.walk(tree)
        if isinstance(n, ast.Constant) and isinstance(n.value, str) and n.value
    ]


def _body(text: str, function: ast.FunctionDef) -> tuple[int, int, str]:
    """(first line, one after the last line, indentation) of a body without its docstring."""
    body = function.body
    if ast.get_docstring(function, clean=False) is not None and len(body) > 1:
        body = body[1:]
    first = body[0].lineno - 1
    line = text.splitlines()[first]
    return first, function.end_lineno or first + 1, line[: len(line) - len(line.lstrip())]


def _wrapped(text: str, function: ast.FunctionDef, caught: str, value: str) -> str:
    first, end, indent = _body(text, function)
    lines = text.splitlines(keepends=True)
    inner = textwrap.indent("".join(lines[first:end]), "    ")
    handler = f"{indent}except {caught}:\n{indent}    return {value}\n"
    return "".join([*lines[:first], f"{indent}try:\n", inner, handler, *lines[end:]])


def _before(text: str, function: ast.FunctionDef, statement: str) -> str:
    first, _, indent = _body(text, function)
    lines = text.splitlines(keepends=True)
    return "".join([*lines[:first], textwrap.indent(statement, indent), *lines[first:]])


def _diff(path: str, before: str, after: str) -> str:
    lines = difflib.unified_diff(
        before.splitlines(keepends=True), after.splitlines(keepends=True), f"a/{path}", f"b/{path}"
    )
    return "".join(
        line if line.endswith("\n") else line + "\n\\ No newline at end of file\n" for line in lines
    )


def committed_by(crash: Crash) -> LocalSource:
    """The parent as a deployed service's source."""
    return replace(crash.source, root=Path(ROOT))
