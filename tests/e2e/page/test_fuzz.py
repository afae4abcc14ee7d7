"""Requests that nobody foresaw, to the deployed function's real address: each has an answer, none decides."""

from __future__ import annotations

import http.client
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pytest_httpserver import HTTPServer

from functions.core.approval.approvals import ApprovalStatus
from functions.core.incidents.incident import Incident, Status
from infra.registration import AppSecrets, register
from tests.e2e.conftest import TOKEN
from tests.fakes.channel import receiving
from tests.fakes.slack import SECRET, Signed, payload, signed

if TYPE_CHECKING:
    from tests.e2e.conftest import World

pytestmark = pytest.mark.embedded

# Each costs an invocation of the function: some 30 ms.
EXAMPLES = 120


class Door:
    """The function's address, a question that waits behind it, and requests that almost open it."""

    def __init__(self, base: str, link: str, app: str, forged: Signed) -> None:
        self._at = urlsplit(base)
        self.approval, _, self.token = link.removeprefix(base).partition("?t=")
        self.app, self.forged = app, forged

    def ask(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> int:
        connection = http.client.HTTPConnection(self._at.netloc, timeout=30)
        try:
            connection.request(method, f"{self._at.path}{path}", body, headers)
            return connection.getresponse().status
        finally:
            connection.close()


@pytest.fixture
def question(world: World, link_for: Callable[..., str], httpserver: HTTPServer) -> tuple[Door, Incident]:
    """A question that waits, in Slack as well."""
    channel = receiving(httpserver)
    app = world.app()
    register(world.target, app, AppSecrets(TOKEN, channel.webhooks, SECRET))
    world.log(app)
    link = link_for(app)
    incident = world.until(app, Status.AWAITING_APPROVAL)

    def look() -> dict[str, Any] | None:
        return next((message for message in channel.posted if "blocks" in message), None)

    message = world.eventually(look, lambda: "nothing was posted")
    forged = signed(payload(message, "approve"), secret="not the app's secret")
    return Door(world.target.output("ApprovalUrl"), link, app.name, forged), incident


METHODS = st.sampled_from(["GET", "HEAD", "POST", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
SEGMENTS = st.sampled_from(["a", "list", "progress", "static", "slack", "..", "", "style.css"]) | st.text(
    st.characters(exclude_categories=["Cs"]), max_size=20
)
VALUES = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20)
NAMES = [
    "content-type",
    "sec-fetch-site",
    "origin",
    "cookie",
    "x-slack-signature",
    "x-slack-request-timestamp",
]
HEADERS = st.dictionaries(st.sampled_from(NAMES), VALUES)


def test_no_request_breaks_the_page_or_decides(world: World, question: tuple[Door, Incident]) -> None:
    door, incident = question
    paths = st.sampled_from([door.approval, f"{door.approval}/progress", f"list/{door.app}", "slack"])
    bodies = st.none() | st.binary(max_size=80) | st.sampled_from([door.forged.body, b"decision=approve"])

    @given(
        method=METHODS,
        path=paths | st.lists(SEGMENTS, max_size=4).map("/".join),
        token=st.sampled_from([door.token, ""])
        | st.text(st.characters(exclude_categories=["Cs"]), max_size=60),
        body=bodies,
        headers=HEADERS | st.just(door.forged.headers),
    )
    @settings(max_examples=EXAMPLES, deadline=None, database=None)
    def ask(method: str, path: str, token: str, body: bytes | None, headers: dict[str, str]) -> None:
        assert door.ask(method, f"{quote(path)}?t={quote(token)}", body, headers) < 500

    ask()
    approval = world.approval(incident)
    assert (approval.status, approval.decision) == (ApprovalStatus.PENDING, "")
    assert world.target.incidents.get(incident.incident_id).status is Status.AWAITING_APPROVAL
