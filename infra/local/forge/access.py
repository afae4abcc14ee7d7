"""Who is asking: nobody, somebody with the forge's token, or somebody with a wrong one."""

from __future__ import annotations

import hmac
from enum import Enum

from werkzeug import Request


class Caller(Enum):
    """What the `Authorization` header of a request says."""

    ANONYMOUS = "anonymous"
    BOT = "self-heal-bot"
    """The one account that the forge's token belongs to; the value is its login."""
    IMPOSTOR = "impostor"


def caller(request: Request, token: str) -> Caller:
    """Judge a request by `Authorization: token X`, `Bearer X`, or Basic with the token as password; or by
    GitLab's `PRIVATE-TOKEN`.

    Basic takes any user name, as GitHub does (`x-access-token:TOKEN`), and the token alone as user name.
    """
    private = request.headers.get("Private-Token", "")
    header = f"token {private}" if private else request.headers.get("Authorization", "")
    if not header:
        return Caller.ANONYMOUS
    scheme, _, value = header.partition(" ")
    presented = value.strip()
    if scheme.lower() == "basic":
        basic = request.authorization
        presented = (basic.password or basic.username or "") if basic else ""
    elif scheme.lower() not in ("token", "bearer"):
        presented = ""
    same = hmac.compare_digest(presented.encode(errors="replace"), token.encode(errors="replace"))
    return Caller.BOT if same else Caller.IMPOSTOR
