"""Deciding an approval: the one way, for the page, buttons in Slack and the command line.

First the decision is recorded (one conditional write: exactly one wins), then the workflow is told, then the
row says so. A crash between the steps is healed by whoever comes next: a recorded decision that was not
delivered is delivered again, never changed.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from functions.core.approval.approvals import Approval, Approvals, ApprovalStatus, Verdict
from functions.core.approval.approvers import may_decide, person
from functions.core.approval.task_tokens import TaskTokens
from functions.core.incidents.incident import Status
from functions.core.incidents.table import Incidents
from functions.core.untrusted import hidden
from functions.core.workflow.errors import IncidentNotFound

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

REJECT_REASONS = {
    "wrong_cause": "The root cause is not this",
    "wrong_fix": "The cause is right, the fix is not",
    "hides_error": "It hides the error instead of mending it",
    "too_risky": "Too risky to automate",
    "by_hand": "We will fix it by hand",
    "not_a_bug": "This is expected behaviour",
    "other": "Something else",
}
"""Why a patch is rejected: what is stored, and what people read."""

COMMENT_LIMIT = 4_000
"""Characters; the comment travels in the state input and in the model's prompt."""

# Step Functions' answers when nobody waits for the token (any more).
# Source: https://docs.aws.amazon.com/step-functions/latest/apireference/API_SendTaskSuccess.html, "Errors".
_NOBODY_WAITS = ("TaskTimedOut", "TaskDoesNotExist", "InvalidToken")
# Newest first; a heal has some fifty events, so this is every heal with room for redrives.
_HISTORY_EVENTS = 1_000
# How long a concurrent delivery is waited for: two requests take a fraction of a second. Count, seconds.
_LOOKS, _BETWEEN_LOOKS = 4, 0.25


class DecisionInvalid(ValueError):
    """The decision lacks something; the message tells the person what."""


class Standing(StrEnum):
    """What became of an attempt to decide."""

    ACCEPTED = "accepted"
    """This decision counts and the workflow has it."""
    ENDORSED = "endorsed"
    """This approval counts; another person must approve as well."""
    NOT_ALLOWED = "not_allowed"
    """The app names its approvers, and this person is none of them."""
    ALREADY_DECIDED = "already_decided"
    """Somebody was faster; the approval says who and what."""
    EXPIRED = "expired"
    SUPERSEDED = "superseded"
    NOT_FOUND = "not_found"


@dataclass(frozen=True, slots=True)
class Decision:
    """An answer as a person gives it. `via` is as in Approval; `reason` is a key of REJECT_REASONS."""

    verdict: Verdict
    by: str
    comment: str = ""
    reason: str = ""
    source_ip: str = ""
    via: str = "link"

    def checked(self) -> Decision:
        """The same decision with clean text. Raises DecisionInvalid when it is not complete."""
        comment = hidden.without(self.comment.replace("\r\n", "\n").replace("\r", "\n")).strip()
        if len(comment) > COMMENT_LIMIT:
            raise DecisionInvalid(f"The comment is longer than {COMMENT_LIMIT:,} characters.")
        if self.verdict is Verdict.REVISE and not comment:
            raise DecisionInvalid("Say what should change: the comment is what the next proposal works from.")
        if self.verdict is Verdict.REJECT and self.reason not in REJECT_REASONS:
            raise DecisionInvalid("Choose why you reject the patch.")
        if self.verdict is Verdict.REJECT and self.reason == "other" and not comment:
            raise DecisionInvalid("Say in a few words why you reject the patch.")
        reason = self.reason if self.verdict is Verdict.REJECT else ""
        return Decision(self.verdict, self.by, comment, reason, self.source_ip, self.via)


@dataclass(frozen=True, slots=True)
class Answer:
    """What to tell the person. `approval` is the row afterwards, None when there is none."""

    standing: Standing
    approval: Approval | None


class Decisions:
    """Decides approvals.

    Needs dynamodb:GetItem and UpdateItem on both tables, kms:Decrypt of task tokens,
    states:SendTaskSuccess, and states:GetExecutionHistory for the rare repeated delivery.
    """

    def __init__(
        self, approvals: Approvals, incidents: Incidents, tokens: TaskTokens, states: SFNClient
    ) -> None:
        self._approvals = approvals
        self._incidents = incidents
        self._tokens = tokens
        self._states = states

    def decide(self, approval_id: str, decision: Decision) -> Answer:
        """Record and deliver. Repeating the same decision by the same person is ACCEPTED again.

        Raises DecisionInvalid before anything is written.
        """
        decision = decision.checked()
        asked = self._approvals.get(approval_id)
        if asked is None:
            return Answer(Standing.NOT_FOUND, None)
        if not may_decide(decision.by, asked.approvers):
            return Answer(Standing.NOT_ALLOWED, asked)
        answer = self.standing(self._record(asked, decision) or self._current(asked))
        if answer.standing is Standing.ACCEPTED:
            # Still open: of the two approvals that it takes, this person has given one.
            return Answer(Standing.ENDORSED, answer.approval)
        mine = answer.approval is not None and (
            (answer.approval.decision, answer.approval.by) == (str(decision.verdict), decision.by)
        )
        if answer.standing is Standing.ALREADY_DECIDED and mine:
            return Answer(Standing.ACCEPTED, answer.approval)
        return answer

    def _record(self, asked: Approval, decision: Decision) -> Approval | None:
        """Write the decision down; the row afterwards, None if it could not count (any more)."""
        alone = decision.verdict is not Verdict.APPROVE or asked.suffices(person(decision.by))
        if not alone:
            first = self._approvals.endorse(
                asked.approval_id,
                by=decision.by,
                comment=decision.comment,
                source_ip=decision.source_ip,
                via=decision.via,
            )
            if first:
                return first
        return self._approvals.decide(
            asked.approval_id,
            decision=decision.verdict,
            by=decision.by,
            comment=decision.comment,
            reason=decision.reason,
            source_ip=decision.source_ip,
            via=decision.via,
            second=not alone,
        )

    def standing(self, approval: Approval) -> Answer:
        """Where an approval stands, with an undelivered decision delivered first.

        ACCEPTED here means that it is still open for a decision.
        """
        if approval.status is ApprovalStatus.DECIDED:
            approval = self.deliver(approval)
        if approval.status is ApprovalStatus.PENDING and time.time() >= approval.expires_at:
            approval = self._approvals.expire(approval.approval_id) or approval
            return Answer(Standing.EXPIRED, approval)
        standings = {
            ApprovalStatus.PENDING: Standing.ACCEPTED,
            ApprovalStatus.EXPIRED: Standing.EXPIRED,
            ApprovalStatus.SUPERSEDED: Standing.SUPERSEDED,
        }
        return Answer(standings.get(approval.status, Standing.ALREADY_DECIDED), approval)

    def deliver(self, approval: Approval) -> Approval:
        """Tell the workflow what was decided; the row afterwards, DELIVERED or EXPIRED.

        Raises botocore's ClientError when AWS fails otherwise: the decision stays recorded and is delivered
        by the next call.
        """
        token = self._tokens.open(approval.token, approval.approval_id)
        self._mark_under_way(approval)
        output = {
            "decision": approval.decision,
            "by": approval.deciders,
            "comment": "\n\n".join(filter(None, (approval.first_comment, approval.comment)))
            if approval.decision == Verdict.APPROVE
            else approval.comment,
            "reason": approval.reason,
            "patch_sha256": approval.patch_sha256,
            "base_sha": approval.base_sha,
            "approval_id": approval.approval_id,
            "decided_at": approval.decided_at,
        }
        try:
            self._states.send_task_success(taskToken=token, output=json.dumps(output))
        except ClientError as error:
            if error.response["Error"]["Code"] not in _NOBODY_WAITS:
                raise
            if not self._was_delivered(approval) and not self._is_delivered_meanwhile(approval):
                return self._approvals.expire(approval.approval_id) or self._current(approval)
        return self._approvals.delivered(approval.approval_id) or self._current(approval)

    def _mark_under_way(self, approval: Approval) -> None:
        """The incident no longer awaits approval; said before the workflow goes on, so never too late."""
        try:
            incident = self._incidents.get(approval.incident_id)
        except IncidentNotFound:
            return
        if incident.approval_id == approval.approval_id:
            self._incidents.transition(
                approval.incident_id, Status.AWAITING_APPROVAL, status=str(Status.HEALING)
            )

    def _was_delivered(self, approval: Approval) -> bool:
        """Whether an earlier delivery, whose caller died before noting it, is in the execution's history."""
        pages = self._states.get_paginator("get_execution_history").paginate(
            executionArn=approval.execution_arn,
            reverseOrder=True,
            PaginationConfig={"MaxItems": _HISTORY_EVENTS},
        )
        needle = json.dumps(approval.approval_id)
        return any(
            needle in event.get("taskSucceededEventDetails", {}).get("output", "")
            for page in pages
            for event in page["events"]
        )

    def _is_delivered_meanwhile(self, approval: Approval) -> bool:
        """Whether somebody else, who delivers the same decision right now, gets to note it.

        The history may lag behind a delivery, and a person who clicks at the same time must not be told that
        the approval has expired.
        """
        for _ in range(_LOOKS):
            time.sleep(_BETWEEN_LOOKS)
            if self._current(approval).status is ApprovalStatus.DELIVERED:
                return True
        return False

    def _current(self, approval: Approval) -> Approval:
        return self._approvals.get(approval.approval_id) or approval
