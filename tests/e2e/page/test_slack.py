"""Buttons in Slack on the embedded run: from the message to the pull request, and nowhere if forged."""

from __future__ import annotations

import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pytest_httpserver import HTTPServer

from functions.core.approval.approvals import ApprovalStatus
from functions.core.incidents.incident import Incident, Status
from tests.fakes.channel import Channel, receiving
from tests.fakes.slack import SECRET, Signed, payload, signed

if TYPE_CHECKING:
    from functions.core.apps.app import App
    from tests.e2e.conftest import World

pytestmark = pytest.mark.embedded

SELFHEAL = str(Path(sys.executable).with_name("selfheal"))


@pytest.fixture
def channel(httpserver: HTTPServer) -> Channel:
    return receiving(httpserver)


@pytest.fixture
def app(world: World, channel: Channel, tmp_path: Path) -> App:
    """An app whose team reads its channel, and has named one of its Slack users as an approver."""
    app = world.app(approvers=["slack:U012AB3CD"])
    webhooks = tmp_path / "webhooks"
    webhooks.write_text(channel.webhooks)
    subprocess.run(
        [
            SELFHEAL,
            "configure",
            app.name,
            "--webhooks-file",
            webhooks,
            "--slack-signing-secret-file",
            "-",
            "--local",
        ],
        cwd=Path(world.run.home).parent,
        input=SECRET,
        text=True,
        capture_output=True,
        check=True,
    )
    return app


def asked(world: World, app: App, channel: Channel) -> tuple[Incident, dict[str, Any]]:
    """The incident that waits for a decision, and the message with the buttons."""
    world.log(app)
    incident = world.until(app, Status.AWAITING_APPROVAL)

    def look() -> dict[str, Any] | None:
        return next((message for message in channel.posted if "blocks" in message), None)

    return incident, world.eventually(look, lambda: f"nothing was posted for {app.name}")


def send(world: World, request: Signed) -> int:
    """The status that Slack gets for a request."""
    address = f"{world.target.output('ApprovalUrl')}slack"
    try:
        with urllib.request.urlopen(urllib.request.Request(address, request.body, request.headers)) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_approving_with_a_button_leads_to_the_pull_request(world: World, app: App, channel: Channel) -> None:
    incident, message = asked(world, app, channel)
    elsewhere = f"{channel.url}/not-slack"
    request = signed(payload(message, "approve", response_url=elsewhere))

    assert [send(world, request) for _ in range(2)] == [200, 200]

    incident = world.until(app, Status.PR_OPEN)
    approval = world.approval(incident)
    assert (approval.by, approval.via) == ("slack:U012AB3CD (ana)", "slack")
    (pull,) = world.pulls(app)
    assert "Approved by `slack:U012AB3CD (ana)`" in pull["body"]
    git = ["git", "--git-dir", str(world.repositories / f"{app.slug}.git"), "log", "-1", "--format=%B"]
    message_of_commit = subprocess.run(
        [*git, incident.branch], check=True, capture_output=True, text=True
    ).stdout
    assert "Approved-By: slack:U012AB3CD (ana)" in message_of_commit
    shown = subprocess.run(
        [SELFHEAL, "show", incident.incident_id, "--local"],
        cwd=Path(world.run.home).parent,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "approved by slack:U012AB3CD (ana)" in " ".join(shown.split())
    assert "with a button in Slack" in " ".join(shown.split())
    world.eventually(lambda: len(channel.posted) == 4 or None, lambda: str(channel.texts))
    for text in channel.texts[2:]:
        assert "pull request open" in text, "an address that is not Slack's was told nothing"
        assert incident.pull_request_url in text


def test_a_forged_click_decides_nothing(world: World, app: App, channel: Channel) -> None:
    incident, message = asked(world, app, channel)
    genuine = signed(payload(message, "approve"))
    forgeries = {
        "another secret": signed(payload(message, "approve"), secret="guessed"),
        "an old request": signed(payload(message, "approve"), age=301),
        "altered": Signed(genuine.body.replace(b"U012AB3CD", b"U999ZZ9ZZ"), genuine.headers),
        "unsigned": Signed(genuine.body, {"content-type": genuine.headers["content-type"]}),
    }
    assert {name: send(world, request) for name, request in forgeries.items()} == dict.fromkeys(
        forgeries, 403
    )
    # Signed by Slack, but not one of the app's approvers.
    assert send(world, signed(payload(message, "approve", user="U999ZZ9ZZ"))) == 200
    approval = world.approval(incident)
    assert (approval.status, approval.decision) == (ApprovalStatus.PENDING, "")
    assert world.until(app, Status.AWAITING_APPROVAL).approval_id == approval.approval_id
