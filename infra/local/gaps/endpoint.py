"""S3's gateway endpoint, as a function in a subnet without any other route sees it.

Listens inside the function's own network, where S3 is, and passes on what AWS would let through: GET and PUT
of one object by a presigned address (Signature Version 4, verified here: MiniStack does not), as far as the
policy of a gateway endpoint in the function's VPC allows. Headers that the signature does not cover may not
steer S3 (https://docs.aws.amazon.com/AmazonS3/latest/userguide/sigv4-query-string-auth.html).
"""

from __future__ import annotations

import calendar
import hmac
import http.client
import os
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import parse_qsl, quote, unquote, urlsplit
from xml.sax.saxutils import escape

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from infra.local.gaps.patching import service
from infra.local.gaps.runtime_api import RequestHandler, Server

lambda_svc = service("services.lambda_svc")
ec2 = service("services.ec2")
sts = service("services.sts")
iam = service("core.iam_evaluator")

_ACTIONS = {"GET": "s3:GetObject", "PUT": "s3:PutObject"}
_ALGORITHM = "AWS4-HMAC-SHA256"
_SIGNED = frozenset(
    f"X-Amz-{name}"
    for name in ("Algorithm", "Credential", "Date", "Expires", "Security-Token", "Signature", "SignedHeaders")
)
_PASSED_ON = ("content-type", "content-md5")
_MAX_BYTES = 256 * 1024 * 1024


class Denied(Exception):
    """What S3 or the endpoint's policy refuses; the message says why."""


@dataclass(frozen=True, slots=True)
class Presigned:
    """A request by a presigned address, its signature verified."""

    action: str
    resource: str
    """ARN of the object."""
    principal: str
    """ARN of who signed."""
    headers: tuple[str, ...]
    """Names, in lower case, that the signature covers."""


class Endpoint:
    """Serves one environment's socket until it is closed."""

    def __init__(self, listener: socket.socket, config: dict[str, Any]) -> None:
        class Handler(_Handler):
            function = config

        self._server = Server(listener, Handler)

    def close(self) -> None:
        self._server.close()


class _Handler(RequestHandler):
    function: ClassVar[dict[str, Any]]

    def do_GET(self) -> None:  # noqa: N802 (the base class's naming)
        self._pass_on()

    def do_PUT(self) -> None:  # noqa: N802 (the same)
        self._pass_on()

    def _pass_on(self) -> None:
        body = self.content(_MAX_BYTES)
        if body is None:
            return self._refuse(400, "EntityTooLarge", "the object is too large, or its length is not said")
        named = {name.lower(): value for name, value in self.headers.items()}
        try:
            asked = verify(self.command, self.path, named, time.time())
            lambda_svc._run_with_function_config_scope(self.function, _permit, self.function, asked)
        except Denied as denied:
            return self._refuse(403, "AccessDenied", str(denied))
        kept = {name: named[name] for name in (*asked.headers, *_PASSED_ON) if name in named}
        gateway = http.client.HTTPConnection(named["host"])
        gateway.request(self.command, self.path, body if self.command == "PUT" else None, kept)
        answer = gateway.getresponse()
        content = answer.read()
        gateway.close()
        told = {name: value for name in ("Content-Type", "ETag") if (value := answer.headers[name])}
        return self.respond(answer.status, content, told)

    def _refuse(self, status: int, code: str, message: str) -> None:
        text = f"<Error><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
        self.respond(status, text.encode(), {"Content-Type": "application/xml"})


def verify(method: str, target: str, headers: Mapping[str, str], now: float) -> Presigned:
    """What a presigned request asks for. headers: names in lower case. Raises Denied."""
    action = _ACTIONS.get(method)
    if action is None:
        raise Denied(f"{method} is not allowed")
    split = urlsplit(target)
    pairs = parse_qsl(split.query, keep_blank_values=True)
    query = dict(pairs)
    if len(query) != len(pairs) or not query.keys() <= _SIGNED | {"x-id"}:
        raise Denied("the address names more than an object")
    if query.get("X-Amz-Algorithm") != _ALGORITHM:
        raise Denied("the address is not presigned with Signature Version 4")
    signed = tuple(query.get("X-Amz-SignedHeaders", "").split(";"))
    unsigned = [name for name in headers if name.startswith("x-amz-") and name not in signed]
    if unsigned or "host" not in signed or headers.get("host") != _host():
        raise Denied("there are headers which were not signed")
    principal = _verify_signature(method, split.path, pairs, headers, now)
    return Presigned(action, _resource(split.path), principal, signed)


def _verify_signature(
    method: str, path: str, pairs: list[tuple[str, str]], headers: Mapping[str, str], now: float
) -> str:
    query = dict(pairs)
    try:
        key, _, region, name, _ = query["X-Amz-Credential"].split("/")
        signed_at = calendar.timegm(time.strptime(query["X-Amz-Date"], "%Y%m%dT%H%M%SZ"))
        until = signed_at + int(query["X-Amz-Expires"])
        signed = query["X-Amz-SignedHeaders"].split(";")
        values = [f"{header}:{headers[header].strip()}\n" for header in signed]
    except (KeyError, ValueError):
        raise Denied("the address is not complete") from None
    session = sts._sessions.get(key)
    if session is None or session["SessionToken"] != query.get("X-Amz-Security-Token"):
        raise Denied("the address is not signed by a role's session")
    rest = sorted((quote(k, safe="-_.~"), quote(v, safe="-_.~")) for k, v in pairs if k != "X-Amz-Signature")
    canonical = "\n".join(
        (
            method,
            path,
            "&".join(f"{k}={v}" for k, v in rest),
            "".join(values),
            ";".join(signed),
            "UNSIGNED-PAYLOAD",
        )
    )
    auth = SigV4Auth(Credentials(key, session["SecretAccessKey"]), name, region)
    request = AWSRequest(method)
    request.context["timestamp"] = query["X-Amz-Date"]
    expected = auth.signature(auth.string_to_sign(request, canonical), request)
    if not hmac.compare_digest(expected.encode(), query.get("X-Amz-Signature", "").encode()):
        raise Denied("the signature does not match")
    if not signed_at - 900 <= now <= until:
        raise Denied("the address has expired")
    return str(session["Arn"])


def _resource(path: str) -> str:
    """The object's ARN, of a path-style address that cannot be read in two ways."""
    parts = unquote(path).split("/")[1:]
    if len(parts) < 2 or any(part in ("", ".", "..") for part in parts):
        raise Denied("the address names no object")
    return f"arn:aws:s3:::{'/'.join(parts)}"


def _permit(function: Mapping[str, Any], asked: Presigned) -> None:
    """Raise Denied unless a gateway endpoint that the function's subnets have a route to allows it."""
    account, region = asked.principal.split(":")[4], function["FunctionArn"].split(":")[3]
    context = iam.EvalContext(
        principal_arn=asked.principal,
        principal_type="AssumedRole",
        principal_account=account,
        action=asked.action,
        resource_arn=asked.resource,
        region=region,
    )
    for endpoint in _endpoints(function, region):
        if iam.evaluate_resource_policy(endpoint["PolicyDocument"], context).decision == "Allow":
            return
    raise Denied("no gateway endpoint of the function's subnets allows it")


def _endpoints(function: Mapping[str, Any], region: str) -> list[dict[str, Any]]:
    network = function.get("VpcConfig") or {}
    subnets = set(network.get("SubnetIds") or ())
    routes = {
        identifier
        for identifier, table in ec2._route_tables.items()
        if any(each.get("SubnetId") in subnets for each in table.get("Associations", ()))
    }
    return [
        endpoint
        for endpoint in ec2._vpc_endpoints.values()
        if endpoint["VpcId"] == network.get("VpcId")
        and endpoint["ServiceName"] == f"com.amazonaws.{region}.s3"
        and endpoint["VpcEndpointType"] == "Gateway"
        and routes & set(endpoint["RouteTableIds"])
    ]


def _host() -> str:
    return f"127.0.0.1:{os.environ['GATEWAY_PORT']}"
