"""The page as a browser meets it: requests in, responses out, on the scene's AWS."""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from html import unescape
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

import boto3
import pytest
from aws_lambda_powertools.utilities.parameters import SSMProvider

from functions.core.approval import links
from functions.core.approval.approvals import Approval
from functions.core.approval.identity import LINK
from functions.core.approval.links import Link
from functions.decide_approval.routes import build
from functions.decide_approval.slack_reply import SLACK, Replies
from tests.fakes.deployments import around

if TYPE_CHECKING:
    from tests.unit.conftest import Scene

EVERYTHING_ABOUT_THE_INCIDENT = ("KeyError", "NZ", "orders", "shipping", "rate_for", "Refuse unknown")


class Elements(HTMLParser):
    """Every start tag with its attributes, and the text, as a browser would see them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@dataclass(frozen=True)
class Answer:
    """A response."""

    status: int
    headers: dict[str, str]
    body: str

    @property
    def text(self) -> str:
        return " ".join("".join(self.elements.texts).split())

    @property
    def elements(self) -> Elements:
        return Elements(self.body)

    @property
    def says_nothing(self) -> bool:
        """Whether nothing about the scene's incident is in it, but for the address of the holder's list. A
        signature may hold any two letters."""
        body = re.sub(r'(href="(\.\./)+list/orders)?\?t=[\w.-]+', "", self.body)
        return not [word for word in EVERYTHING_ABOUT_THE_INCIDENT if word in body]

    @property
    def ways(self) -> dict[str, str]:
        """The addresses that the page leads to, by what they are called."""
        return {
            label: unescape(address)
            for address, label in re.findall(r'<a[^>]* href="([^"]+)"[^>]*>([^<]+)</a>', self.body)
        }

    @property
    def forms(self) -> dict[str, str]:
        """The anti-forgery token by decision."""
        fields = [attributes for tag, attributes in self.elements.tags if attributes.get("type") == "hidden"]
        values = [(field["name"], unescape(field["value"] or "")) for field in fields]
        tokens = [value for name, value in values if name == "form"]
        return dict(zip([value for name, value in values if name == "decision"], tokens, strict=True))


class Browser:
    """Asks the resolver as a function URL would; addresses are relative to the page's base."""

    def __init__(self, scene: Scene, identity_from: str = LINK, slack: str = SLACK, **instead: Any) -> None:
        # A provider makes a session of its own, which takes a tenth of a second.
        ssm = SSMProvider(boto3_client=boto3.client("ssm"))
        self.authorizer: dict[str, Any] | None = None
        """What the gateway's authorizer adds to the request's context."""
        parts = {"parameters": ssm, "step_functions": scene.workflow, **instead}
        deployment = around(scene, identity_from, **parts)
        self._resolver = build(deployment, Replies(slack))
        self._keys = scene.keys

    def link(self, approval: Approval, recipient: str = "ana", expires_at: int | None = None) -> str:
        until = int(time.time()) + 600 if expires_at is None else expires_at
        return links.url("/", Link(approval.approval_id, recipient, until), self._keys[0])

    def request(
        self, method: str, address: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> Answer:
        parts = urlsplit(address)
        query = {name: ",".join(values) for name, values in parse_qs(parts.query, True).items()}
        event: dict[str, Any] = {
            "version": "2.0",
            "routeKey": "$default",
            "rawPath": parts.path,
            "rawQueryString": parts.query,
            "headers": headers or {},
            "requestContext": {
                "stage": "$default",
                "http": {"method": method, "path": parts.path, "sourceIp": "203.0.113.9"},
            },
            "isBase64Encoded": body is not None,
        }
        if self.authorizer is not None:
            event["requestContext"]["authorizer"] = self.authorizer
        if query:
            event["queryStringParameters"] = query
        if body is not None:
            event["body"] = base64.b64encode(body).decode()
        context: Any = None
        response = self._resolver.resolve(event, context)
        found = {name.lower(): str(value) for name, value in response["headers"].items()}
        return Answer(response["statusCode"], found, response["body"])

    def get(self, address: str) -> Answer:
        return self.request("GET", address)

    def post(self, address: str, fields: dict[str, str], headers: dict[str, str] | None = None) -> Answer:
        return self.request("POST", address, urlencode(fields).encode(), headers)

    def decide(self, address: str, decision: str, **fields: str) -> Answer:
        """Open the page, fill in the form of the decision, and submit it."""
        token = self.get(address).forms[decision]
        return self.post(address, {"form": token, "decision": decision, **fields})

    def follow(self, answer: Answer, address: str) -> Answer:
        return self.get(urljoin(address, answer.headers["location"]))


@pytest.fixture
def browser(scene: Scene) -> Browser:
    return Browser(scene)


@pytest.fixture
def browser_with(scene: Scene) -> Callable[..., Browser]:
    """Gives a browser of a deployment with other settings than the usual ones."""
    return partial(Browser, scene)


@dataclass(frozen=True)
class Signed:
    """The page behind sign-in, as the gateway's authorizer lets people through."""

    browser: Browser

    def as_(self, email: str = "", **claims: str) -> Browser:
        """Somebody's browser. API Gateway passes claims as strings; no claims: nobody signed in."""
        if email:
            claims = {"email": email, "email_verified": "true", **claims}
        self.browser.authorizer = {"jwt": {"claims": claims, "scopes": None}} if claims else None
        return self.browser


@pytest.fixture
def signed_in(scene: Scene) -> Callable[..., Browser]:
    """Gives the browser of somebody who signed in, on a deployment that goes by the claim `email`."""
    return Signed(Browser(scene, "email")).as_
