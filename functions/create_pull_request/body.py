"""What a reviewer reads in the pull request: the cause, the proof, and what was not proven."""

from __future__ import annotations

from collections.abc import Sequence

from functions.core.incidents.incident import Incident
from functions.core.notify.commands import Commands
from functions.core.notify.counts import counted
from functions.core.untrusted import hidden
from functions.core.untrusted.inert import inert_line
from functions.core.workflow.evidence import BEHAVIOUR, Build, Evidence, GateResult, Result
from functions.core.workflow.proposal import Proposal
from functions.core.workflow.review import SAID, Review
from functions.core.workflow.state import DecisionState
from functions.create_pull_request.markdown import code, fenced, prose
from functions.create_pull_request.reviewers import Reviewer

# GitHub refuses bodies above 65,536 characters; the sample is what may be long.
_SAMPLE_LIMIT = 6_000
_RUN_LIMIT = 3_000
_DISGUISES = 20

_MARKS = {
    Result.PASS: "✔ pass",
    Result.FAIL: "✘ **fail**",
    Result.NOT_RUN: "○ **not run**",
    Result.QUESTION: "? **question**",
}


def render(
    incident: Incident,
    proposal: Proposal,
    evidence: Evidence,
    approval: DecisionState,
    review: Review | None = None,
    committed_on: str = "",
    asked: Sequence[Reviewer] = (),
    patch: str = "",
    since: Sequence[str] = (),
    commands: Commands = Commands(),  # noqa: B008 - frozen
) -> str:
    """The pull request's description as Markdown, safe for text that strangers wrote.

    since: the incidents that joined after the approval, with which the same bytes were proven again.
    """
    parts = [
        f"<!-- self-heal incident={incident.incident_id} -->",
        f"**{prose(incident.title)}**",
        *_place(incident),
        f"Seen {_seen(incident)} in {code(incident.log_group)}. All of it: "
        f"{code(commands.pasted(f'selfheal show {incident.incident_id}'))}.",
        *_regression(incident),
        *_joined(incident, evidence),
        *_disguises(patch),
        *_questions(evidence),
        *_behaviour(evidence),
        "### Root cause",
        prose(proposal.root_cause),
        "### What changes",
        prose(proposal.explanation),
        "### Evidence",
        _table(evidence),
        *([prose(evidence.twice)] if evidence.twice else []),
    ]
    if evidence.python:
        parts.append(f"The app runs on {prose(evidence.python.said)}.")
    if evidence.build:
        parts.append(_build(evidence.build))
    if evidence.warnings:
        parts += [
            "### What to know of this patch, beside the proof",
            "\n".join(f"- {prose(line)}" for line in evidence.warnings),
        ]
    if evidence.not_proven:
        parts += ["### Not proven", "\n".join(f"- {prose(line)}" for line in evidence.not_proven)]
    if review:
        parts += ["### Second opinion", _opinion(review)]
    parts += [_runs(gate) for gate in evidence.gates if gate.runs]
    parts += [
        "<details><summary>Log text of one occurrence (redacted)</summary>",
        fenced(incident.sample[:_SAMPLE_LIMIT], "text"),
        "</details>",
        "### Approval",
        f"Approved by {code(inert_line(approval.by))}: patch {code(approval.patch_sha256)} on base "
        f"{code(approval.base_sha)}." + (f" Comment: {prose(approval.comment)}" if approval.comment else ""),
        *_carried(since),
        *_moved(approval, committed_on),
        *([f"Which revision was read: {prose(evidence.base_reason)}."] if evidence.base_reason else []),
        *_asked(asked),
        f"The models that were asked cost {_cost(incident)}, at list prices or the app's own.",
    ]
    return "\n\n".join(parts) + "\n"


def _place(incident: Incident) -> list[str]:
    """The file, the line and the function that the root cause speaks of."""
    file, _, function = incident.place.partition(" ")
    own = [frame for frame in incident.frames if frame.in_app]
    if not file:
        return []
    # The file as in the repository; a frame's own path is that of the machine it ran on.
    line = f":{own[-1].line}" if own and own[-1].line else ""
    return [f"At {code(f'{file}{line}')}" + (f", in {code(function)}." if function else ".")]


def _cost(incident: Incident) -> str:
    return f"${incident.cost_usd:.4f}" if incident.cost_usd else "nothing"


def _regression(incident: Incident) -> list[str]:
    if not incident.regressed_from:
        return []
    link = f"[an earlier pull request](<{incident.regressed_from}>)"
    told = f"This was mended before, by {link}, and came back: {prose(incident.reason)}."
    if not incident.merge_sha:
        return ["### A regression", told]
    undo = f"`git revert {incident.merge_sha}` (with `-m 1` where that is a merge commit)"
    return ["### A regression", f"{told} To take that one back instead: {undo}, or its page's button."]


def _asked(asked: Sequence[Reviewer]) -> list[str]:
    # Named, not mentioned: who is asked for review is told of it by the forge.
    if not asked:
        return []
    named = "; ".join(f"{code(one.name)} ({prose(one.why)})" for one in asked)
    return [f"Who knows this code: {named}."]


def _joined(incident: Incident, evidence: Evidence) -> list[str]:
    """What was put to the proof is told apart from what came after it, of which production tells."""
    later = [other for other in incident.joined if other not in evidence.joined]
    said = []
    if evidence.joined:
        said.append(f"The same cause as of {', '.join(map(code, evidence.joined))}: healed with this.")
    if later:
        named = ", ".join(map(code, later))
        said.append(
            f"The same line failed as {named}, too: not reproduced, as that came after the proof, or was more"
            " than one proof has time for. Where one is seen again once this is deployed, it is healed by"
            " itself."
        )
    return said


def _carried(since: Sequence[str]) -> list[str]:
    if not since:
        return []
    named = ", ".join(map(code, since))
    return [
        f"After that {named} joined. The same bytes were proven again with what failed there; every check"
        " came out as before, so the approval holds."
    ]


def _moved(approval: DecisionState, committed_on: str) -> list[str]:
    if committed_on in ("", approval.base_sha):
        return []
    on = code(committed_on)
    return [f"The branch moved meanwhile: the same patch is on {on}, which left the files it touches alone."]


def _disguises(patch: str) -> list[str]:
    return [
        f"**The patch contains {what}**, which can make code read differently from what it does:"
        f" {', '.join(map(code, found[:_DISGUISES]))}."
        for what, found in hidden.disguises(patch).items()
    ]


def _questions(evidence: Evidence) -> list[str]:
    if not evidence.questions:
        return []
    lines = [f"- {prose(question.said)}" for question in evidence.questions]
    told = "Nothing in the repository answers this; whoever approved was asked:"
    return ["### To be judged by people", f"{told}\n\n" + "\n".join(lines)]


def _behaviour(evidence: Evidence) -> list[str]:
    """The behaviour table, and how to see each row oneself."""
    if not evidence.behaviour:
        return []
    rows = [
        f"| {code(row.call)} | {code(row.before)} | {code(row.after)} | {BEHAVIOUR[row.why]} |"
        for row in evidence.behaviour
    ]
    table = "\n".join(("| call | before | after | kind |", "|---|---|---|---|", *rows))
    commands = "\n".join(row.command for row in evidence.behaviour)
    again = f"<details><summary>See it yourself</summary>\n\n{fenced(commands, 'sh')}\n\n</details>"
    return ["### Behaviour", table, again]


def _seen(incident: Incident) -> str:
    first, last = (time[:16].replace("T", " ") for time in (incident.first_seen, incident.last_seen))
    if incident.occurrences == 1:
        return f"once, at {first} UTC,"
    return f"{counted(incident.occurrences, 'time')} between {first} and {last} UTC"


def _table(evidence: Evidence) -> str:
    rows = [
        f"| {code(gate.gate)} | {_MARKS[gate.result]} | {prose(gate.detail)} |" for gate in evidence.gates
    ]
    return "\n".join(("| gate | result | detail |", "|---|---|---|", *rows))


def _build(build: Build) -> str:
    log = f" ([log](<{build.log_url}>))" if build.log_url else ""
    return f"The tests ran in CodeBuild project {code(build.project)}{log}."


def _opinion(review: Review) -> str:
    lines = [f"{SAID[review.opinion]}, says {code(review.model)}. It is an opinion, not evidence."]
    lines += [f"- {prose(reason)}" for reason in review.reasons]
    lines += [f"- It would check: {prose(check)}" for check in review.would_check]
    return "\n".join([lines[0], "", *lines[1:]])


def _runs(gate: GateResult) -> str:
    blocks = []
    for run in gate.runs:
        ended = "stopped" if run.exit_code is None else f"exit code {run.exit_code}"
        head = f"{code(run.command)} on the tree **{run.tree}** the patch: {ended}, {run.seconds:.1f} s"
        blocks.append(f"{head}\n\n{fenced(run.output[-_RUN_LIMIT:], 'text')}")
    inner = "\n\n".join(blocks)
    return f"<details><summary>Runs of gate {gate.gate}</summary>\n\n{inner}\n\n</details>"
