"""The function in front of the page, run by Node as CloudFront runs it, on events as CloudFront makes."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest

from functions.decide_approval.request import VIEWER_ADDRESS
from functions.sign_in.cookies import SESSION
from tests.fakes.edge import VIEWER_REQUEST, ViewerRequest

TOKEN = "header.claims.signature"
FORGED = {"authorization": "Bearer of.somebody.else", VIEWER_ADDRESS: "192.0.2.1"}
# CloudFront refuses a function beyond this size.
# https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/cloudfront-limits.html
LARGEST = 10 * 1024


@pytest.fixture(scope="module")
def function() -> Iterator[ViewerRequest]:
    with ViewerRequest() as running:
        yield running


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
@pytest.mark.parametrize(
    "uri", ["/a/approval-1", "/list", "/static/style.css", "/sign-innocent", "/slack/x", "/"]
)
def test_a_session_becomes_the_header_that_the_authorizer_reads(
    function: ViewerRequest, method: str, uri: str
) -> None:
    request = function(method, uri, query="t=1", headers=FORGED, cookies={SESSION: TOKEN, "other": "x"})
    assert (request["method"], request["uri"]) == (method, uri)
    assert request["headers"]["authorization"] == {"value": f"Bearer {TOKEN}"}
    assert request["cookies"] == {"other": {"value": "x"}}


@pytest.mark.parametrize("uri", ["/a/approval-1", "/sign-in", "/slack"])
@pytest.mark.parametrize("cookies", [{}, {SESSION: TOKEN}], ids=["stranger", "session"])
def test_where_a_viewer_is_and_who_is_not_the_viewer_s_to_say(
    function: ViewerRequest, uri: str, cookies: dict[str, str]
) -> None:
    headers = {**FORGED, "sec-fetch-mode": "cors"}
    request = function("POST", uri, headers=headers, cookies=cookies, viewer="2001:db8::7")
    assert request["headers"][VIEWER_ADDRESS] == {"value": "2001:db8::7"}
    assert "of.somebody.else" not in str(request)


@pytest.mark.parametrize(
    ("method", "uri"),
    [
        ("GET", "/sign-in"),
        ("GET", "/sign-in/callback"),
        ("GET", "/sign-in/ended"),
        ("GET", "/sign-out"),
        ("POST", "/slack"),
    ],
)
def test_what_needs_no_token_gets_none(function: ViewerRequest, method: str, uri: str) -> None:
    request = function(method, uri, query="x=1", cookies={SESSION: TOKEN, "__Host-sign-in-abc": "x"})
    assert request["uri"] == uri
    assert "authorization" not in request["headers"]
    assert request["cookies"] == {"__Host-sign-in-abc": {"value": "x"}}


@pytest.mark.parametrize("headers", [{}, {"sec-fetch-mode": "navigate"}], ids=["any-client", "browser"])
@pytest.mark.parametrize(
    ("method", "page"), [("GET", "/sign-in"), ("HEAD", "/sign-in"), ("POST", "/sign-in/ended")]
)
@pytest.mark.parametrize(
    ("uri", "query", "to"),
    [
        ("/a/approval-1", "t=1.x_y-z", "/a/approval-1?t=1.x_y-z"),
        ("/a/approval-1/progress", "t=1&still=1", "/a/approval-1/progress?t=1&still=1"),
        ("/list", None, "/list"),
        ("/list", "", "/list"),
        ("/a/%22%3E%0d%0aX: y", "t=%26&u=?", "/a/%22%3E%0d%0aX: y?t=%26&u=?"),
        ("//evil.example/", None, "//evil.example/"),
        ("/sign-innocent", None, "/sign-innocent"),
    ],
)
def test_whoever_has_no_session_is_sent_to_sign_in_and_back(
    function: ViewerRequest,
    headers: dict[str, str],
    method: str,
    page: str,
    uri: str,
    query: str | None,
    to: str,
) -> None:
    response = function(method, uri, query=query, headers=headers)
    location = response["headers"]["location"]["value"]
    assert (response["statusCode"], urlsplit(location).path) == (303, page)
    assert parse_qs(urlsplit(location).query) == {"to": [to]}
    assert location.isascii()
    assert not set(location) & set(" \r\n\"'<>\\")
    assert response["headers"]["cache-control"]["value"] == "no-store"


def test_what_no_person_looks_at_is_left_to_the_authorizer(function: ViewerRequest) -> None:
    request = function("GET", "/favicon.ico", headers={"sec-fetch-mode": "no-cors"})
    assert "statusCode" not in request
    assert "authorization" not in request["headers"]


def test_cloudfront_takes_it() -> None:
    source = VIEWER_REQUEST.read_text()
    assert len(source.encode()) < LARGEST
    assert "import " not in source
    assert "require(" not in source
