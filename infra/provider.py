"""The identity provider that people sign in with, as a deployment names it. No CDK here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

from functions.core.approval.identity import LINK
from functions.sign_in.provider import secure


@dataclass(frozen=True)
class SignIn:
    """The context value `sign_in`: `ISSUER,CLIENT_ID` or `ISSUER,CLIENT_ID,CLAIM`."""

    issuer: str
    """The OpenID Connect provider, exactly as its tokens name it."""
    client_id: str
    claim: str = "email"
    """What names a person in `approvers`; an e-mail address counts only if it is verified."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError for anything else."""
        parts = [part.strip() for part in text.split(",")]
        if len(parts) not in (2, 3) or not all(parts):
            raise ValueError(f"sign_in is {text!r}: it must be ISSUER,CLIENT_ID or ISSUER,CLIENT_ID,CLAIM")
        found = cls(*parts)
        address = urlsplit(found.issuer)
        if not secure(found.issuer) or address.query or address.fragment:
            raise ValueError(f"sign_in names the issuer {found.issuer!r}: it must be an https address")
        if found.claim == LINK:
            raise ValueError(f"sign_in names the claim {LINK!r}, which means that nobody signs in")
        return found
