"""An OpenID Connect provider of the tests' own: real HTTP, real RS256 signatures, real PKCE."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import unquote_plus, urlencode

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

CLIENT_ID = "approval-page"
KEY_ID = "key-1"

_LOGIN = """<!doctype html><title>Provider</title><h1>Sign in at the provider</h1>
<form method="post"><button>Continue as {user}</button></form>"""


def encode(data: bytes) -> str:
    """Base64url without padding (RFC 7515, 2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def new_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def sign(claims: Mapping[str, Any], key: rsa.RSAPrivateKey, header: Mapping[str, Any] | None = None) -> str:
    """A JSON Web Token, signed with RS256 whatever its header says."""
    head = {"alg": "RS256", "kid": KEY_ID, "typ": "JWT", **(header or {})}
    body = ".".join(encode(json.dumps(part).encode()) for part in (head, claims))
    return f"{body}.{encode(key.sign(body.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


@dataclass
class OidcProvider:
    """Serves on 127.0.0.1 while it is entered. Everything about its behaviour can be changed meanwhile."""

    key: rsa.RSAPrivateKey
    claims: dict[str, Any] = field(default_factory=dict)
    """What it says of whoever signs in; wins over what the flow asks for."""
    header: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    """Wins over its own description."""
    secret: str = ""
    """The client's secret, if it has one."""
    secret_in: str = "header"
    fails_with: int = 0
    """Status to answer everything with."""
    asks: bool = False
    """Shows a page with a button, rather than sending browsers straight back."""
    life: int = 3600
    url: str = ""
    _codes: dict[str, dict[str, str]] = field(default_factory=dict)

    def __enter__(self) -> Self:
        self._server = make_server("127.0.0.1", 0, self._serve, threaded=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        # It ends within this time, not half a second.
        options = {"poll_interval": 0.02}
        threading.Thread(target=self._server.serve_forever, kwargs=options, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def token(self, **claims: Any) -> str:
        """A token as this provider issues them now."""
        now = int(time.time())
        own = {"iss": self.url, "aud": CLIENT_ID, "sub": "user-1", "iat": now, "exp": now + self.life}
        return sign({**own, **self.claims, **claims}, self.key, self.header)

    def _serve(self, environ: Any, start_response: Any) -> Any:
        request = Request(environ)
        routes = {
            "/.well-known/openid-configuration": self._describe,
            "/keys": self._keys,
            "/authorize": self._authorize,
            "/token": self._exchange,
        }
        answer = self._fail if self.fails_with else routes.get(request.path, self._nothing)
        return answer(request)(environ, start_response)

    def _nothing(self, _: Request) -> Response:
        return Response("nothing here", 404)

    def _fail(self, _: Request) -> Response:
        return Response("failing", self.fails_with)

    def _describe(self, _: Request) -> Response:
        return _json(
            {
                "issuer": self.url,
                "authorization_endpoint": f"{self.url}/authorize",
                "token_endpoint": f"{self.url}/token",
                "jwks_uri": f"{self.url}/keys",
                "token_endpoint_auth_methods_supported": [
                    "client_secret_basic" if self.secret_in == "header" else "client_secret_post"
                ],
                **self.metadata,
            }
        )

    def _keys(self, _: Request) -> Response:
        numbers = self.key.public_key().public_numbers()
        n, e = (encode(number.to_bytes((number.bit_length() + 7) // 8)) for number in (numbers.n, numbers.e))
        return _json({"keys": [{"kty": "RSA", "use": "sig", "alg": "RS256", "kid": KEY_ID, "n": n, "e": e}]})

    def _authorize(self, request: Request) -> Response:
        asked = request.args.to_dict()
        assert asked["response_type"] == "code"
        assert asked["client_id"] == CLIENT_ID
        assert "openid" in asked["scope"].split()
        assert asked["code_challenge_method"] == "S256"
        if self.asks and request.method == "GET":
            return Response(_LOGIN.format(user=self.claims.get("email")), content_type="text/html")
        code = secrets.token_urlsafe(8)
        self._codes[code] = asked
        back = urlencode({"code": code, "state": asked["state"]})
        return Response(status=303, headers={"Location": f"{asked['redirect_uri']}?{back}"})

    def _exchange(self, request: Request) -> Response:
        form = request.form
        asked = self._codes.pop(form["code"], None)
        if not self._knows(request):
            return _json({"error": "invalid_client"}, 401)
        challenge = encode(hashlib.sha256(form["code_verifier"].encode()).digest())
        if (
            form["grant_type"] != "authorization_code"
            or asked is None
            or asked["code_challenge"] != challenge
            or asked["redirect_uri"] != form["redirect_uri"]
        ):
            return _json({"error": "invalid_grant"}, 400)
        return _json(
            {"id_token": self.token(**{"nonce": asked["nonce"], **self.claims}), "token_type": "Bearer"}
        )

    def _knows(self, request: Request) -> bool:
        if self.secret_in == "header" and self.secret:
            given = request.authorization
            # Both were form-encoded before they were joined (RFC 6749, 2.3.1).
            pair = (given.username, given.password) if given else ()
            return tuple(unquote_plus(part or "") for part in pair) == (CLIENT_ID, self.secret)
        return request.form["client_id"] == CLIENT_ID and request.form.get("client_secret", "") == self.secret


def _json(value: Any, status: int = 200) -> Response:
    return Response(json.dumps(value), status, content_type="application/json")
