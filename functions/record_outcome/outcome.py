"""How a heal ended, read from the state it travelled with."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from functions.core.approval.announcement import CONFIDENCE
from functions.core.approval.approvals import Verdict
from functions.core.approval.decisions import REJECT_REASONS
from functions.core.apps.modes import Mode
from functions.core.aws.console import Console
from functions.core.incidents.incident import Incident, Status
from functions.core.incidents.table import utc_now
from functions.core.notify.counts import counted
from functions.core.notify.webhooks import Post
from functions.core.untrusted.inert import inert, inert_line
from functions.core.workflow.proposal import ABSTENTION_CLASSES
from functions.core.workflow.state import DecisionState, HealState, OutcomeState
from functions.core.workflow.tracking import DEPLOY, REVIEW_AND_MERGE


class Ending(StrEnum):
    """The business outcomes that reach RecordOutcome; the workflow's last choice reads them."""

    HEALED = "healed"
    ALREADY_FIXED = "already_fixed"
    REJECTED = "rejected"
    ABSTAINED = "abstained"
    PROPOSED = "proposed"
    DIAGNOSED = "diagnosed"


_STATUS = {
    Ending.HEALED: Status.PR_OPEN,
    # Whoever mended it: until that is deployed, the error only counts.
    Ending.ALREADY_FIXED: Status.MERGED,
    Ending.REJECTED: Status.REJECTED,
    Ending.ABSTAINED: Status.ABSTAINED,
    Ending.PROPOSED: Status.PROPOSED,
    Ending.DIAGNOSED: Status.DIAGNOSED,
}


_ALWAYS = ("reason", "next_action", "higher_mode", "follow_up", "held_until")
"""Attributes that an ending sets even if it has nothing to say: those of an earlier heal are over."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The ending with what a person needs to know: why, and what to do next."""

    ending: Ending
    reason: str = ""
    next_action: str = ""
    branch: str = ""
    pull_request_url: str = ""
    base_sha: str = ""
    patch_sha256: str = ""
    higher_mode: str = ""
    """What the next higher mode would have done."""
    merge_sha: str = ""
    merged_at: str = ""
    commit_sha: str = ""
    held_until: int = 0
    """When a sighting starts it over, in epoch seconds; 0: none does."""
    open_still: bool = False
    """Whether the pull request that was to be mended stays as it is."""

    @property
    def attributes(self) -> dict[str, Any]:
        """What the incident's item gets."""
        found = {
            "status": str(Status.PR_OPEN if self.open_still else _STATUS[self.ending]),
            "reason": self.reason,
            "next_action": self.next_action,
            "branch": self.branch,
            "pull_request_url": self.pull_request_url,
            "base_sha": self.base_sha,
            "patch_sha256": self.patch_sha256,
            "higher_mode": self.higher_mode,
            "merge_sha": self.merge_sha,
            "merged_at": self.merged_at,
            "commit_sha": self.commit_sha,
            "held_until": self.held_until,
            "follow_up": {},
        }
        # An abstention after a regression must not erase the pull request of the fix before it.
        return {name: value for name, value in found.items() if value or name in _ALWAYS}

    def to_state(self, incident_id: str) -> OutcomeState:
        """The task's result."""
        return OutcomeState(str(self.ending), incident_id, self.reason, self.pull_request_url or None)


def stages(state: HealState, incident: Incident) -> tuple[str, ...]:
    """How far a heal came that has ended, in the words of `selfheal stats`; one that mends a pull request
    which an earlier heal opened is no heal more."""
    decision = state.decision.decision
    came = {
        "begun": state.attempt > 0,
        "shown": bool(decision),
        "approved": decision == Verdict.APPROVE,
        "opened": bool(state.pull_request.url),
        "regressed": bool(incident.regressed_from),
    }
    return () if state.follow_up else tuple(name for name, whether in came.items() if whether)


def abstained_for(reason: str) -> str:
    """The class of a reason why no patch was proposed: the model's own, or what the gates found."""
    head = reason.partition(":")[0]
    return head if head in ABSTENTION_CLASSES else "no patch could be proven"


_PROVEN = {
    True: "Proven: every check ran and passed.",
    False: "NOT fully proven: not every check could run; the approval page and the pull request say which.",
}


def determine(state: HealState) -> Outcome:
    """The outcome of a heal with this state."""
    outcome = _ended(state)
    if not state.follow_up or outcome.ending in (Ending.HEALED, Ending.ALREADY_FIXED):
        return outcome
    return replace(
        outcome,
        open_still=True,
        reason=f"The pull request stays as it is. {outcome.reason}",
        next_action="Mend it by hand on its branch, or ask again there: /self-heal revise ...",
    )


def _ended(state: HealState) -> Outcome:
    if state.pull_request.url:
        return Outcome(
            Ending.HEALED,
            next_action=REVIEW_AND_MERGE,
            branch=state.commit.branch,
            commit_sha=state.commit.sha,
            base_sha=state.commit.base_sha,
            pull_request_url=state.pull_request.url,
        )
    if fixed := state.validation.fixed_by:
        return Outcome(
            Ending.ALREADY_FIXED,
            reason=f"It is mended already, found by running its reproduction: by {fixed.said}",
            next_action=DEPLOY,
            merge_sha=fixed.sha,
            merged_at=fixed.date or utc_now(),
        )
    if state.decision.decision == Verdict.REJECT:
        return Outcome(
            Ending.REJECTED,
            reason=_rejection(state.decision),
            next_action="Nothing more happens by itself; a recurrence is counted on this incident. To start"
            f" over: selfheal retry {state.incident_id}",
        )
    return _as_far_as_it_goes(state) or _abstention(state)


def _as_far_as_it_goes(state: HealState) -> Outcome | None:
    """The end of a heal whose app's mode goes no further; None for one that ended by itself."""
    proposal, validation = state.proposal, state.validation
    if state.mode == Mode.DIAGNOSE and proposal.outcome == "proposed":
        return Outcome(
            Ending.DIAGNOSED,
            reason=f"Root cause: {proposal.reason}",
            next_action=_raise_mode(state, Mode.PROPOSE),
            higher_mode=f"{Mode.PROPOSE} would have put this to the gates: {proposal.title}",
        )
    if state.mode == Mode.PROPOSE and validation.verdict == "accepted":
        proven = _PROVEN[validation.proven].split(":")[0]
        return Outcome(
            Ending.PROPOSED,
            reason=f"{proposal.title}. Root cause: {proposal.reason}",
            next_action=f"Read it: selfheal show {state.incident_id}. "
            + _raise_mode(state, Mode.PULL_REQUEST),
            base_sha=state.source.base_sha,
            patch_sha256=validation.patch_sha256,
            higher_mode=f"{Mode.PULL_REQUEST} would have asked people about this patch ({proven})",
        )
    return None


def _raise_mode(state: HealState, mode: Mode) -> str:
    return (
        f"To go further: selfheal configure {state.app} --set mode={mode}, then:"
        f" selfheal retry {state.incident_id}"
    )


def _rejection(decision: DecisionState) -> str:
    label = REJECT_REASONS.get(decision.reason, decision.reason) or "no reason given"
    return f"Rejected by {decision.by}: {label}" + (f" ({decision.comment})" if decision.comment else "")


def _abstention(state: HealState) -> Outcome:
    proposal = state.proposal
    if proposal.outcome == "abstained":
        return Outcome(
            Ending.ABSTAINED,
            reason=proposal.reason or "The model abstained without a reason.",
            next_action=proposal.next_action or "Look at the incident and fix it by hand.",
            held_until=proposal.held_until,
        )
    tries = "the one attempt" if state.attempt == 1 else f"any of {counted(state.attempt, 'attempt')}"
    # The last step that spoke: an invalid answer never reached validation, whose finding would be older.
    last = proposal.reason if proposal.outcome == "invalid" else state.validation.reason
    finding = last or "no finding was recorded"
    return Outcome(
        Ending.ABSTAINED,
        reason=f"No patch could be proven in {tries}. The last finding: {finding}",
        next_action=f"Read the evidence: selfheal show {state.incident_id}. Fix it by hand, or change what"
        f" it needs and start over: selfheal retry {state.incident_id}",
    )


_HEADINGS = {
    Ending.HEALED: "Pull request open",
    Ending.ALREADY_FIXED: "Mended already",
    Ending.REJECTED: "Patch rejected",
    Ending.ABSTAINED: "No fix proposed",
    Ending.PROPOSED: "Patch proven",
    Ending.DIAGNOSED: "Diagnosed",
}


def _heading(outcome: Outcome) -> str:
    return "The pull request stays as it is" if outcome.open_still else _HEADINGS[outcome.ending]


def tell(incident: Incident, outcome: Outcome) -> tuple[str, str]:
    """Subject and text of the notification."""
    subject = _heading(outcome)
    lines = [
        f"{incident.app}: {inert_line(incident.title)}",
        "",
        *([outcome.pull_request_url, ""] if outcome.pull_request_url else []),
        *([inert(outcome.reason)] if outcome.reason else []),
        f"Next: {inert(outcome.next_action)}",
        "",
        f"Incident {incident.incident_id}",
    ]
    return f"[{incident.app}] {subject}: {incident.title}", "\n".join(lines) + "\n"


def announce(incident: Incident, outcome: Outcome, state: HealState, console: Console) -> Post:
    """The same for the app's channels, with what is known of the proposal that it ended with."""
    confidence = state.proposal.confidence
    facts = [("Why", outcome.reason)]
    if outcome.ending not in (Ending.ABSTAINED, Ending.ALREADY_FIXED):
        facts += [
            ("Fix", state.proposal.title),
            (CONFIDENCE, "" if confidence is None else f"{confidence:.0%}"),
            ("Evidence", _PROVEN[state.validation.proven]),
        ]
    if outcome.ending is Ending.HEALED:
        facts.append(("Approved by", state.decision.by))
    facts.append(("Next", outcome.next_action))
    # What the forge answered is data: anything but a web address is no link.
    is_open = outcome.pull_request_url.startswith(("https://", "http://"))
    return Post(
        headline=f"{incident.app}: {_heading(outcome).lower()}: {incident.title}",
        facts=tuple((name, value) for name, value in facts if value),
        link=outcome.pull_request_url if is_open else console.execution(incident.execution_arn),
        link_text="Review the pull request" if is_open else "Look at the execution",
    )
