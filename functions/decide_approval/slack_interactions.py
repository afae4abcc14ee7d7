"""Takes clicks on Slack's buttons: the same rules as the page, with Slack's word for who it is."""

from __future__ import annotations

import base64
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from functions.core.approval import links
from functions.core.approval.approvals import Approval, Approvals, Verdict
from functions.core.approval.approvers import may_decide
from functions.core.approval.decisions import Decision, DecisionInvalid, Decisions, Standing
from functions.core.approval.links import Link, LinkKeys
from functions.core.aws.telemetry import logger
from functions.core.notify.signing_secrets import SigningSecrets
from functions.core.notify.slack import Button
from functions.decide_approval.slack_reply import Replies, only_for_them, settled
from functions.decide_approval.slack_request import Click, NotSlack, read

MOST_TRIES = 100
"""Attempts to decide one question: far more than people's slips; each costs writes to the tables."""

_NOT_ALLOWED = "Nothing was decided: you are not among this app's approvers."
_TOO_MANY = "Nothing was decided: too many tries. The `selfheal` commands still decide."
_OTHER_PATCH = "Nothing was decided: this message does not show the patch that is asked about."


@dataclass(frozen=True, slots=True)
class SlackInteractions:
    """Everything that a click needs."""

    approvals: Approvals
    decisions: Decisions
    keys: LinkKeys
    secrets: SigningSecrets
    replies: Replies

    def take(self, event: Mapping[str, Any]) -> tuple[int, str]:
        """The HTTP status and text to answer a request (payload format 2.0).

        Raises what AWS raises: Slack then shows that it failed, and a decision that was recorded is delivered
        by whoever comes next.
        """
        try:
            click = read(
                _body(event), event.get("headers") or {}, self.keys.all(), self.secrets.of, time.time()
            )
        except NotSlack as error:
            logger().warning("no click of Slack's", extra={"why": str(error)})
            return error.status, "Nothing was decided."
        answer = self._answer(click)
        if answer is not None:
            self.replies.send(click, answer)
        return 200, ""

    def _answer(self, click: Click) -> dict[str, Any] | None:
        """What the channel is told; None for a click that means nothing, such as the one on a link."""
        approval = self.approvals.get(click.ticket.approval_id)
        if approval is None:
            return settled(click, Standing.NOT_FOUND, None)
        if (approval.app, approval.patch_sha256) != (click.ticket.app, click.ticket.patch_sha256):
            return only_for_them(_OTHER_PATCH)
        match click.action:
            case Button.APPROVE:
                return self._decide(click, Decision(Verdict.APPROVE, click.by, via="slack"))
            case Button.REJECT:
                decision = Decision(Verdict.REJECT, click.by, reason=click.reason, via="slack")
                return self._decide(click, decision)
            case Button.MY_PAGE:
                return self._my_page(click, approval)
        return None

    def _decide(self, click: Click, decision: Decision) -> dict[str, Any]:
        if not self.approvals.try_once(click.ticket.approval_id, MOST_TRIES):
            return only_for_them(_TOO_MANY)
        try:
            answer = self.decisions.decide(click.ticket.approval_id, decision)
        except DecisionInvalid as error:
            return only_for_them(f"Nothing was decided. {error}")
        if answer.standing is Standing.NOT_ALLOWED:
            return only_for_them(_NOT_ALLOWED)
        return settled(click, answer.standing, answer.approval)

    def _my_page(self, click: Click, approval: Approval) -> dict[str, Any]:
        """A link that is theirs alone: only they see it, and it records them as who decided."""
        if not may_decide(click.by, approval.approvers):
            return only_for_them(_NOT_ALLOWED)
        now = self.decisions.standing(approval)
        if now.standing is not Standing.ACCEPTED:
            return settled(click, now.standing, now.approval)
        link = Link(approval.approval_id, _recipient(click.by), approval.expires_at)
        address = links.url(approval.page, link, self.keys.all()[0])
        return only_for_them(f"<{address}|Read the evidence and decide>. The link is yours alone.")


def _recipient(by: str) -> str:
    """The identity without the name, which is for readers only."""
    return by.partition(" ")[0]


def _body(event: Mapping[str, Any]) -> bytes:
    """The raw body: the signature is over exactly these bytes."""
    body = event.get("body") or ""
    try:
        return base64.b64decode(body, validate=True) if event.get("isBase64Encoded") else body.encode()
    except ValueError as error:
        raise NotSlack("body is not base64", 400) from error
