"""The two cookies of signing in.

`__Host-` makes browsers insist on HTTPS, on this very host and on all its paths, so that no other host can
plant one; scripts cannot read them. `Lax`, because both are needed when the provider, or a mail, sends a
browser here.  https://datatracker.ietf.org/doc/html/draft-ietf-httpbis-rfc6265bis, 4.1.3
"""

from __future__ import annotations

import base64
import hmac
import json
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Self

SESSION = "__Host-session"
"""Holds the identity token; infra/viewer_request.js knows the name."""

_PENDING = "__Host-sign-in-"
# Time to sign in, second factor and forgotten password included.
_PENDING_SECONDS = 15 * 60
# Several mailed links may be opened at once, each with a sign-in of its own; more are abandoned ones.
_MOST_PENDING = 6
_ATTRIBUTES = "Path=/; Secure; HttpOnly; SameSite=Lax"
# What every browser takes. https://www.rfc-editor.org/rfc/rfc6265#section-6.1
_LARGEST = 4096


@dataclass(frozen=True, slots=True)
class Pending:
    """A sign-in under way, kept in the browser that began it (RFC 6749, 10.12; OIDC Core, 15.5.2)."""

    state: str
    nonce: str
    verifier: str
    """Of PKCE: only who has it can turn the code into a token."""
    to: str
    """Where to come back to: the browser's word, so not trusted."""

    @classmethod
    def new(cls, to: str) -> Self:
        """With 256 bits of chance in each value, as RFC 7636, 7.1 asks."""
        return cls(secrets.token_urlsafe(32), secrets.token_urlsafe(32), secrets.token_urlsafe(32), to)

    @classmethod
    def find(cls, cookies: Mapping[str, str], state: str) -> Self | None:
        """The sign-in that this browser began with this state, None if there is none."""
        packed = cookies.get(_name(state), "")
        try:
            pending = cls(**json.loads(base64.urlsafe_b64decode(packed.encode("ascii"))))
        except (RecursionError, TypeError, ValueError):
            return None
        drawn = (pending.state, pending.nonce, pending.verifier)
        if not all(isinstance(value, str) and value.isascii() for value in drawn):
            return None
        same = state.isascii() and hmac.compare_digest(pending.state, state)
        return pending if same and state and isinstance(pending.to, str) else None

    @classmethod
    def stale(cls, cookies: Mapping[str, str]) -> tuple[str, ...]:
        """Set-Cookie lines that drop abandoned sign-ins, before there are more than a request can carry."""
        names = [name for name in cookies if name.startswith(_PENDING)]
        return tuple(dropped(name) for name in names) if len(names) >= _MOST_PENDING else ()

    @property
    def cookie_name(self) -> str:
        return _name(self.state)

    def cookie(self) -> str:
        """The Set-Cookie line."""
        packed = base64.urlsafe_b64encode(json.dumps(asdict(self)).encode()).decode()
        return f"{self.cookie_name}={packed}; Max-Age={_PENDING_SECONDS}; {_ATTRIBUTES}"


def session(token: str, seconds: int) -> str:
    """The Set-Cookie line of a session that ends with its token, in so many seconds."""
    return f"{SESSION}={token}; Max-Age={seconds}; {_ATTRIBUTES}"


def fits(line: str) -> bool:
    """Whether browsers take a cookie of this size; they drop larger ones in silence."""
    return len(line) <= _LARGEST


def dropped(name: str) -> str:
    """The Set-Cookie line that deletes a cookie."""
    return f"{name}=; Max-Age=0; {_ATTRIBUTES}"


def _name(state: str) -> str:
    return _PENDING + state[:8]
