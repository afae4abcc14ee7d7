"""What the principles say to a patch's results, as gates and as questions."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from functions.core.untrusted.redaction import redact
from functions.core.workflow.evidence import Behaviour, GateResult, Question, Result
from functions.harness.proof import Proof
from functions.validate_patch.candidate import Candidate
from functions.validate_patch.principles import PRINCIPLES, Finding, Principle, Severity
from functions.validate_patch.principles.stated import RESULT_IS_STATED
from functions.validate_patch.principles.stays import WHAT_WORKED_STAYS

_WORDS = 8
"""Characters of what a line is quoted with, at least."""
_MOST = 5
"""Findings of one principle that are told."""


@dataclass(frozen=True, slots=True)
class Judged:
    """The principles' results."""

    gates: tuple[GateResult, ...]
    questions: tuple[Question, ...] = ()
    behaviour: tuple[Behaviour, ...] = ()
    accepted: Mapping[str, str] = field(default_factory=dict)
    """Principle that the repository's settings switch off → what it objects to, "" for nothing."""


def judged(candidate: Candidate, proof: Proof) -> Judged:
    """Put each principle to what the runs showed; a proof without runs leaves what can be read."""
    gates, questions, accepted = [], [], {}
    for principle in PRINCIPLES:
        started = time.monotonic()
        found = list(principle.judge(candidate, proof))[:_MOST]
        if principle.name in candidate.rules.accepted:
            accepted[principle.name] = found[0].text if found else ""
            found = []
        gate, asked = _gate(principle, candidate, proof, found, round(time.monotonic() - started, 4))
        gates.append(gate)
        questions += asked
    return Judged(tuple(gates), tuple(questions), (), accepted)


def _gate(
    principle: Principle, candidate: Candidate, proof: Proof, found: list[Finding], seconds: float
) -> tuple[GateResult, list[Question]]:
    refused = [_said(finding) for finding in found if finding.kind is Severity.REFUSE]
    if refused:
        return GateResult(principle.name, Result.FAIL, refused[0], tuple(refused), (), seconds), []
    answered = [said for finding in found if (said := _justified(candidate, finding))]
    asked = [
        Question(principle.name, f.text, f.where, f.calls) for f in found if not _justified(candidate, f)
    ]
    if asked:
        texts = tuple(question.said for question in asked)
        return GateResult(principle.name, Result.QUESTION, texts[0], texts, (), seconds), asked
    if answered:
        return GateResult(principle.name, Result.PASS, answered[0], (), (), seconds), []
    why, detail = _shown(principle, proof)
    if why:
        return GateResult(principle.name, Result.NOT_RUN, f"not run: {why}", (), (), seconds), []
    return GateResult(principle.name, Result.PASS, detail, (), (), seconds), []


def _said(finding: Finding) -> str:
    return f"{finding.where}: {finding.text}" if finding.where else finding.text


def _justified(candidate: Candidate, finding: Finding) -> str:
    """What the model pointed to in answer to a question, if it is there, as fetched, and says so; else ""."""
    for given in candidate.proposal.justifications:
        file = candidate.before.get(given.path)
        lines = file.data.decode(errors="replace").split("\n") if file is not None else []
        there = " ".join(" ".join(lines[given.line - 1 : given.line + 2]).split())
        says = " ".join(given.says.split())
        if len(says) >= _WORDS and says in there and any(re.search(w, says.lower()) for w in finding.words):
            return redact(f"{finding.text}; {given.path}:{given.line} says: {says}")
    return ""


def _shown(principle: Principle, proof: Proof) -> tuple[str, str]:
    """Why a principle had nothing to judge, or ""; and what it has seen to hold."""
    calls, shown = proof.calls, proof.reproduction
    if principle not in (RESULT_IS_STATED, WHAT_WORKED_STAYS):
        return "", principle.sentence
    if calls is None:
        reproduced = shown is not None and shown.verdict.names
        return "there was no time left for it" if reproduced else "the error was not reproduced", ""
    if principle is RESULT_IS_STATED:
        if not calls.mended:
            return "no call that fails as the incident did could be made up", ""
        return (
            "",
            f"of calls that failed as the incident did, {len(calls.mended)} end in a way that is stated",
        )
    if not calls.whole:
        return "a run that tells what is executed did not come to its end", ""
    if not calls.worked and not calls.refused:
        return "no call that worked before the patch could be made up", ""
    same = f"of made-up calls, {len(calls.worked)} that worked before have the same result"
    if not calls.compared:
        return f"{same}, but others took longer than there was time for", ""
    return (
        "",
        f"{same}; {len(calls.refused)} that were refused on purpose still are; all that is added is run",
    )
