"""After the runs: what the patched code did to the outside that the code before never did.

The harness records audit events of all runs (`harness/audit.py`). A record is a stranger's word, so it only
ever speaks against a patch; that there is none proves nothing, and the gate that reads (`capabilities`)
comes first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from functions.core.notify.counts import counted
from functions.core.untrusted.redaction import redact
from functions.core.workflow.evidence import GateResult, Result
from functions.harness import answers
from functions.harness.names import is_test
from functions.harness.proof import Nonsense, Proof
from functions.validate_patch.candidate import Candidate
from functions.validate_patch.capabilities import library
from functions.validate_patch.diff import changed_lines
from functions.validate_patch.told import ReplayedReport

GATE = "does_nothing_else"
_SHOWN = 5
_KINDS = {
    "files": "writes or removes",
    "reads": "reads",
    "permissions": "changes the permissions of",
    "processes": "starts or signals a process",
    "network": "talks to the network",
    "environment": "changes the environment",
    "code": "runs text or bytes as code",
    "imports": "imports",
    "interpreter": "reaches into the interpreter",
    "descriptors": "opens",
}
_BY_ADDRESS = frozenset({"network", "processes"})
"""What the same line of code may do to another target than before, because of a value elsewhere."""


@dataclass(frozen=True, slots=True)
class Reached:
    """One record. frames: path and line of the repository's own frames, innermost first."""

    kind: str
    target: str
    frames: tuple[tuple[str, int], ...]


def result(candidate: Candidate, told: ReplayedReport) -> GateResult:
    """The gate's result."""
    runs = told.proof.ran
    trees = {tree for tree, _ in runs}
    if trees != {"before", "after"}:
        return GateResult(GATE, Result.NOT_RUN, "not run: nothing ran on both trees")
    found = sorted({_said(record) for record in _new(candidate, told.proof)})
    if found:
        return GateResult(GATE, Result.FAIL, found[0], tuple(found[:_SHOWN]))
    seen = "no file, process, connection or code that the code before did not use"
    detail = f"in {counted(len(runs), 'run')}: {seen}"
    return GateResult(GATE, Result.PASS, detail)


def _new(candidate: Candidate, proof: Proof) -> Iterator[Reached]:
    before = {
        record
        for tree, outcome in proof.ran
        if tree == "before"
        for record in reached(answers.lines_of(outcome))
    }
    known = {(record.kind, record.target) for record in before}
    sites = {(record.kind, record.frames[0][0]) for record in before}
    added = {change.path: changed_lines(change).added for change in candidate.python_changes}
    for tree, outcome in proof.ran:
        for record in reached(answers.lines_of(outcome)) if tree == "after" else ():
            moved = record.kind in _BY_ADDRESS and (record.kind, record.frames[0][0]) in sites
            new = (record.kind, record.target) not in known and not _is_harmless(record)
            if (new and (moved or _by_added(record, added))) or _is_tests_own(record, added):
                yield record


def _by_added(record: Reached, added: Mapping[str, frozenset[int]]) -> bool:
    """Whether a line that the patch adds to code other than tests led there."""
    return any(line in added.get(path, ()) for path, line in record.frames if not is_test(path))


def _is_tests_own(record: Reached, added: Mapping[str, frozenset[int]]) -> bool:
    """Whether a test of the patch, which runs on both trees, itself reaches for what runs it."""
    path, line = record.frames[0]
    system = record.kind == "reads" and record.target.startswith(("/proc", "/dev", "/sys"))
    reaches = record.kind in ("descriptors", "interpreter") or system
    return is_test(path) and line in added.get(path, ()) and reaches


def _is_harmless(record: Reached) -> bool:
    if record.kind == "imports":
        return not library.is_standard(record.target) or library.is_harmless(library.resolved(record.target))
    return record.kind == "files" and record.target == "a temporary file"


def _said(record: Reached) -> str:
    path, line = record.frames[0]
    target = f" {record.target}" if record.kind in _WITH_TARGET else _in_brackets(record.target)
    what = f"{_KINDS[record.kind]}{target}"
    return redact(f"{path}:{line}: {what}; the code before the patch did not"[:400])


_WITH_TARGET = frozenset({"files", "reads", "permissions", "imports", "descriptors"})


def _in_brackets(target: str) -> str:
    return f" ({target})" if target else ""


def reached(lines: list[dict[str, object]]) -> Iterator[Reached]:
    """Records among a report's lines. Raises Nonsense for what the harness does not write."""
    for line in lines:
        if "reached" in line:
            match line["reached"]:
                case [str(kind), str(target), [_, *_] as frames] if kind in _KINDS and len(line) == 1:
                    yield Reached(kind, target[:200], tuple(map(_frame, frames)))
                case _:
                    raise Nonsense("a record that the harness does not write")


def _frame(row: object) -> tuple[str, int]:
    match row:
        case [str(path), int(line)] if len(path) < 4096:
            return path, line
    raise Nonsense("a frame that the harness does not write")
