"""Checks an identity token that came straight from the issuer.

The signature is not verified here: the token comes over TLS from the token endpoint, which the specification
lets stand for it (3.1.3.7, 6), and API Gateway verifies it with every request.
https://openid.net/specs/openid-connect-core-1_0.html#IDTokenValidation
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import math
from typing import Any

from functions.sign_in.provider import Unusable

# What API Gateway's authorizers verify; with any other, every request would be refused.
# https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-jwt-authorizer.html
_ALGORITHMS = ("RS256", "RS384", "RS512")


def checked(token: str, issuer: str, client_id: str, nonce: str, now: float) -> dict[str, Any]:
    """The token's claims, `exp` a number. Raises Unusable saying which claim is wrong, and no value."""
    header, claims = _parts(token)
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    expires = claims.get("exp")
    for right, what in (
        (header.get("alg") in _ALGORITHMS, "is not signed with RSA, which API Gateway asks for"),
        (isinstance(header.get("kid"), str), "does not name its key"),
        (claims.get("iss") == issuer, "is another issuer's"),
        (client_id in audiences, "is for another client"),
        (len(audiences) == 1 or claims.get("azp") == client_id, "was issued to another client"),
        (claims.get("azp") in (None, client_id), "was issued to another client"),
        (isinstance(expires, int | float) and now < expires < math.inf, "has expired"),
        (_same(claims.get("nonce"), nonce), "answers another sign-in"),
    ):
        if not right:
            raise Unusable(f"the identity token {what}")
    return claims


def _parts(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    try:
        header, claims, _signature = token.split(".")
        parts = [
            json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))) for part in (header, claims)
        ]
    except (binascii.Error, ValueError) as error:
        raise Unusable("the identity token is none") from error
    if not all(isinstance(part, dict) for part in parts):
        raise Unusable("the identity token is none")
    return parts[0], parts[1]


def _same(given: object, expected: str) -> bool:
    return isinstance(given, str) and hmac.compare_digest(given.encode(), expected.encode())
