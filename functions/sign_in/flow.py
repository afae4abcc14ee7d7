"""Signing in with an OpenID Connect provider: the authorization code flow with PKCE.

    GET /sign-in?to=<path>     off to the provider; `to` is where to come back to
    GET /sign-in/callback      back from it: the identity token becomes the session cookie
    GET /sign-in/ended         the session ended before a form was sent: nothing was decided
    GET /sign-out              drops the session cookie

The cookie holds the token itself, and API Gateway checks it again with every request: its signature, issuer,
audience and time. So nothing is kept here, and a session lives as long as its token.
https://openid.net/specs/openid-connect-core-1_0.html#CodeFlowAuth, https://www.rfc-editor.org/rfc/rfc7636
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

from functions.core.approval.identity import NoIdentity, identity
from functions.core.aws.telemetry import logger
from functions.core.aws.web import NEVER_KEPT, SECURITY_HEADERS
from functions.sign_in import pages
from functions.sign_in.cookies import SESSION, Pending, dropped, fits, session
from functions.sign_in.id_token import checked
from functions.sign_in.pages import SignInPage
from functions.sign_in.provider import Provider, Unreachable, Unusable

HOME = "/list"
# Visible ASCII, no backslash, and one slash at first: what no browser takes for another host's address.
_OURS = re.compile(r"/(?!/)[!-\[\]-~]{0,2000}")


@dataclass(frozen=True, slots=True)
class Request:
    """What these routes read of a request."""

    path: str
    query: Mapping[str, str]
    cookies: Mapping[str, str]

    @classmethod
    def from_event(cls, event: Mapping[str, Any]) -> Self:
        """Read payload format 2.0."""
        pairs = (cookie.partition("=") for cookie in event.get("cookies") or ())
        return cls(
            path=event["rawPath"],
            query=event.get("queryStringParameters") or {},
            cookies={name.strip(): value for name, _, value in pairs},
        )


@dataclass(frozen=True, slots=True)
class Response:
    """A page, or where to go next. `cookies` are Set-Cookie lines."""

    status: int
    body: str = ""
    location: str = ""
    cookies: tuple[str, ...] = ()
    content_type: str = "text/html; charset=utf-8"

    def to_json(self) -> dict[str, Any]:
        """Payload format 2.0."""
        headers = {**SECURITY_HEADERS, **NEVER_KEPT, "Content-Type": self.content_type}
        if self.location:
            headers["Location"] = self.location
        return {
            "statusCode": self.status,
            "headers": headers,
            "cookies": list(self.cookies),
            "body": self.body,
        }


@dataclass(frozen=True, slots=True)
class Entrance:
    """The provider, our base address (ends in `/`), and the claim that names a person."""

    provider: Provider
    base: str
    identity_from: str

    @property
    def redirect_uri(self) -> str:
        """What must be registered at the provider."""
        return f"{self.base}sign-in/callback"

    @property
    def scope(self) -> str:
        """No more than the claim needs.

        https://openid.net/specs/openid-connect-core-1_0.html#ScopeClaims
        """
        return {"email": "openid email", "sub": "openid"}.get(self.identity_from, "openid profile")

    def at(self, path: str) -> str:
        """The address of a path of ours: always on our own host."""
        return self.base + path.removeprefix("/")


class _Stopped(Exception):
    """Signing in ends here, with a notice."""

    def __init__(self, notice: SignInPage) -> None:
        super().__init__(notice.title)
        self.notice = notice


def answer(request: Request, entrance: Entrance, now: float) -> Response:
    """Answer any request; whatever goes wrong at the provider becomes a page."""
    routes: dict[str, Callable[[Request, Entrance, float], Response]] = {
        "/sign-in": _start,
        "/sign-in/callback": _finish,
        "/sign-in/ended": _ended,
        "/sign-in/style.css": _style,
        "/sign-out": _sign_out,
    }
    route = routes.get(request.path, _not_found)
    try:
        return route(request, entrance, now)
    except (Unreachable, Unusable) as error:
        return _failed(error, _wanted(request))


def ours(to: str) -> str:
    """Where to come back to: `to` if it is a path of ours beside these routes, else the list."""
    return to if _OURS.fullmatch(to) and not to.startswith(("/sign-in", "/sign-out")) else HOME


def _start(request: Request, entrance: Entrance, now: float) -> Response:
    pending = Pending.new(_wanted(request))
    location = entrance.provider.authorization_url(
        redirect_uri=entrance.redirect_uri,
        scope=entrance.scope,
        state=pending.state,
        nonce=pending.nonce,
        verifier=pending.verifier,
        now=now,
    )
    return Response(303, location=location, cookies=(*Pending.stale(request.cookies), pending.cookie()))


def _finish(request: Request, entrance: Entrance, now: float) -> Response:
    # State first: whoever did not start here gets the same page whatever else the address says.
    pending = Pending.find(request.cookies, request.query.get("state", ""))
    if pending is None:
        return _page(pages.LOST, HOME)
    to, done = ours(pending.to), dropped(pending.cookie_name)
    try:
        if "code" not in request.query:
            raise _Stopped(pages.refused(request.query.get("error", "")))
        token = _token(request.query["code"], pending, entrance, now)
    except _Stopped as stopped:
        return _page(stopped.notice, to, (done,))
    except (Unreachable, Unusable) as error:
        return _failed(error, to, (done,))
    return Response(303, location=entrance.at(to), cookies=(done, token))


def _token(code: str, pending: Pending, entrance: Entrance, now: float) -> str:
    """The Set-Cookie line of a new session. Raises _Stopped, Unreachable, Unusable."""
    provider = entrance.provider
    token = provider.exchange(code, pending.verifier, entrance.redirect_uri, now)
    claims = checked(token, provider.issuer, provider.client_id, pending.nonce, now)
    try:
        identity(claims, entrance.identity_from)
    except NoIdentity as error:
        raise _Stopped(pages.nobody(str(error))) from error
    line = session(token, int(claims["exp"] - now))
    if not fits(line):
        logger().error("identity token too big for a cookie", extra={"bytes": len(token)})
        raise _Stopped(pages.TOO_BIG)
    return line


def _ended(request: Request, _: Entrance, __: float) -> Response:
    return _page(pages.ENDED, _wanted(request))


def _sign_out(_: Request, __: Entrance, ___: float) -> Response:
    return _page(pages.SIGNED_OUT, HOME, (dropped(SESSION),))


def _style(_: Request, __: Entrance, ___: float) -> Response:
    sheet = Path(__file__).with_name("style.css").read_text("utf-8")
    return Response(200, sheet, content_type="text/css; charset=utf-8")


def _not_found(_: Request, __: Entrance, ___: float) -> Response:
    return _page(pages.NOT_FOUND, HOME)


def _wanted(request: Request) -> str:
    return ours(request.query.get("to", ""))


def _failed(error: Unreachable | Unusable, to: str, cookies: tuple[str, ...] = ()) -> Response:
    # Whoever signs in can do nothing about the reason; whoever runs this finds it in the log.
    if isinstance(error, Unreachable):
        logger().warning("identity provider unreachable", extra={"why": str(error)})
        return _page(pages.UNREACHABLE, to, cookies)
    logger().error("identity provider unusable", extra={"why": str(error)})
    return _page(pages.UNUSABLE, to, cookies)


def _page(notice: SignInPage, to: str, cookies: tuple[str, ...] = ()) -> Response:
    again = f"/sign-in?to={quote(to, safe='')}"
    return Response(notice.status, pages.html(notice, again), cookies=cookies)
