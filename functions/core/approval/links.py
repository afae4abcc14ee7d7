"""Signed links to an approval: who may decide, about what, until when.

A link names one approval and one recipient, so that a decision made through it records who made it. The
signature is HMAC-SHA256 (RFC 2104) over purpose, approval, recipient and expiry: a token made for one purpose
is worthless for another, and nothing in it can be changed. It carries no task token and no secret.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
from dataclasses import dataclass
from enum import StrEnum

from aws_lambda_powertools.utilities import parameters
from aws_lambda_powertools.utilities.parameters.exceptions import GetParameterError

from functions.core.workflow.errors import PermanentError

# NIST SP 800-107r1, 5.3.4: an HMAC key should be at least as long as the strength asked of it; 32 printable
# characters of `secrets.token_urlsafe` hold 192 bits.
_SHORTEST_KEY = 32
_TOKEN = re.compile(r"([0-9]{1,12})\.([A-Za-z0-9_-]{0,700})\.([A-Za-z0-9_-]{43})")
# A rotated key is seen within five minutes without a call per page view.
_MAX_AGE_SECONDS = 300


class Purpose(StrEnum):
    """What a token is good for."""

    DECIDE = "decide"
    """Opens the approval page and may decide, once."""
    FORM = "form"
    """Proves that a decision was posted from the page that its link showed (anti-forgery)."""
    FOLLOW = "follow"
    """Shows what became of a decision to the person who made it."""
    LIST = "list"
    """Shows what waits for a person; the link then names an app instead of an approval."""
    SLACK = "slack"
    """Says what Slack's buttons ask about; the recipient is then the app, and who decides is Slack's word."""


class LinkInvalid(Exception):
    """The token is malformed, or signed by none of the keys, or made for something else."""


class LinkExpired(LinkInvalid):
    """The token is genuine, but its time is over."""


@dataclass(frozen=True, slots=True)
class Link:
    """What a token says. `expires_at` is in epoch seconds."""

    approval_id: str
    recipient: str
    expires_at: int


def sign(link: Link, key: bytes, purpose: Purpose = Purpose.DECIDE, subject: str = "") -> str:
    """A URL-safe token for `link`. `subject` (such as a patch hash) must be given again to verify it."""
    recipient = _encode(link.recipient.encode())
    return f"{link.expires_at}.{recipient}.{_encode(_mac(link, key, purpose, subject))}"


def verify(
    token: str,
    approval_id: str,
    keys: tuple[bytes, ...],
    now: float,
    purpose: Purpose = Purpose.DECIDE,
    subject: str = "",
) -> Link:
    """The link that `token` stands for, if one of `keys` signed it for exactly this use.

    Raises LinkInvalid; its subclass LinkExpired only for a genuine token, so that a forger learns nothing.
    """
    match = _TOKEN.fullmatch(token)
    if not match:
        raise LinkInvalid("malformed")
    expires, recipient, mac = match.groups()
    try:
        link = Link(approval_id, _decode(recipient).decode(), int(expires))
        given = _decode(mac)
    except (binascii.Error, UnicodeDecodeError) as error:
        raise LinkInvalid("malformed") from error
    genuine = False
    for key in keys:
        genuine |= hmac.compare_digest(_mac(link, key, purpose, subject), given)
    if not genuine:
        raise LinkInvalid("not signed by us for this use")
    if now >= link.expires_at:
        raise LinkExpired("expired")
    return link


def url(base: str, link: Link, key: bytes) -> str:
    """The address to send to the recipient: `<base>a/<approval id>?t=<token>`; `base` ends in `/`."""
    return f"{base}a/{link.approval_id}?t={sign(link, key)}"


def derive_approval_id(
    key: bytes, execution_arn: str, attempt: int, redrive_count: int, base_sha: str, asked_again: int = 0
) -> str:
    """The approval of one attempt, on one base, in one run of an execution, and of each time that it is
    asked for: 192 bits that only the key's holder can tell.

    Derived rather than drawn, so that a second run of the same step finds the first one's approval.
    """
    question = ["approval", execution_arn, attempt, redrive_count, base_sha]
    message = json.dumps([*question, asked_again] if asked_again else question).encode()
    return _encode(hmac.digest(key, message, hashlib.sha256)[:24])


def parse_keys(text: str) -> tuple[bytes, ...]:
    """The keys in the parameter's value: separated by white space, newest (which signs) first.

    To rotate, put a new key before the old one, and drop the old one when its last link has expired.

    Raises PermanentError when there is none or one is shorter than 32 characters.
    """
    keys = tuple(key.encode() for key in text.split())
    if not keys or any(len(key) < _SHORTEST_KEY for key in keys):
        raise PermanentError(
            f"the link key parameter must hold keys of at least {_SHORTEST_KEY} characters, newest first"
        )
    return keys


class LinkKeys:
    """The signing keys, from a SecureString. `provider` is Powertools' SSM provider, injected by tests."""

    def __init__(self, parameter: str, provider: parameters.SSMProvider | None = None) -> None:
        self._parameter = parameter
        self._provider = provider or parameters.SSMProvider()

    def all(self) -> tuple[bytes, ...]:
        """Newest first. Raises PermanentError when the parameter is missing or holds no usable key."""
        try:
            text = self._provider.get(self._parameter, decrypt=True, max_age=_MAX_AGE_SECONDS)
        except GetParameterError as error:
            raise PermanentError(f"cannot read the link key from parameter {self._parameter!r}") from error
        return parse_keys(str(text))


def _mac(link: Link, key: bytes, purpose: Purpose, subject: str) -> bytes:
    # JSON keeps the fields apart: no choice of recipient can imitate another field.
    fields = [str(purpose), link.approval_id, link.recipient, link.expires_at, subject]
    return hmac.digest(key, json.dumps(fields).encode(), hashlib.sha256)


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
