"""AWS STS as far as GetCallerIdentity goes: it answers whose signature a request bears, and verifies it.

As AWS does: every header that the signature names counts with its value, and a header of AWS's own that is
not signed is refused; 15 minutes are allowed.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from xml.sax.saxutils import escape

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

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


@contextmanager
def running() -> Iterator[Sts]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            named = {name.lower(): value for name, value in self.headers.items()}
            status, body = sts.answer("GET", self.path, named)
            self.send_response(status)
            for name, value in (sts.instead[1] if sts.instead else {}).items():
                self.send_header(name, value)
            self.send_header("Content-Type", "text/xml")
            self.send_header("Content-Length", str(len(body.encode())))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *args: Any) -> None:
            """Stay silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    sts = Sts(f"http://127.0.0.1:{server.server_address[1]}")
    thread = Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield sts
    server.shutdown()
    server.server_close()
    thread.join()
