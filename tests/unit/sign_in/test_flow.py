"""Signing in at a real provider: who gets a session, and who is told what instead."""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from functions.core.aws.web import SECURITY_HEADERS
from functions.sign_in.flow import RelyingParty, Request, answer
from functions.sign_in.provider import Provider, Unusable
from tests.fakes.oidc import CLIENT_ID

if TYPE_CHECKING:
    from tests.fakes.oidc import OidcProvider
    from tests.unit.sign_in.conftest import Visitor

BASE = "https://d111.cloudfront.example/"


def read(token: str) -> dict[str, Any]:
    part = token.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return claims


def test_signing_in_leads_back_with_the_token_as_the_session(visitor: Visitor) -> None:
    response = visitor.sign_in("/sign-in?to=%2Fa%2Fapproval-1%3Ft%3D1.x_y-z")
    assert response["statusCode"] == 303
    assert response["headers"]["Location"] == f"{BASE}a/approval-1?t=1.x_y-z"
    assert read(visitor.session)["email"] == "ana@shop.example"
    assert list(visitor.cookies) == ["__Host-session"], "what signing in needed is gone"


@pytest.mark.parametrize("life", [60, 3600])
def test_a_session_ends_with_its_token(visitor: Visitor, provider: OidcProvider, life: int) -> None:
    provider.life = life
    (line,) = [line for line in visitor.sign_in()["cookies"] if line.startswith("__Host-session=")]
    attributes = line.split("; ")[1:]
    assert attributes[1:] == ["Path=/", "Secure", "HttpOnly", "SameSite=Lax"]
    assert life - 5 <= int(attributes[0].removeprefix("Max-Age=")) <= life


def test_the_provider_is_asked_for_no_more_than_the_claim_needs(
    provider: OidcProvider, visitor: Visitor
) -> None:
    for claim, scope in (("email", "openid email"), ("sub", "openid"), ("upn", "openid profile")):
        visitor.party = RelyingParty(visitor.party.provider, BASE, claim)
        address = urlsplit(visitor.get("/sign-in")["headers"]["Location"])
        asked = {name: values[0] for name, values in parse_qs(address.query).items()}
        assert f"{address.scheme}://{address.netloc}{address.path}" == f"{provider.url}/authorize"
        assert (asked["scope"], asked["redirect_uri"]) == (scope, f"{BASE}sign-in/callback")


@pytest.mark.parametrize(
    ("to", "landed"),
    [
        ("/list", "list"),
        ("/a/x/progress?t=1&still=1", "a/x/progress?t=1&still=1"),
        ("", "list"),
        ("https://evil.example/", "list"),
        ("//evil.example/", "list"),
        ("/\\evil.example/", "list"),
        ("/\t/evil.example/", "list"),
        ("\\\\evil.example", "list"),
        ("javascript:alert(1)", "list"),
        ("a/x", "list"),
        ("/a\r\nSet-Cookie: x=1", "list"),
        ("/a/é", "list"),
        ("/" + "a" * 3000, "list"),
        ("/sign-in", "list"),
        ("/sign-out", "list"),
        ("/sign-in/callback?code=1", "list"),
    ],
)
def test_signing_in_leads_to_our_own_pages_only(visitor: Visitor, to: str, landed: str) -> None:
    response = visitor.sign_in(f"/sign-in?to={quote(to, safe='')}")
    assert response["headers"]["Location"] == BASE + landed
    # Nor does a cookie that was changed meanwhile lead elsewhere.
    back = visitor.start()
    (name,) = [name for name in visitor.cookies if name.startswith("__Host-sign-in-")]
    packed = json.loads(base64.urlsafe_b64decode(visitor.cookies[name]))
    changed = json.dumps({**packed, "to": to}).encode()
    visitor.cookies[name] = base64.urlsafe_b64encode(changed).decode()
    assert visitor.get(back)["headers"]["Location"] == BASE + landed


def test_several_links_can_be_opened_at_once(visitor: Visitor) -> None:
    backs = [visitor.start(f"/sign-in?to=%2Fa%2F{n}") for n in range(3)]
    landed = [visitor.get(back)["headers"]["Location"] for back in backs]
    assert landed == [f"{BASE}a/{n}" for n in range(3)]


def test_abandoned_sign_ins_do_not_fill_a_browser(visitor: Visitor) -> None:
    for _ in range(20):
        visitor.start()
        assert len(visitor.cookies) <= 6
    assert visitor.sign_in()["statusCode"] == 303


def unknown_state(visitor: Visitor) -> str:
    visitor.start()
    return "/sign-in/callback?code=abc&state=of-somebody-else"


def another_browser(visitor: Visitor) -> str:
    back = str(visitor.start())
    visitor.cookies.clear()
    return back


def used_before(visitor: Visitor) -> str:
    back = str(visitor.start())
    visitor.get(back)
    visitor.cookies.clear()
    return back


def same_cookie_another_state(visitor: Visitor) -> str:
    """An attacker's code, and the victim's pending sign-in, whose cookie's name is guessed."""
    address, _, state = visitor.start().partition("&state=")
    return f"{address}&state={state[:8]}{'x' * 35}"


def broken_cookie(content: bytes) -> Callable[[Any], str]:
    def back(visitor: Visitor) -> str:
        address = str(visitor.start())
        (name,) = visitor.cookies
        visitor.cookies[name] = content.decode()
        return address

    return back


@pytest.mark.parametrize(
    "back",
    [
        unknown_state,
        another_browser,
        used_before,
        same_cookie_another_state,
        lambda _: "/sign-in/callback",
        lambda _: "/sign-in/callback?error=access_denied&error_description=Call+555",
        lambda _: "/sign-in/callback?code=1&state=%C3%A9%F0%9F%98%80",
        broken_cookie(b"%%%"),
        broken_cookie("é".encode()),
        broken_cookie(base64.urlsafe_b64encode(b"[" * 5000)),
        broken_cookie(
            base64.urlsafe_b64encode(b'{"state": "\\ud800", "nonce": "", "verifier": "", "to": ""}')
        ),
        broken_cookie(base64.urlsafe_b64encode(b"[]")),
        broken_cookie(base64.urlsafe_b64encode(b'{"state": 1}')),
        broken_cookie(base64.urlsafe_b64encode(b'{"state": 1, "nonce": 2, "verifier": 3, "to": 4}')),
    ],
)
def test_a_sign_in_that_did_not_begin_here_ends_here(visitor: Visitor, back: Callable[[Any], str]) -> None:
    response = visitor.get(back(visitor))
    assert response["statusCode"] == 400
    assert "This sign-in was lost" in response["body"]
    assert "555" not in response["body"]
    assert not visitor.session


@pytest.mark.parametrize(
    ("error", "shown"),
    [("access_denied", "refused (access_denied)"), ("<script>alert(1)</script>", "refused, or")],
)
def test_the_provider_s_refusal_is_said_in_its_words_but_not_in_a_stranger_s(
    visitor: Visitor, error: str, shown: str
) -> None:
    state = visitor.start().partition("&state=")[2]
    response = visitor.get(f"/sign-in/callback?state={state}&error={error}&error_description=Call+555")
    assert (response["statusCode"], shown in response["body"]) == (403, True)
    assert not [word for word in ("script", "555") if word in response["body"]]
    assert not visitor.cookies


@pytest.mark.parametrize(
    ("claims", "header"),
    [
        ({"iss": "https://elsewhere.example"}, {}),
        ({"aud": "another-client"}, {}),
        ({"aud": [CLIENT_ID, "another-client"]}, {}),
        ({"aud": None}, {}),
        ({"azp": "another-client"}, {}),
        ({"exp": 1}, {}),
        ({"exp": "tomorrow"}, {}),
        ({"exp": float("inf")}, {}),
        ({"nonce": "of-another-sign-in"}, {}),
        ({"nonce": None}, {}),
        ({}, {"alg": "none"}),
        ({}, {"alg": "HS256"}),
        ({}, {"alg": "ES256"}),
        ({}, {"kid": None}),
    ],
)
def test_a_token_that_is_not_for_us_now_is_no_session(
    visitor: Visitor, provider: OidcProvider, claims: dict[str, Any], header: dict[str, Any]
) -> None:
    provider.claims |= claims
    provider.header = header
    response = visitor.sign_in("/sign-in?to=%2Fa%2F1")
    assert (response["statusCode"], "Signing in does not work" in response["body"]) == (502, True)
    assert 'href="/sign-in?to=%2Fa%2F1"' in response["body"]
    assert not visitor.cookies


def test_a_token_with_more_audiences_names_us_as_its_party(visitor: Visitor, provider: OidcProvider) -> None:
    provider.claims |= {"aud": [CLIENT_ID, "another"], "azp": CLIENT_ID}
    assert visitor.sign_in()["statusCode"] == 303


@pytest.mark.parametrize(
    ("claims", "status", "title"),
    [
        ({"email_verified": False}, 403, "It is not clear who you are"),
        ({"email": None}, 403, "It is not clear who you are"),
        ({"groups": ["group-of-the-shop"] * 200}, 502, "Your sign-in does not fit in a cookie"),
    ],
)
def test_who_cannot_be_let_in_is_told_so(
    visitor: Visitor, provider: OidcProvider, claims: dict[str, Any], status: int, title: str
) -> None:
    provider.claims |= claims
    response = visitor.sign_in()
    assert (response["statusCode"], title in response["body"]) == (status, True)
    assert not visitor.session


@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_provider_that_fails_is_unreachable(visitor: Visitor, provider: OidcProvider, status: int) -> None:
    back = visitor.start("/sign-in?to=%2Fa%2F1")
    provider.fails_with = status
    for response in (visitor.get(back), Visiting(visitor).fresh().get("/sign-in?to=%2Fa%2F1")):
        assert response["statusCode"] == 502
        assert "does not answer" in response["body"]
        assert 'href="/sign-in?to=%2Fa%2F1"' in response["body"]


def test_a_provider_that_is_gone_is_unreachable(visitor: Visitor) -> None:
    closed = Provider("http://127.0.0.1:1", CLIENT_ID, lambda: "")
    visitor.party = RelyingParty(closed, BASE, "email")
    assert "does not answer" in visitor.get("/sign-in")["body"]


class Visiting:
    """The same browser at an party that knows nothing of the provider yet."""

    def __init__(self, visitor: Visitor) -> None:
        self._visitor = visitor

    def fresh(self, secret: str = "") -> Any:
        known = self._visitor.party.provider
        provider = Provider(known.issuer, known.client_id, lambda: secret)
        return type(self._visitor)(RelyingParty(provider, BASE, "email"))


@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": "https://elsewhere.example"},
        {"authorization_endpoint": "http://provider.example/authorize"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"token_endpoint": None},
    ],
)
def test_a_provider_that_describes_itself_wrongly_is_not_used(
    visitor: Visitor, provider: OidcProvider, metadata: dict[str, Any]
) -> None:
    provider.metadata = metadata
    response = visitor.get("/sign-in")
    assert (response["statusCode"], "Location" in response["headers"]) == (502, False)


def test_an_endpoint_keeps_its_own_query(visitor: Visitor, provider: OidcProvider) -> None:
    provider.metadata = {"authorization_endpoint": "https://provider.example/authorize?tenant=1"}
    location = visitor.get("/sign-in")["headers"]["Location"]
    assert location.startswith("https://provider.example/authorize?tenant=1&response_type=code&")


@pytest.mark.parametrize("place", ["header", "body"])
@pytest.mark.parametrize(("given", "status"), [("s3cret:/+ %", 303), ("wrong", 502), ("", 502)])
def test_a_client_with_a_secret_proves_itself_where_the_provider_wants_it(
    visitor: Visitor, provider: OidcProvider, place: str, given: str, status: int
) -> None:
    provider.secret, provider.secret_in = "s3cret:/+ %", place
    visitor.party = Visiting(visitor).fresh(given).party
    assert visitor.sign_in()["statusCode"] == status


def test_a_secret_that_cannot_be_read_is_the_operator_s_affair(visitor: Visitor) -> None:
    def unreadable() -> str:
        raise Unusable("no permission")

    known = visitor.party.provider
    visitor.party = RelyingParty(Provider(known.issuer, CLIENT_ID, unreadable), BASE, "email")
    assert "Signing in does not work" in visitor.sign_in()["body"]


def test_a_form_that_was_sent_too_late_is_told_that_nothing_was_decided(visitor: Visitor) -> None:
    response = visitor.get("/sign-in/ended?to=%2Fa%2F1%3Ft%3D2")
    assert (response["statusCode"], "Nothing was decided" in response["body"]) == (401, True)
    assert 'href="/sign-in?to=%2Fa%2F1%3Ft%3D2"' in response["body"]


def test_signing_out_drops_the_session(visitor: Visitor) -> None:
    visitor.sign_in()
    assert visitor.session
    assert "You are signed out" in visitor.get("/sign-out")["body"]
    assert not visitor.cookies


@pytest.mark.parametrize(
    ("path", "status"), [("/sign-in/nowhere", 404), ("/sign-in", 303), ("/sign-in/style.css", 200)]
)
def test_every_answer_has_the_page_s_headers_and_is_kept_by_nobody(
    visitor: Visitor, path: str, status: int
) -> None:
    response = visitor.get(path)
    assert response["statusCode"] == status
    assert SECURITY_HEADERS.items() <= response["headers"].items()
    assert response["headers"]["Cache-Control"] == "no-store"


texts = st.text(max_size=60) | st.sampled_from(["/list", "//x", "abc", "a" * 43])


@given(
    path=st.sampled_from(["/sign-in", "/sign-in/callback", "/sign-in/ended", "/sign-out", "/sign-in/x"]),
    query=st.dictionaries(st.sampled_from(["to", "state", "code", "error"]), texts),
    cookies=st.lists(
        st.tuples(
            st.sampled_from(["__Host-session", "__Host-sign-in-aaaaaaaa", "__Host-sign-in-abc", "x"]), texts
        )
    ),
)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_asked_has_an_answer_and_lets_nobody_in(
    party: RelyingParty, path: str, query: dict[str, str], cookies: list[tuple[str, str]]
) -> None:
    event = {
        "rawPath": path,
        "queryStringParameters": query,
        "cookies": [f"{name}={value}" for name, value in cookies],
    }
    response = answer(Request.from_event(event), party, time.time()).to_json()
    assert response["statusCode"] in (200, 303, 400, 401, 404)
    assert response["headers"].get("Location", party.provider.issuer).startswith(party.provider.issuer)
    assert not [line for line in response["cookies"] if re.match("__Host-session=[^;]", line)]
    assert not [line for line in response["cookies"] if "\n" in line or "\r" in line]


def test_the_provider_s_description_is_read_again_after_an_hour(
    visitor: Visitor, provider: OidcProvider
) -> None:
    known = visitor.party.provider

    def location(now: float) -> str:
        return str(
            known.authorization_url(
                redirect_uri=BASE, scope="openid", state="s", nonce="n", verifier="v", now=now
            )
        )

    now = time.time()
    location(now)
    provider.metadata = {"authorization_endpoint": "https://moved.example/authorize"}
    assert location(now + 3599).startswith(provider.url)
    assert location(now + 3601).startswith("https://moved.example/")
