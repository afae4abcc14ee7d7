"""How a decision gets from this machine to the function that takes it.

It is signed, so that AWS says who decides: whatever else is sent, and whatever its sender may do, the
function does not take them for somebody else.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from botocore.config import Config

from functions.core.approval.callers import sign
from functions.core.approval.decisions import Answer, DecisionInvalid, Standing
from functions.core.approval.orders import Order
from infra.errors import Exit, UserError

if TYPE_CHECKING:
    from infra.target import Target


def decide(target: Target, order: Order) -> Answer:
    """Sign an order with the caller's credentials, and have it taken. Raises UserError if it is refused."""
    try:
        order.by("").checked()
    except DecisionInvalid as error:
        raise UserError(str(error), exit_code=Exit.USAGE) from error
    function = target.output("TakeDecisionArn")
    credentials = target.session.get_credentials()
    if credentials is None:
        raise UserError("there are no AWS credentials to sign with", exit_code=Exit.BROKEN)
    # The function asks the region's own endpoint, whatever this user's settings prefer.
    plain = Config(use_fips_endpoint=False, use_dualstack_endpoint=False)
    sts = target.session.client("sts", function.split(":")[3], config=plain)
    signed = sign(order.purpose, credentials, sts)
    answer = target.session.client("lambda").invoke(
        FunctionName=function, Payload=json.dumps({**order.to_json(), "signed": signed.to_json()}).encode()
    )
    taken = json.loads(answer["Payload"].read())
    if answer.get("FunctionError"):
        raise UserError(
            f"the decision was not taken: {taken.get('errorType')}: {taken.get('errorMessage')}",
            "decide again: it counts once",
            exit_code=Exit.BROKEN,
        )
    if problem := taken.get("problem"):
        raise UserError(f"nothing was decided: {problem}")
    return Answer(Standing(taken["outcome"]), target.approvals.get(order.approval_id))
