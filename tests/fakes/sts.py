"""AWS STS as far as GetCallerIdentity goes: it answers whose signature a request bears, and verifies it.

As AWS does: every header that the signature names counts with its value, and a header of AWS's own that is
not signed is refused; 15 minutes are allowed.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from xml.sax.saxutils import escape

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from tests.fakes.web import answered_by

ACCOUNT = "123456789012"
REGION = "us-east-1"
_ANSWER = (
    '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>'
    "<Arn>{}</Arn><UserId>AIDA</UserId><Account>{}</Account></GetCallerIdentityResult>"
    "<ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></GetCallerIdentityResponse>"
)
_ERROR = (
    "<ErrorResponse><Error><Type>Sender</Type><Code>{}</Code><Message>no</Message></Error></ErrorResponse>"
)


@dataclass
class Sts:
    """Running, with the keys it knows: id → who that is."""

    url: str
    people: dict[str, str] = field(default_factory=dict)
    asked: list[dict[str, str]] = field(default_factory=list)
    """Headers of every request, names in lower case."""
    instead: tuple[int, dict[str, str]] | None = None
    """Status and headers of every answer, whatever is asked."""

    @property
    def client(self) -> Any:
        """As the function has it: its own credentials are not asked for."""
        return boto3.client("sts", REGION, endpoint_url=self.url)

    def credentials(self, who: str, token: str | None = None) -> Credentials:
        """New ones of somebody: an ARN."""
        key = f"AKIA{len(self.people):016d}"
        self.people[key] = who
        return Credentials(key, f"secret of {key}", token)

    def answer(self, method: str, path: str, headers: dict[str, str]) -> tuple[int, str]:
        self.asked.append(headers)
        if self.instead:
            return self.instead[0], ""
        scheme, _, rest = headers.get("authorization", "").partition(" ")
        parts = dict(part.strip().split("=", 1) for part in rest.split(","))
        key = parts["Credential"].split("/")[0]
        signed = parts["SignedHeaders"].split(";")
        if key not in self.people or scheme != "AWS4-HMAC-SHA256":
            return 403, _ERROR.format("InvalidClientTokenId")
        if [name for name in headers if name.startswith("x-amz-") and name not in signed]:
            return 403, _ERROR.format("SignatureDoesNotMatch")
        at = datetime.strptime(headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        if abs((datetime.now(UTC) - at).total_seconds()) > 900:
            return 403, _ERROR.format("SignatureDoesNotMatch")
        request = AWSRequest(method, self.url + path, headers={n: headers.get(n, "") for n in signed})
        request.context["timestamp"] = headers["x-amz-date"]
        auth = SigV4Auth(Credentials(key, f"secret of {key}"), "sts", REGION)
        canonical = auth.canonical_request(request)
        expected = auth.signature(auth.string_to_sign(request, canonical), request)
        if not hmac.compare_digest(expected, parts["Signature"]):
            return 403, _ERROR.format("SignatureDoesNotMatch")
        return 200, _ANSWER.format(escape(self.people[key]), self.people[key].split(":")[4])


def serving(server: HTTPServer) -> Sts:
    def answer(request: Request) -> Response:
        named = {name.lower(): value for name, value in request.headers.items()}
        path = request.full_path if request.query_string else request.path
        status, body = sts.answer(request.method, path, named)
        return Response(body, status, sts.instead[1] if sts.instead else {}, mimetype="text/xml")

    sts = Sts(answered_by(server, answer))
    return sts
