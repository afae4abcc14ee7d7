"""Where people sign in first: from the mailed link, over the provider, to a decision in one's own name.

The stack is the synthesised one, on the embedded AWS: its HTTP API checks every token against the provider's
keys. In front of it stands the real viewer-request function behind TLS, at the very address that is mailed,
because browsers keep `__Host-` cookies for nothing less.
"""

from __future__ import annotations

import base64
import json
import re
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from html import unescape
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import urllib3
from playwright.sync_api import Browser, expect

from functions.core.approval.approvals import ApprovalStatus
from functions.core.incidents.incident import Status
from functions.sign_in.cookies import SESSION
from infra.local import run as embedded
from infra.local.deploy import deploy
from infra.local.emulator import Emulator
from infra.names import DEFAULT
from infra.synth import synthesise
from tests.e2e.conftest import TOKEN, World
from tests.e2e.page.conftest import launch
from tests.e2e.page.test_accessibility import violations
from tests.fakes.edge import ISSUER, WITH_SIGN_IN, Edge
from tests.fakes.forge import Forge
from tests.fakes.oidc import OidcProvider, new_key, sign
from tests.fakes.scripted_model import ScriptedModel

if TYPE_CHECKING:
    from tests.e2e.page.conftest import Watched

pytestmark = pytest.mark.embedded

ANA, BEN, EVE = "ana@shop.example", "ben@shop.example", "eve@elsewhere.example"


@pytest.fixture(scope="module")
def provider() -> Iterator[OidcProvider]:
    with OidcProvider(new_key(), asks=True) as running:
        yield running


@pytest.fixture(scope="module")
def world(
    provider: OidcProvider, scripted_model: ScriptedModel, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    """The stack with sign-in, on an AWS of its own: functions have the same names in every deployment."""
    home = tmp_path_factory.mktemp("signed-in")
    assembly = home / "assembly"
    shutil.copytree(synthesise(packaging="zip", context=WITH_SIGN_IN), assembly)
    for path in assembly.glob("*.json"):
        path.write_text(path.read_text().replace(ISSUER, provider.url))
    forge = Forge(home / "forge", TOKEN)
    forge.start()
    with Emulator(home / "aws", bedrock_url=scripted_model.url, wait_scale=0.02) as aws:
        outputs = deploy(assembly, DEFAULT.stack, aws)
        ports = {"aws": _port(aws.endpoint), "forge": _port(forge.url)}
        run = embedded.EmbeddedRun(str(home), "", ports, own_model=scripted_model.url, outputs=outputs)
        yield World(run, forge, scripted_model, home / "sources", home / "forge")
    forge.stop()


def _port(address: str) -> int:
    return int(address.rsplit(":", 1)[1])


@dataclass
class Front:
    """The edge, and ways past it."""

    world: World
    edge: Edge
    http: urllib3.PoolManager

    @property
    def base(self) -> str:
        return self.world.target.output("ApprovalUrl")

    def ask(
        self, method: str, address: str, session: str = "", form: dict[str, str] | None = None, **headers: str
    ) -> urllib3.BaseHTTPResponse:
        """A request as any client may send it."""
        if session:
            headers["cookie"] = f"{SESSION}={session}"
        return self._send(method, f"https://127.0.0.1:{self.edge.port}", address, form, headers)

    def past_cloudfront(
        self, method: str, address: str, token: str = "", form: dict[str, str] | None = None
    ) -> urllib3.BaseHTTPResponse:
        """A request straight to the API, which is on the internet as well."""
        headers = {"host": self.edge.host}
        if token:
            headers["authorization"] = f"Bearer {token}"
        return self._send(method, self.edge.origin, address, form, headers)

    def _send(
        self, method: str, place: str, address: str, form: dict[str, str] | None, headers: dict[str, str]
    ) -> urllib3.BaseHTTPResponse:
        if form is not None:
            headers["content-type"] = "application/x-www-form-urlencoded"
        return self.http.request(
            method,
            place + address.replace(self.base, "/"),
            body=urlencode(form) if form is not None else None,
            headers=headers,
            redirect=False,
        )


@pytest.fixture(scope="module")
def front(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    resources = world.client("cloudformation").list_stack_resources(StackName=DEFAULT.stack)
    (api,) = [
        resource["PhysicalResourceId"]
        for resource in resources["StackResourceSummaries"]
        if resource["ResourceType"] == "AWS::ApiGatewayV2::Api"
    ]
    scratch = tmp_path_factory.mktemp("edge")
    with (
        Edge(world.run.endpoint, f"{api}.execute-api.127.0.0.1", scratch) as edge,
        urllib3.PoolManager(retries=False, ca_certs=str(edge.certificate), assert_hostname=False) as http,
    ):
        yield Front(world, edge, http)


@pytest.fixture(scope="module")
def chromium(chromium: Browser, front: Front) -> Iterator[Browser]:
    """A Chromium for which the distribution's address leads to the edge."""
    browser = launch(
        chromium.browser_type, f"--host-resolver-rules=MAP *.cloudfront.net 127.0.0.1:{front.edge.port}"
    )
    yield browser
    browser.close()


def test_who_signs_in_decides_and_nobody_else(
    world: World,
    front: Front,
    provider: OidcProvider,
    links_for: Callable[..., list[str]],
    someone: Callable[..., Watched],
) -> None:
    app = world.app(approvers=[ANA, BEN])
    world.log(app)
    link = links_for(app, count=2)[0]
    assert link.startswith(front.base)
    incident = world.until(app, Status.AWAITING_APPROVAL)
    page_of_ana = front.ask("GET", link, provider.token(email=ANA, email_verified=True)).data.decode()
    form = {
        "decision": "approve",
        "form": unescape(re.findall(r'name="form" value="([^"]+)"', page_of_ana)[0]),
    }

    refuses_what_the_provider_did_not_issue_now_for_us(front, provider, link, form)
    assert world.approval(incident).status is ApprovalStatus.PENDING

    provider.claims = {"email": BEN, "email_verified": True}
    ben = someone(ignore_https_errors=True)
    page = ben.open(link)
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in at the provider")
    began = int(time.time())
    page.get_by_role("button", name=f"Continue as {BEN}").click()
    expect(page).to_have_url(link)
    expect(page.get_by_role("heading", level=1)).to_contain_text("KeyError")
    expect(page.locator("body")).to_contain_text(f"Recorded as {BEN}")
    (session,) = [cookie for cookie in ben.context.cookies() if cookie["name"] == SESSION]
    assert (session["httpOnly"], session["secure"], session["sameSite"]) == (True, True, "Lax")
    assert began - 1 <= session["expires"] - provider.life <= time.time()  # Max-Age is whole seconds
    assert [cookie["name"] for cookie in ben.context.cookies([front.base])] == [SESSION]

    # The session ends while Ben reads: nothing is decided, and he is told so.
    ben.context.clear_cookies(name=SESSION)
    page.get_by_role("button", name="Approve this patch").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Your session has ended")
    assert violations(page) == []
    assert world.approval(incident).status is ApprovalStatus.PENDING
    page.get_by_role("link", name="Sign in and go on").click()
    page.get_by_role("button", name=f"Continue as {BEN}").click()
    expect(page).to_have_url(link)

    page.goto(f"{front.base}list")
    page.get_by_role("link", name="Read and decide").click()
    page.get_by_role("button", name="Approve this patch").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("You approved the patch")
    approval = world.approval(world.until(app, Status.PR_OPEN))
    assert (approval.by, approval.via) == (BEN, "sign_in")
    assert approval.source_ip == "127.0.0.1 via 127.0.0.1"
    # The page that follows the decision loads itself anew, and would break off going elsewhere from it.
    page = ben.open(f"{front.base}list")
    page.get_by_role("link", name="Sign out").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("You are signed out")
    assert not ben.context.cookies([front.base])
    assert not ben.dialogs + ben.violations


def refuses_what_the_provider_did_not_issue_now_for_us(
    front: Front, provider: OidcProvider, link: str, form: dict[str, str]
) -> None:
    """Through CloudFront or past it, nothing counts but a token of the provider, for us, of now."""
    good = provider.token(email=ANA, email_verified=True)
    claims = json.loads(base64.urlsafe_b64decode(good.split(".")[1] + "=="))
    body = good.split(".")[1]
    unsigned = base64.urlsafe_b64encode(json.dumps({"alg": "none", "kid": "key-1"}).encode()).decode()
    refused = {
        "signed by somebody else": sign(claims, new_key()),
        "changed": sign({**claims, "email": BEN}, new_key()).rpartition(".")[0] + "." + good.split(".")[2],
        "without a signature": f"{unsigned.rstrip('=')}.{body}.",
        "with half a signature": good[:-40],
        "expired": provider.token(email=ANA, email_verified=True, exp=int(time.time()) - 1),
        "for another client": provider.token(email=ANA, email_verified=True, aud="another-client"),
        "of another issuer": provider.token(email=ANA, email_verified=True, iss="https://elsewhere.example"),
        "no token": "x",
    }
    for what, token in refused.items():
        for method, sent in (("GET", None), ("POST", form)):
            for answer in (
                front.ask(method, link, token, sent),
                front.past_cloudfront(method, link, token, sent),
            ):
                assert (answer.status, b"KeyError" in answer.data) == (401, False), what
    # No token at all: sent to sign in, or told that nothing was decided; never let through.
    for address, status in ((link, 303), (f"{front.base}list", 303)):
        assert front.ask("GET", address, authorization=f"Bearer {good}").status == status
        assert front.past_cloudfront("GET", address).status == 401
    ended = front.ask("POST", link, form=form)
    assert urlsplit(ended.headers["location"]).path == "/sign-in/ended"
    assert parse_qs(urlsplit(ended.headers["location"]).query)["to"] == [link.replace(front.base, "/")]
    assert front.past_cloudfront("POST", link, form=form).status == 401
    # A good token of somebody who is no approver, or nobody: no business here, and no word of the incident.
    for person in ({"email": EVE, "email_verified": True}, {"email": ANA, "email_verified": False}):
        for method, sent in (("GET", None), ("POST", form)):
            answer = front.ask(method, link, provider.token(**person), sent)
            assert (answer.status, b"KeyError" in answer.data) == (403, False)
    # A good token and an approver, but no link.
    assert front.ask("POST", link.partition("?")[0], good, form).status == 403
    # Slack's clicks get through to where their signature is checked.
    click = front.ask("POST", f"{front.base}slack", form={"payload": "{}"})
    assert (click.status, click.data) == (403, b"Nothing was decided.")
    # Nor is there a function URL beside it.
    urls = front.world.client("lambda").list_function_url_configs(FunctionName="self-heal-decide-approval")
    assert urls["FunctionUrlConfigs"] == []
