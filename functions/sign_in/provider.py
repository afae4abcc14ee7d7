"""The OpenID Connect provider: where it is, and what a code is worth there."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_plus, urlencode, urlsplit

import urllib3

# Together below the 30 s that API Gateway waits. Seconds.
_TIMEOUT = urllib3.Timeout(connect=3, read=8)
_METADATA_SECONDS = 3600
_ERROR_CODE = re.compile(r"[a-z_]{1,40}")
# A token is one line that a cookie and a header can hold.
_TOKEN = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+", re.ASCII)


class Unreachable(Exception):
    """The provider did not answer, or failed; it may later."""


class Unusable(Exception):
    """The provider, or what is configured here, does not do; the message is for whoever runs this system."""


@dataclass(frozen=True, slots=True)
class _Metadata:
    """What is used of the provider's own description, and when it was read."""

    authorization_endpoint: str
    token_endpoint: str
    secret_in_body: bool
    """The provider takes the client's secret in the form only, not in a header."""
    read_at: float


class Provider:
    """One issuer and one client there. `secret` gives the client's secret, "" if it has none."""

    def __init__(self, issuer: str, client_id: str, secret: Callable[[], str]) -> None:
        self.issuer = issuer
        self.client_id = client_id
        self._secret = secret
        self._http = urllib3.PoolManager(timeout=_TIMEOUT, retries=False)
        self._metadata: _Metadata | None = None

    def authorization_url(
        self, *, redirect_uri: str, scope: str, state: str, nonce: str, verifier: str, now: float
    ) -> str:
        """Where to send a browser to sign in. Raises Unreachable, Unusable."""
        endpoint = self._described(now).authorization_endpoint
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=")
        parameters = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": redirect_uri,
            "scope": scope,
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge.decode(),
            "code_challenge_method": "S256",
        }
        # The endpoint may have a query of its own, which is to be kept (RFC 6749, 3.1).
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(parameters)}"

    def exchange(self, code: str, verifier: str, redirect_uri: str, now: float) -> str:
        """The identity token for a code. Raises Unreachable, Unusable."""
        described = self._described(now)
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "client_id": self.client_id,
            "code_verifier": verifier,
        }
        headers = {}
        if secret := self._secret():
            if described.secret_in_body:
                form["client_secret"] = secret
            else:
                # Both are form-encoded before they are joined (RFC 6749, 2.3.1).
                pair = f"{quote_plus(self.client_id)}:{quote_plus(secret)}"
                headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        answer = self._ask(
            "POST", described.token_endpoint, fields=form, encode_multipart=False, headers=headers
        )
        token = answer.get("id_token")
        if not isinstance(token, str) or not _TOKEN.fullmatch(token):
            raise Unusable(
                "the token endpoint gave no identity token; is `openid` among the client's scopes?"
            )
        return token

    def _described(self, now: float) -> _Metadata:
        known = self._metadata
        if known and now - known.read_at < _METADATA_SECONDS:
            return known
        found = self._ask("GET", f"{self.issuer.rstrip('/')}/.well-known/openid-configuration")
        # https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderConfigurationValidation
        if found.get("issuer") != self.issuer:
            raise Unusable(f"the provider at {self.issuer} says that it is another issuer")
        methods = found.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        self._metadata = _Metadata(
            authorization_endpoint=_endpoint(found, "authorization_endpoint"),
            token_endpoint=_endpoint(found, "token_endpoint"),
            secret_in_body="client_secret_basic" not in methods and "client_secret_post" in methods,
            read_at=now,
        )
        return self._metadata

    def _ask(self, method: str, url: str, **options: Any) -> dict[str, Any]:
        place = urlsplit(url).hostname
        try:
            answer = self._http.request(method, url, redirect=False, **options)
        except urllib3.exceptions.HTTPError as error:
            raise Unreachable(f"{place}: {type(error).__name__}") from error
        if answer.status >= 500 or answer.status == 429:
            raise Unreachable(f"{place}: answered {answer.status}")
        try:
            said = json.loads(answer.data)
        except ValueError as error:
            raise Unusable(f"{place}: answered {answer.status}, not in JSON") from error
        if answer.status != 200 or not isinstance(said, dict):
            code = said.get("error") if isinstance(said, dict) else None
            known = code if isinstance(code, str) and _ERROR_CODE.fullmatch(code) else "no error code"
            raise Unusable(f"{place}: answered {answer.status}, {known}")
        return said


def secure(url: str) -> bool:
    """Whether an address is HTTPS; or plain HTTP on this machine, as the embedded run and tests have it."""
    parts = urlsplit(url)
    return bool(parts.hostname) and (
        parts.scheme == "https" or (parts.scheme, parts.hostname) == _ON_THIS_MACHINE
    )


_ON_THIS_MACHINE = ("http", "127.0.0.1")


def _endpoint(metadata: Mapping[str, Any], name: str) -> str:
    address = metadata.get(name)
    if not isinstance(address, str) or not secure(address):
        raise Unusable(f"the provider's {name!r} is no https address")
    return address
