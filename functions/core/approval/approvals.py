"""The approvals table: one row per question put to a human, and the record of the answer.

    PENDING ──▶ DECIDED ──▶ DELIVERED
       │           └──────▶ EXPIRED      the workflow no longer waited when the decision arrived
       │           ▲ once more, with an approval that holds for a later proof of the same bytes
       ├──▶ EXPIRED                      nobody answered in time
       └──▶ SUPERSEDED                   a newer proposal, or a redrive, asked again

Every move is one conditional write, so that of any number of simultaneous decisions exactly one wins. Where
two people must approve, the first one's approval is noted in the row, which stays PENDING for the second.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Self

from botocore.exceptions import ClientError

from functions.core.approval.approvers import person
from functions.core.incidents.table import utc_now
from functions.core.workflow.lifetimes import KEEP_SECONDS

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table

_ASKED = ("expires_at", "first_person", "decision")
"""What conditions of moves ask of a row, beside its status."""
# Longer than any incident's chain: it grows by one per proposal that reaches a human, and per redrive.
_LONGEST_CHAIN = 50


class ApprovalStatus(StrEnum):
    """Where an approval stands; see the module's picture."""

    PENDING = "PENDING"
    DECIDED = "DECIDED"
    DELIVERED = "DELIVERED"
    EXPIRED = "EXPIRED"
    SUPERSEDED = "SUPERSEDED"


class Verdict(StrEnum):
    """The three answers, as the workflow's choice after AwaitApproval reads them."""

    APPROVE = "approve"
    REVISE = "revise"
    REJECT = "reject"


@dataclass(frozen=True, slots=True)
class Approval:
    """One row. Times are ISO 8601 in UTC, except `expires_at` and `ttl`, which are epoch seconds."""

    approval_id: str
    incident_id: str
    app: str
    heal_id: str
    execution_arn: str
    attempt: int
    redrive_count: int
    patch_sha256: str
    base_sha: str
    patch_key: str
    evidence_key: str
    proposal_key: str
    """These keys are references: which bytes were asked about (see `core.workflow.artifacts`)."""
    expires_at: int
    source_key: str = ""
    head_key: str = ""
    dependencies_key: str = ""
    """What it was proven on (as deployed; on the branch's head, "" where that is the same), and with."""
    review_key: str = ""
    """The second opinion, where somebody was asked for one."""
    patch_attempt: int = 0
    """Whose patch this is about, where it is kept: changes to it were asked for, or others joined, and"""
    standing: str = ""
    """this is why nothing better could be proven."""
    carried_to: str = ""
    """Reference to the evidence of a later proof of the same bytes, for which the approval holds too."""
    repository: str = ""
    time_zone: str = ""
    """Of the app's people."""
    page: str = ""
    """Base address of the page, ending in `/`."""
    previous_id: str = ""
    """The approval of this incident that came before, for the audit log."""
    approvers: tuple[str, ...] = ()
    """Who may decide, as the app named them when this was asked; empty: whoever has the link."""
    approvals_needed: int = 1
    change_authors: tuple[str, ...] = ()
    """Persons who asked for changes in this heal: the proposal is partly theirs."""
    first_by: str = ""
    """Who approved first, where one person's approval is not enough; so the other `first_` fields."""
    first_person: str = ""
    first_at: str = ""
    first_comment: str = ""
    first_via: str = ""
    first_source_ip: str = ""
    tell_at: int = 0
    """Asked within quiet hours: when its people are told, in epoch seconds; 0: they were at once."""
    told_at: str = ""
    """When its people were last told of it."""
    reminded_at: str = ""
    tries: int = 0
    """Decisions that were tried, accepted or not."""
    status: ApprovalStatus = ApprovalStatus.PENDING
    decision: str = ""
    by: str = ""
    comment: str = ""
    reason: str = ""
    source_ip: str = ""
    via: str = ""
    """`link` (the page), `sign_in` (the page, signed in), `iam` (the command line), `slack` (a button)."""
    decided_at: str = ""
    created_at: str = ""
    ttl: int = 0
    token: bytes = b""
    """The task token, encrypted; gone once the decision is delivered."""

    @classmethod
    def from_item(cls, item: dict[str, Any]) -> Self:
        """Build from a DynamoDB item as boto3's resource API returns it; unknown attributes are ignored."""
        known = {f.name for f in fields(cls)}
        values = {name: value for name, value in item.items() if name in known}
        values["status"] = ApprovalStatus(item["status"])
        for name in ("attempt", "redrive_count", "patch_attempt", "expires_at", "tell_at", "tries", "ttl"):
            values[name] = int(values.get(name, 0))
        values["approvals_needed"] = int(values.get("approvals_needed", 1))
        for name in ("approvers", "change_authors"):
            values[name] = tuple(values.get(name, ()))
        # boto3's Binary converts; a missing token is one that was delivered.
        values["token"] = bytes(values.get("token", b""))
        return cls(**values)

    def audit(self) -> dict[str, Any]:
        """Who decided what about which bytes, when and from where: everything but the token."""
        return {name: value for name, value in asdict(self).items() if name != "token"}

    @property
    def of_attempt(self) -> int:
        """The attempt whose patch this is about."""
        return self.patch_attempt or self.attempt

    def to_be_told(self, now: float) -> bool:
        """Whether people have no letter about it whose link works, and none comes after quiet hours.

        now: epoch seconds. A link works for as long as a question that is asked when it is sent.
        """
        if not self.told_at:
            return not self.tell_at
        return now - datetime.fromisoformat(self.told_at).timestamp() >= self.expires_at - now

    @property
    def deciders(self) -> str:
        """Everybody whose decision this is: two names where two had to approve."""
        both = self.decision == Verdict.APPROVE and self.first_by
        return f"{self.first_by} and {self.by}" if both else self.by

    def suffices(self, who: str) -> bool:
        """Whether `who`'s approval is enough without another's (a person, as `approvers.person` says it).

        Whoever asked for a change has had a hand in the patch, so somebody else must look at it too, unless
        nobody else is named who could.
        """
        others = {person(approver) for approver in self.approvers} - {who}
        return self.approvals_needed < 2 and not (who in self.change_authors and others)

    @property
    def decided(self) -> bool:
        """Whether a human has answered (delivered or not, in time or not)."""
        return bool(self.decision)


class Approvals:
    """The table behind all approvals."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def get(self, approval_id: str) -> Approval | None:
        """Read one approval, consistently; None when there is none."""
        item = self._table.get_item(Key={"approval_id": approval_id}, ConsistentRead=True).get("Item")
        return Approval.from_item(item) if item else None

    def open(self, approval: Approval) -> Approval:
        """Put the question; the row in force afterwards.

        Asking the same again (a retried step, which has a new task token) renews the token of an unanswered
        or undelivered row and keeps an answer that was given.
        """
        row = asdict(approval) | {"status": str(approval.status), "created_at": utc_now()}
        row["ttl"] = approval.expires_at + KEEP_SECONDS
        try:
            self._table.put_item(Item=row, ConditionExpression="attribute_not_exists(approval_id)")
        except ClientError as error:
            _reraise_unless_condition(error)
            return self._renew(approval)
        return Approval.from_item(row)

    def _renew(self, approval: Approval) -> Approval:
        renewal = {"token": approval.token, "expires_at": approval.expires_at}
        row = self._update(
            approval.approval_id, renewal, only=(ApprovalStatus.PENDING, ApprovalStatus.DECIDED)
        ) or self.get(approval.approval_id)
        if row is None or row.status is not ApprovalStatus.EXPIRED:
            return row or approval
        # The answer came between two runs of the step, when nobody waited: it counts for the run that does.
        status = ApprovalStatus.DECIDED if row.decided else ApprovalStatus.PENDING
        reopened = self._update(
            approval.approval_id, {**renewal, "status": str(status)}, only=(ApprovalStatus.EXPIRED,)
        )
        return reopened or row

    def supersede(self, approval_id: str) -> Approval | None:
        """Close an unanswered approval because another one asks now; None if it was not PENDING."""
        return self._update(
            approval_id,
            {"status": str(ApprovalStatus.SUPERSEDED)},
            only=(ApprovalStatus.PENDING,),
            remove=("token",),
        )

    def try_once(self, approval_id: str, limit: int) -> bool:
        """Count one attempt to decide; False when there were `limit` already, or there is no such row."""
        try:
            self._table.update_item(
                Key={"approval_id": approval_id},
                UpdateExpression="ADD #tries :one",
                ConditionExpression="attribute_exists(approval_id)"
                " AND (attribute_not_exists(#tries) OR #tries < :limit)",
                ExpressionAttributeNames={"#tries": "tries"},
                ExpressionAttributeValues={":one": 1, ":limit": limit},
            )
        except ClientError as error:
            _reraise_unless_condition(error)
            return False
        return True

    def remind(self, approval_id: str) -> bool:
        """Note that people are reminded now; False if they were, or nobody need decide any more."""
        return self._once(approval_id, "reminded_at")

    def tell(self, approval_id: str, before: str = "") -> bool:
        """Note that people are told now; else as `remind`. before: when they last were, "" for never."""
        return self._once(approval_id, "told_at", before)

    def _once(self, approval_id: str, noted: str, before: str = "") -> bool:
        return bool(
            self._update(
                approval_id,
                {noted: utc_now()},
                only=(ApprovalStatus.PENDING,),
                condition=f"(attribute_not_exists(#{noted}) OR #{noted} = :before)",
                values={":before": before},
            )
        )

    def endorse(
        self, approval_id: str, *, by: str, comment: str, source_ip: str, via: str
    ) -> Approval | None:
        """Note the first of two approvals; None if there is one, or it is too late, or no such approval."""
        return self._update(
            approval_id,
            {
                "first_by": by,
                "first_person": person(by),
                "first_comment": comment,
                "first_source_ip": source_ip,
                "first_via": via,
                "first_at": utc_now(),
            },
            only=(ApprovalStatus.PENDING,),
            condition="#expires_at > :now AND #first_person = :nobody",
            values={":now": int(time.time()), ":nobody": ""},
        )

    def decide(
        self,
        approval_id: str,
        *,
        decision: Verdict,
        by: str,
        comment: str,
        reason: str,
        source_ip: str,
        via: str,
        second: bool = False,
    ) -> Approval | None:
        """Record the answer; None if there is one already, or it is too late, or no such approval.

        second: only if somebody else has approved before.
        """
        condition = "#expires_at > :now"
        values: dict[str, Any] = {":now": int(time.time())}
        if second:
            condition += " AND NOT #first_person IN (:nobody, :person)"
            values |= {":nobody": "", ":person": person(by)}
        return self._update(
            approval_id,
            {
                "status": str(ApprovalStatus.DECIDED),
                "decision": str(decision),
                "by": by,
                "comment": comment,
                "reason": reason,
                "source_ip": source_ip,
                "via": via,
                "decided_at": utc_now(),
            },
            only=(ApprovalStatus.PENDING,),
            condition=condition,
            values=values,
        )

    def carry(self, approval_id: str, evidence_key: str, token: bytes) -> Approval | None:
        """Have what was approved hold for a later proof too, and answer the task that waits now with it; the
        row, whose decision is then to be delivered once more. None where nobody approved."""
        return self._update(
            approval_id,
            {"carried_to": evidence_key, "token": token, "status": str(ApprovalStatus.DECIDED)},
            only=(ApprovalStatus.DECIDED, ApprovalStatus.DELIVERED, ApprovalStatus.EXPIRED),
            condition="#decision = :approve",
            values={":approve": str(Verdict.APPROVE)},
        )

    def delivered(self, approval_id: str) -> Approval | None:
        """The workflow took the decision. Overrules EXPIRED, which a second, later delivery may have set."""
        return self._update(
            approval_id,
            {"status": str(ApprovalStatus.DELIVERED)},
            only=(ApprovalStatus.DECIDED, ApprovalStatus.EXPIRED),
            remove=("token",),
        )

    def expire(self, approval_id: str) -> Approval | None:
        """The workflow no longer waits; None if the approval was neither PENDING nor DECIDED."""
        return self._update(
            approval_id,
            {"status": str(ApprovalStatus.EXPIRED)},
            only=(ApprovalStatus.PENDING, ApprovalStatus.DECIDED),
            remove=("token",),
        )

    def history(self, approval_id: str) -> Sequence[Approval]:
        """The audit log of an incident, newest first, starting at its current approval."""
        found: list[Approval] = []
        while approval_id and len(found) < _LONGEST_CHAIN:
            approval = self.get(approval_id)
            if approval is None:
                break
            found.append(approval)
            approval_id = approval.previous_id
        return found

    def _update(
        self,
        approval_id: str,
        attributes: dict[str, Any],
        *,
        only: tuple[ApprovalStatus, ...],
        condition: str = "",
        values: dict[str, Any] | None = None,
        remove: tuple[str, ...] = (),
    ) -> Approval | None:
        allowed = {f":only{i}": str(status) for i, status in enumerate(only)}
        names = {f"#{name}": name for name in (*attributes, *remove, "status")}
        conditions = [f"#status IN ({', '.join(allowed)})"]
        if condition:
            conditions.append(condition)
            names |= {f"#{name}": name for name in _ASKED if f"#{name}" in condition}
        expression = "SET " + ", ".join(f"#{name} = :{name}" for name in attributes)
        if remove:
            expression += " REMOVE " + ", ".join(f"#{name}" for name in remove)
        try:
            answer = self._table.update_item(
                Key={"approval_id": approval_id},
                UpdateExpression=expression,
                ConditionExpression=" AND ".join(conditions),
                ExpressionAttributeNames=names,
                ExpressionAttributeValues={f":{n}": v for n, v in attributes.items()}
                | allowed
                | (values or {}),
                ReturnValues="ALL_NEW",
            )
        except ClientError as error:
            _reraise_unless_condition(error)
            return None
        return Approval.from_item(answer["Attributes"])


def _reraise_unless_condition(error: ClientError) -> None:
    if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
        raise error
