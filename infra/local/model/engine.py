"""From a prompt to one answer: the first repair that nobody has turned down, or an abstention."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import libcst as cst

from functions.core.workflow.proposal import Abstention, Edit, Proposal
from infra.local.model.edits import NotUnique, to_edits
from infra.local.model.prompt import Excerpt, PromptFrame, PromptReport, read_report
from infra.local.model.regression import regression_test
from infra.local.model.rule import Crash, Refusal, Repair, Rule
from infra.local.model.rules import RULES
from infra.local.model.source import SourceFile, Unreadable

_LOOK = "Read the traceback and the source at the failing line, and decide what should happen in this case."


def answer(text: str) -> Proposal | Abstention:
    """Answer the text of a user message. Raises NotAPrompt when it reports no incident."""
    report = read_report(text)
    crash = locate(report)
    if isinstance(crash, Refusal):
        return _abstention(report, crash)
    if (refusal := _on_purpose(crash)) is not None:
        return _abstention(report, refusal)
    rules = [r for r in RULES if report.error_type in r.errors and re.search(r.message, report.message)]
    candidates, refusals = _ask(crash, rules)
    candidates.sort(key=lambda c: c.confidence, reverse=True)
    repairs = _distinct(candidates)
    if not repairs:
        return _abstention(report, refusals[0] if refusals else _no_rule(crash, rules))
    tried = {attempt.edits for attempt in report.attempts}
    left = [(c, edits) for c, edits in repairs if _as_tuples(edits) not in tried]
    if report.comment and not report.attempts:
        left = left[1:]
    if not left:
        return _abstention(report, _nothing_left(crash, len(repairs), report.comment))
    candidate, edits = max(left, key=lambda pair: _mentioned(report.comment, pair[1]))
    return Proposal(
        root_cause=candidate.root_cause,
        title=candidate.title[:72],
        explanation=candidate.explanation,
        edits=edits,
        confidence=candidate.confidence,
        regression_test=regression_test(crash, candidate),
    )


def locate(report: PromptReport) -> Crash | Refusal:
    """The failing place in the source shown, or why it cannot be told."""
    failed = [e for e in report.excerpts if "where it failed" in e.why]
    failed = failed or [e for e in report.excerpts if e.marked]
    if not failed:
        return Refusal("not_enough_context", "The prompt shows no source for the failing frame.", _LOOK)
    files: dict[str, SourceFile] = {}
    for path in dict.fromkeys(e.path for e in report.excerpts):
        lines = {n: line for e in report.excerpts if e.path == path for n, line in e.lines.items()}
        try:
            files[path] = SourceFile(path, lines)
        except Unreadable:
            continue
    path = failed[0].path
    frame, line = _place(failed[0], report.frames)
    if path not in files or line is None:
        return Refusal(
            "not_enough_context", f"The failing line of {path} cannot be read from the prompt.", _LOOK
        )
    return Crash(report, files, files[path], line, frame)


def _place(excerpt: Excerpt, frames: Sequence[PromptFrame]) -> tuple[PromptFrame | None, int | None]:
    """The innermost frame whose line the excerpt marks, else the line when only one is marked."""
    name = excerpt.path.rsplit("/", 1)[-1]
    for frame in reversed(frames):
        same_file = frame.file.replace("\\", "/").rsplit("/", 1)[-1] == name
        shown = excerpt.lines.get(frame.line, "").strip()
        if same_file and frame.line in excerpt.marked and frame.code in {"", shown}:
            return frame, frame.line
    return None, excerpt.marked[0] if len(excerpt.marked) == 1 else None


def _on_purpose(crash: Crash) -> Refusal | None:
    """A `raise` on the failing line: the code has seen the case and said what it thinks of it."""
    if not crash.failing(cst.Raise):
        return None
    return Refusal(
        "data",
        f"{crash.where}: `{crash.function_name}` raises {crash.error} on purpose: {crash.message}",
        "Find out where the input comes from; if it should be accepted, decide how the code treats it.",
    )


def _ask(crash: Crash, rules: Sequence[Rule]) -> tuple[list[Repair], list[Refusal]]:
    candidates: list[Repair] = []
    refusals: list[Refusal] = []
    for rule in rules:
        for result in rule.candidates(crash):
            if isinstance(result, Refusal):
                refusals.append(result)
            else:
                candidates.append(result)
    return candidates, refusals


def _distinct(candidates: Sequence[Repair]) -> list[tuple[Repair, tuple[Edit, ...]]]:
    """Candidates with their edits, without repeats and without those that cannot be written down."""
    found: dict[tuple[tuple[str, str, str], ...], tuple[Repair, tuple[Edit, ...]]] = {}
    for candidate in candidates:
        try:
            edits = to_edits(candidate.file, candidate.splices)
        except (NotUnique, SyntaxError):
            continue
        if edits:
            found.setdefault(_as_tuples(edits), (candidate, edits))
    return list(found.values())


def _as_tuples(edits: Sequence[Edit]) -> tuple[tuple[str, str, str], ...]:
    return tuple((e.path, e.search, e.replace) for e in edits)


def _mentioned(comment: str, edits: Sequence[Edit]) -> int:
    """How many words of the reviewer's comment the changed lines bring in."""
    said = set(re.findall(r"\w+", comment))
    added = {word for e in edits for word in re.findall(r"\w+", e.replace)}
    before = {word for e in edits for word in re.findall(r"\w+", e.search)}
    return len(said & (added - before))


def _abstention(report: PromptReport, refusal: Refusal) -> Abstention:
    return Abstention(
        abstention_class=refusal.abstention_class,
        reason=refusal.reason,
        files_looked_at=tuple(_paths(report)),
        next_action=refusal.next_action,
    )


def _paths(report: PromptReport) -> Iterator[str]:
    yield from list(dict.fromkeys(e.path for e in report.excerpts))[:50]


def _no_rule(crash: Crash, rules: Sequence[Rule]) -> Refusal:
    what = f"{crash.error} at {crash.where} in `{crash.function_name}`"
    if not rules:
        return Refusal("not_enough_context", f"No repair rule covers {what}.", _LOOK)
    needs = "; or ".join(f"{rule.crash_class}: {rule.precondition}" for rule in rules)
    return Refusal(
        "not_enough_context",
        f"{what}: the built-in rules find nothing in the source shown that they go by. They go by: {needs}. "
        "What else is said there, such as in prose or in other functions, they do not read.",
        _LOOK,
    )


def _nothing_left(crash: Crash, tried: int, comment: str) -> Refusal:
    known = "one repair" if tried == 1 else f"{tried} repairs"
    if comment:
        return Refusal(
            "not_enough_context",
            f"{crash.error} at {crash.where}: the built-in rules know {known} for this, proposed before, and "
            "cannot write another one from what was asked for.",
            "Change it by hand as was asked for, or have a language model answer.",
        )
    return Refusal(
        "not_enough_context",
        f"{crash.error} at {crash.where}: the built-in rules know {known} for this, sent back already.",
        "Repair it by hand, guided by the findings against the earlier attempts.",
    )
