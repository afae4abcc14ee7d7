"""What a channel reads after a click: the message again, with what was decided in place of its buttons."""

from __future__ import annotations

from typing import Any

import urllib3

from functions.core.approval.approvals import Approval, Verdict
from functions.core.approval.approvers import person
from functions.core.approval.decisions import REJECT_REASONS, Standing
from functions.core.aws.telemetry import logger
from functions.core.untrusted import hidden
from functions.decide_approval.slack_request import Click

SLACK = "https://hooks.slack.com"
# Slack waits three seconds for the answer to a click, of which deciding takes some tenths.
_TIMEOUT = urllib3.Timeout(connect=1, read=1)
_NOTE = "decision"
# Of a message of ours; whatever else it should hold is not repeated.
_REPEATED = ("header", "section")

_VERBS = {
    Verdict.APPROVE: "approved the patch",
    Verdict.REVISE: "asked for changes",
    Verdict.REJECT: "rejected the patch",
}
_NEXT = {
    Verdict.APPROVE: "It is committed, and a pull request is opened.",
    Verdict.REVISE: "The model tries again, and asks again.",
    Verdict.REJECT: "The heal is closed; nothing was pushed.",
}
_CLOSED = {
    Standing.EXPIRED: "Nobody decided in time, or the workflow no longer waits. A redrive asks again.",
    Standing.SUPERSEDED: "The question was asked again: decide under the newest message.",
    Standing.NOT_FOUND: "This question no longer exists.",
}


class Replies:
    """Answers clicks. `host`: scheme and host of all addresses that are answered; Slack's but in tests."""

    def __init__(self, host: str = SLACK) -> None:
        self._host = host

    def send(self, click: Click, body: dict[str, Any]) -> bool:
        """Post to the message's answering address; False (and a log line without it) when that failed.

        What was decided counts whether or not the channel learns it.
        """
        if not click.response_url.startswith(f"{self._host}/"):
            logger().warning("answering address is not Slack's")
            return False
        try:
            answer = urllib3.PoolManager().request(
                "POST", click.response_url, json=body, timeout=_TIMEOUT, retries=False, redirect=False
            )
        except (urllib3.exceptions.HTTPError, ValueError) as error:
            # The error's text holds the address, which is a secret.
            logger().warning("answer to a click failed", extra={"why": type(error).__name__})
            return False
        if answer.status >= 300:
            logger().warning("answer to a click refused", extra={"status": answer.status})
        return answer.status < 300


def only_for_them(text: str) -> dict[str, Any]:
    """A message that nobody but whoever clicked sees; the buttons stay."""
    return {"response_type": "ephemeral", "replace_original": False, "text": text}


def settled(click: Click, standing: Standing, approval: Approval | None) -> dict[str, Any]:
    """The message with where the question stands; its buttons stay only if another person must approve."""
    words = told(standing, approval)
    note = {"type": "section", "block_id": _NOTE, "text": _mrkdwn(words)}
    blocks, buttons = [], []
    shown = click.message.get("blocks")
    for block in shown if isinstance(shown, list) else ():
        kind = block.get("type") if isinstance(block, dict) else None
        if kind == "actions":
            buttons.append(block)
        elif kind in _REPEATED and block.get("block_id") != _NOTE:
            blocks.append(block)
    if standing is Standing.ENDORSED:
        blocks.extend(buttons)
    return {
        "replace_original": True,
        "text": f"{click.message.get('text', '')}\n{words}",
        "blocks": [*blocks, note],
    }


def told(standing: Standing, approval: Approval | None) -> str:
    """Where a question stands, as Slack's markup."""
    if approval is not None and standing is Standing.ENDORSED:
        return f"{name(approval.first_by)} approved the patch. Another person must approve it as well."
    if approval is not None and standing in (Standing.ACCEPTED, Standing.ALREADY_DECIDED):
        verdict = Verdict(approval.decision)
        who = " and ".join(name(by) for by in approval.deciders.split(" and "))
        why = REJECT_REASONS.get(approval.reason, "")
        return f"{who} {_VERBS[verdict]}{f': {why}' if why else ''}. {_NEXT[verdict]}"
    return _CLOSED.get(standing, _CLOSED[Standing.NOT_FOUND])


def name(identity: str) -> str:
    """A person as Slack shows one: its own users by their name there, others as they are recorded."""
    if identity.startswith("slack:"):
        return f"<@{person(identity).removeprefix('slack:').upper()}>"
    line = " ".join(hidden.without(identity, " ").split())
    return line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _mrkdwn(text: str) -> dict[str, Any]:
    # Verbatim: nothing but what is marked up becomes a link or a mention.
    return {"type": "mrkdwn", "text": text, "verbatim": True}
