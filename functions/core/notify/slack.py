"""The buttons under a question in Slack, and the ticket by which a click is known to be about that question.

Buttons work for webhooks of a Slack app whose interactivity is on; decide_approval takes the clicks. A ticket
is no secret of a person's: it says which bytes the message asked about. Who clicked is what Slack signs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from functions.core.approval import links
from functions.core.approval.approvals import Approval
from functions.core.approval.decisions import REJECT_REASONS
from functions.core.approval.links import Link, LinkInvalid, Purpose
from functions.core.notify.counts import counted

_TICKET = re.compile(r"([A-Za-z0-9_-]{1,64})\.([0-9a-f]{64})\.([^.]+\.[^.]+\.[^.]+)")
# Hexadecimal digits of the patch's hash that a person compares; the page shows all of them.
_SHOWN = 16


class Button(StrEnum):
    """What can be done under a question; the value is the element's `action_id`."""

    APPROVE = "approve"
    REJECT = "reject"
    MY_PAGE = "my_page"
    """Sends whoever clicked a link to the page that is theirs alone."""
    OPEN = "open"
    """A link, which Slack reports as a click as well."""


@dataclass(frozen=True, slots=True)
class Buttons:
    """What a message's buttons decide about. `page`: the link for everybody, "" where approvers are named."""

    ticket: str
    patch_sha256: str
    files: int
    page: str


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a genuine ticket says: the app, the approval, and the hash of the patch that was asked about."""

    app: str
    approval_id: str
    patch_sha256: str


def ticket(approval: Approval, key: bytes) -> str:
    """The ticket for an approval, at most 255 characters: it travels as the `block_id` of the buttons.

    https://docs.slack.dev/reference/block-kit/blocks/actions-block
    """
    link = Link(approval.approval_id, approval.app, approval.expires_at)
    token = links.sign(link, key, Purpose.SLACK, approval.patch_sha256)
    return f"{approval.approval_id}.{approval.patch_sha256}.{token}"


def read_ticket(text: str, keys: tuple[bytes, ...]) -> Ticket:
    """What a ticket of ours says, expired or not: the approval itself says best what became of it.

    Raises LinkInvalid.
    """
    match = _TICKET.fullmatch(text)
    if not match:
        raise LinkInvalid("malformed")
    approval_id, patch_sha256, token = match.groups()
    link = links.verify(token, approval_id, keys, 0, Purpose.SLACK, patch_sha256)
    return Ticket(link.recipient, approval_id, patch_sha256)


def actions(buttons: Buttons) -> dict[str, Any]:
    """The block of buttons.

    Confirmation dialogs have at most 300 characters of text, labels 75:
    https://docs.slack.dev/reference/block-kit/composition-objects/confirmation-dialog-object
    """
    files = counted(buttons.files, "file")
    approve = {
        **_button(Button.APPROVE, "Approve"),
        "style": "primary",
        "confirm": _confirm(
            "Approve this patch?",
            f"Commits exactly the proposed change of {files} to a branch and opens a pull request. "
            f"Nothing is merged. sha256 {buttons.patch_sha256[:_SHOWN]}…",
            "Approve",
            "primary",
        ),
    }
    reject = {
        "type": "static_select",
        "action_id": Button.REJECT,
        "placeholder": _plain("Reject…"),
        # "Something else" needs words, for which there is room on the page only.
        "options": [
            {"text": _plain(words), "value": reason}
            for reason, words in REJECT_REASONS.items()
            if reason != "other"
        ],
        "confirm": _confirm(
            "Reject this patch?",
            f"Ends this heal; nothing is pushed. sha256 {buttons.patch_sha256[:_SHOWN]}…",
            "Reject",
            "danger",
        ),
    }
    if buttons.page:
        others = [
            {**_button(f"{Button.OPEN}_to_revise", "Ask for changes…"), "url": f"{buttons.page}#decide"},
            {**_button(Button.OPEN, "Open"), "url": buttons.page},
        ]
    else:
        others = [_button(Button.MY_PAGE, "Open, or ask for changes…")]
    return {"type": "actions", "block_id": buttons.ticket, "elements": [approve, reject, *others]}


def _button(action: str, label: str) -> dict[str, Any]:
    return {"type": "button", "action_id": action, "text": _plain(label)}


def _confirm(title: str, text: str, yes: str, style: str) -> dict[str, Any]:
    texts = {"title": title, "text": text, "confirm": yes, "deny": "Not yet"}
    return {name: _plain(words) for name, words in texts.items()} | {"style": style}


def _plain(text: str) -> dict[str, str]:
    return {"type": "plain_text", "text": text}
