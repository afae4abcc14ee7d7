"""From a signed order to a decision on record."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from functions.core.approval.approvals import Approvals
from functions.core.approval.callers import CallerNotProven, Signed, whose
from functions.core.approval.decisions import DecisionInvalid, Decisions, Standing
from functions.core.approval.orders import Order
from functions.core.aws.deployment import Deployment

if TYPE_CHECKING:
    from botocore.client import BaseClient
    from mypy_boto3_iam import IAMClient


def run(event: dict[str, Any], deployment: Deployment) -> dict[str, Any]:
    """A signed order → what became of it; see `Counter.take`."""
    sts, iam = deployment.session.client("sts"), deployment.session.client("iam")
    return Counter(deployment.approvals, deployment.decisions, sts, iam).take(event)


REFUSED = "refused"
"""The outcome where nothing was decided, for the reason that `problem` gives."""


@dataclass(frozen=True, slots=True)
class Counter:
    """Where orders are taken."""

    approvals: Approvals
    decisions: Decisions
    sts: BaseClient
    iam: IAMClient

    def take(self, event: dict[str, Any]) -> dict[str, Any]:
        """An Order's fields and `signed`, a Signed → `outcome`, a Standing or REFUSED, and `problem` or `by`.

        The same order twice decides once: a signature is good for one order, and what was decided stays.
        """
        try:
            order = Order.from_json(event)
        except ValueError:
            return {"outcome": REFUSED, "problem": "This is no order of the `selfheal` command's."}
        asked = self.approvals.get(order.approval_id)
        if asked is None:
            return {"outcome": str(Standing.NOT_FOUND), "by": ""}
        try:
            if order.patch_sha256 != asked.patch_sha256:
                raise DecisionInvalid("Another patch is asked about than the one that you were shown.")
            account = asked.execution_arn.split(":")[4]
            signed = Signed.from_json(event.get("signed"))
            caller = whose(signed, order.purpose, account, self.sts, self.iam, datetime.now(UTC))
            answer = self.decisions.decide(order.approval_id, order.by(caller))
        except (CallerNotProven, DecisionInvalid) as error:
            return {"outcome": REFUSED, "problem": str(error)}
        return {"outcome": str(answer.standing), "by": caller}
