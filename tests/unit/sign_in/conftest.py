"""A browser at the party, and a real provider that it is sent to."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import urllib3
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from functions.sign_in.flow import RelyingParty, Request, answer
from functions.sign_in.provider import Provider
from tests.fakes.oidc import CLIENT_ID, OidcProvider, new_key

BASE = "https://d111.cloudfront.example/"
ANA = "ana@shop.example"


@dataclass
class Visitor:
    """Asks as CloudFront passes it on; keeps cookies as browsers do, and goes to the provider and back."""

    party: RelyingParty
    cookies: dict[str, str] = field(default_factory=dict)

    def get(self, address: str) -> dict[str, Any]:
        parts = urlsplit(address.removeprefix(BASE.rstrip("/")))
        event = {
            "rawPath": parts.path,
            "queryStringParameters": dict(parse_qsl(parts.query)),
            "cookies": [f"{name}={value}" for name, value in self.cookies.items()],
        }
        response = answer(Request.from_event(event), self.party, time.time()).to_json()
        for line in response["cookies"]:
            for name, morsel in SimpleCookie(line).items():
                self.cookies.pop(name, None)
                if morsel["max-age"] != "0":
                    self.cookies[name] = morsel.value
        return response

    def start(self, address: str = "/sign-in") -> str:
        """Go to sign in; the address that the provider sends the browser back to."""
        location = self.get(address)["headers"]["Location"]
        with urllib3.PoolManager() as http:
            return str(http.request("GET", location, redirect=False).headers["Location"])

    def sign_in(self, address: str = "/sign-in") -> dict[str, Any]:
        """All the way; the response to the provider's redirect."""
        return self.get(self.start(address))

    @property
    def session(self) -> str:
        return self.cookies.get("__Host-session", "")


@pytest.fixture(scope="session")
def rsa_key() -> RSAPrivateKey:
    return new_key()


@pytest.fixture
def provider(rsa_key: RSAPrivateKey) -> Iterator[OidcProvider]:
    with OidcProvider(rsa_key, {"email": ANA, "email_verified": True}) as running:
        yield running


@pytest.fixture
def party(provider: OidcProvider) -> RelyingParty:
    return RelyingParty(Provider(provider.url, CLIENT_ID, lambda: provider.secret), BASE, "email")


@pytest.fixture
def visitor(party: RelyingParty) -> Visitor:
    return Visitor(party)
