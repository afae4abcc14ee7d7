"""Who sends a request, and from where, as far as somebody vouches for it."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any

from functions.core.approval.identity import LINK, NoIdentity, identity

VIEWER_ADDRESS = "x-viewer-address"
"""Set, whatever the browser sent, by the function in front of the page (infra/viewer_request.js)."""


def decider(event: Mapping[str, Any], recipient: str, identity_from: str) -> str:
    """Who asks: whoever is signed in, where the deployment has sign-in, else the recipient of the link.

    event: payload format 2.0. Claims count only where `identity_from` names one: then nothing but API Gateway
    invokes this function, and only after its authorizer has checked the token. Raises NoIdentity.
    """
    if identity_from == LINK:
        return recipient
    authorizer = event["requestContext"].get("authorizer") or {}
    claims = (authorizer.get("jwt") or {}).get("claims")
    if not claims:
        raise NoIdentity("You are not signed in.")
    return identity(claims, identity_from)


def source_address(event: Mapping[str, Any], identity_from: str) -> str:
    """Where a request comes from, for the audit record.

    With sign-in, requests come through CloudFront: `<the browser's address> via <the peer's>`. The peer's is
    that of the connection and cannot be forged. The browser's is what CloudFront saw; but whoever calls the
    API past CloudFront, which takes a valid token, can put there what they like. Then the peer's is none of
    the addresses that AWS publishes for CloudFront.
    """
    peer = str(event["requestContext"]["http"].get("sourceIp") or "")
    if identity_from == LINK:
        return peer
    try:
        viewer = ipaddress.ip_address(event.get("headers", {}).get(VIEWER_ADDRESS, ""))
    except ValueError:
        return peer
    return f"{viewer} via {peer}"
