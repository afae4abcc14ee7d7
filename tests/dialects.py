"""The corpus of wrong and honest patches, with its repositories written for one Python or another.

    python -m tests.dialects 3.12

judges the cases whose numbers it reads, a line each, and answers each with a line of JSON: a `Verdict`. So a
case is judged by the newest Python that is here, whichever runs the tests: in production, too, what judges is
no older than what apps run on.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from functions.core.apps.app import App
from functions.core.incidents.incident import Frame, Incident, Status
from functions.core.source.archive import members_of
from functions.core.source.python import Python
from functions.core.workflow.evidence import Result
from functions.core.workflow.proposal import Edit, Proposal, RegressionTest
from functions.core.workflow.validation_context import ValidationContext
from functions.harness.interpreters import available, find
from functions.harness.names import is_test
from functions.validate_patch import order
from functions.validate_patch.tree import SYMLINK, File, Tree
from functions.validate_patch.validate import tree_of, validate
from infra.local.runner import LocalRunner

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT / "tests" / "data" / "validate"


@dataclass(frozen=True)
class Verdict:
    """What came of a case. gate, findings: of the first gate that failed; not_run: gates, and why; questions:
    the principles that people are asked about."""

    accepted: bool
    proven: bool
    gate: str
    findings: tuple[str, ...]
    not_run: tuple[str, ...]
    questions: tuple[str, ...] = ()

    @property
    def stopped(self) -> bool:
        """Whether it is refused, or people are asked before anything else."""
        return not self.accepted or bool(self.questions)


@dataclass(frozen=True)
class Dialect:
    """How code is written for a Python version: lines are rewritten one by one, so that what a patch looks
    for is found; what has no counterpart in the code stands at the end of each module, and is run."""

    version: str
    rewritten: Callable[[str], str]
    """For a line of a module, or a part of one."""
    first: str = ""
    """Goes before a module's first import."""
    last: str = ""
    messages: tuple[tuple[str, str], ...] = ()
    """(pattern, replacement): what this Python says where the corpus's own, 3.11, says that."""
    inlined: bool = False
    """Whether comprehensions run in the frame of the function around them (PEP 709)."""


def _old(text: str) -> str:
    """Without what came after 3.9."""
    text = re.sub(r"(from datetime import .*)\bUTC\b", r"\1timezone", text)
    text = re.sub(r"(?<=[(=])UTC\b", "timezone.utc", text)
    text = re.sub(r"(isinstance\([^()]+, )(\w+) \| (\w+)\)", r"\1(\2, \3))", text)
    return re.sub(r"([\w.]+(?:\[[\w., ]*\])?) \| None\b", r"Optional[\1]", text)


def _generic(parameters: str) -> Callable[[str], str]:
    def rewritten(text: str) -> str:
        text = re.sub(r"\bdef ([A-Za-z_]\w*)\(", rf"def \1[{parameters}](", text)
        return re.sub(r'(?<![A-Za-z_"])f"[^"\n]*"', _nested, text)

    return rewritten


def _nested(literal: re.Match[str]) -> str:
    """An f-string with one of the same quotes in each of its fields."""
    if "{{" in literal[0] or "}}" in literal[0]:
        return literal[0]
    return re.sub(r"\{([^{}]+)\}", r'{f"{\1}"}', literal[0])


_GROUPS = """

def _first_of_group(errors):
    try:
        raise ExceptionGroup("several", errors)
    except* ValueError as group:
        match group.exceptions:
            case [first, *_]:
                found = first
    return found


assert str(_first_of_group([ValueError("one"), ValueError("two")])) == "one"
"""
_TYPES = """

type _Row[T] = dict[str, T]


class _Box[T]:
    def __init__(self, held: T) -> None:
        self.held = held


def _label[T: (int, str)](row: _Row[T]) -> str:
    return f"{", ".join(f"{key}={value}" for key, value in row.items())}"


assert _label({"a": _Box(1).held}) == "a=1"
"""
_DEFAULTS = """

class _Cell[T = int]:
    held: T | None = None


assert _Cell().held is None
"""
_EMPTY = ((r"(max|min)\(\) arg is an empty sequence", r"\1() iterable argument is empty"),)
_UNBOUND = (
    (
        r"cannot access local variable ('\w+') where it is not associated with a value",
        r"local variable \1 referenced before assignment",
    ),
)
DIALECTS = {
    dialect.version: dialect
    for dialect in (
        Dialect("3.9", _old, first="from typing import Optional\n", messages=_UNBOUND),
        Dialect("3.11", lambda text: text, last=_GROUPS),
        Dialect("3.12", _generic("_T"), last=_GROUPS + _TYPES, messages=_EMPTY, inlined=True),
        Dialect(
            "3.13", _generic("_T = object"), last=_GROUPS + _TYPES + _DEFAULTS, messages=_EMPTY, inlined=True
        ),
    )
}


@cache
def cases() -> tuple[dict[str, Any], ...]:
    """All of them, the wrong ones first, and said to be; `<>` in their texts only keeps secrets from looking
    like ones."""
    return tuple(
        {**case, "wrong": kind == "wrong"}
        for kind in ("wrong", "honest")
        for path in sorted(DATA.glob(f"{kind}*.toml"))
        for case in tomllib.loads(path.read_text().replace("<>", ""))["case"]
    )


@cache
def missed() -> frozenset[str]:
    """Names of wrong patches that nothing stops today, and nobody is asked about."""
    return frozenset(tomllib.loads((DATA / "missed.toml").read_text())["missed"])


def in_dialect(path: str, text: str, dialect: Dialect) -> str:
    """A file, or a part of one, as it is written for that Python."""
    if not path.endswith(".py"):
        return text
    # Tests stay as they are, but for what their Python lacks.
    return dialect.rewritten(text) if dialect.rewritten is _old or not is_test(path) else text


def repository(name: str, dialect: Dialect) -> dict[str, File]:
    """A sample repository, written for that Python."""
    return {path: _file(path, file, dialect) for path, file in _plain(name).items()}


@cache
def _plain(name: str) -> Tree:
    files = tree_of(members_of(DATA / name))
    return {path: file for path, file in files.items() if "__pycache__" not in path}


def _file(path: str, file: File, dialect: Dialect) -> File:
    if not path.endswith(".py"):
        return file
    text = in_dialect(path, file.data.decode(), dialect)
    if not is_test(path) and not path.endswith("__init__.py"):
        text = (
            re.sub(r"(?m)^(?=(?:import|from(?! __future__)) )", dialect.first, text, count=1) + dialect.last
        )
    return File(text.encode(), file.mode)


def judged(case: Mapping[str, Any], dialect: Dialect) -> Verdict:
    """The verdict on a case. Each reproduction runs once: other tests are about the repetition."""
    order.TIMES = 1
    row = tomllib.loads((DATA / "incidents.toml").read_text())[case["incident"]]
    tree = repository(row["repository"], dialect)
    links = {path: File(target.encode(), SYMLINK) for path, target in case.get("links", {}).items()}
    test = case.get("test", "")
    proposal = Proposal(
        root_cause="cause",
        title="Mend it",
        explanation="why",
        edits=tuple(
            Edit(path, *(in_dialect(path, text, dialect) for text in texts)) for path, *texts in case["edits"]
        ),
        confidence=0.9,
        regression_test=RegressionTest(_TEST, in_dialect(_TEST, test, dialect)) if test else None,
    )
    context = _facts(row, tree, dialect)
    result = validate({**tree, **links}, proposal, context, "0" * 40, LocalRunner())
    gates = result.evidence.gates
    failed = [gate for gate in gates if gate.result is Result.FAIL]
    return Verdict(
        result.evidence.accepted,
        result.proven,
        failed[0].gate if failed else "",
        failed[0].findings if failed else (),
        tuple(f"{gate.gate}: {gate.detail}" for gate in gates if gate.result is Result.NOT_RUN),
        tuple(question.principle for question in result.evidence.questions),
    )


_TEST = "tests/test_regression.py"
_COMPREHENSIONS = ("<listcomp>", "<setcomp>", "<dictcomp>")


def _facts(row: Mapping[str, Any], tree: Tree, dialect: Dialect) -> ValidationContext:
    frames: list[Frame] = []
    for path, function, code in row["places"]:
        line = in_dialect(path, code, dialect)
        number = [text.strip() for text in tree[path].data.decode().split("\n")].index(line) + 1
        if dialect.inlined and function in _COMPREHENSIONS:
            function = frames.pop().function
        frames.append(Frame(f"/var/task/{path}", number, function, line, in_app=True, why="below /var/task"))
    error_type, _, message = row["raised"].partition(": ")
    for theirs, ours in dialect.messages:
        message = re.sub(theirs, ours, message)
    incident = Incident(
        incident_id="shop-1f3c",
        fingerprint="1f3c",
        app="shop",
        status=Status.HEALING,
        error_type=error_type,
        title=f"{error_type}: {message}",
        sample=f"Traceback (most recent call last):\n{error_type}: {message}\n",
        frames=tuple(frames),
    )
    app = App("shop", ("/aws/lambda/shop",), "https://git.example/shop/shop")
    return ValidationContext(incident, app, python=Python(dialect.version, "its dialect"))


@contextmanager
def judge(version: str) -> Iterator[Callable[[int], Verdict]]:
    """Judges cases by their number, in one process of the newest Python that is here."""
    engine = find(available()[-1])
    assert engine is not None
    packages = [path for path in sys.path if path.endswith("site-packages")]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join((str(ROOT), *packages)),
        "SELFHEAL_HARNESS_PACKAGES": str(Path(sys.prefix) / "harness"),
    }
    with subprocess.Popen(
        [engine.executable, "-m", "tests.dialects", version],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=environment,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        given, told = process.stdin, process.stdout

        def ask(number: int) -> Verdict:
            given.write(f"{number}\n")
            given.flush()
            answer: dict[str, Any] = json.loads(told.readline())
            lists = {name: tuple(answer[name]) for name in ("findings", "not_run", "questions")}
            return Verdict(**answer | lists)

        try:
            yield ask
        finally:
            given.close()


if __name__ == "__main__":
    for number in sys.stdin:
        print(json.dumps(asdict(judged(cases()[int(number)], DIALECTS[sys.argv[1]]))), flush=True)
