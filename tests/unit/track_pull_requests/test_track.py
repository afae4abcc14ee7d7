"""The end of the loop: merged pull requests resolve incidents, closed ones reject them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from functions.core.app import App
from functions.core.forge.connect import connect
from functions.core.incident import ErrorClass, Status
from functions.core.incidents import Incidents
from functions.core.recorder import Recorder, Sighting
from functions.track_pull_requests.track import Tracked, track

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table

    from tests.unit.conftest import Hosted

ID = "orders-f"


@pytest.fixture
def incidents(incidents_table: Table) -> Incidents:
    return Incidents(incidents_table)


@pytest.fixture
def pull_number(hosted: Hosted, incidents: Incidents, recorder: Recorder) -> int:
    """An incident whose pull request is open."""
    hosted.branch("self-heal/x")
    pull = hosted.github.create_pull(base="main", head="self-heal/x", title="Fix", body="")
    record(incidents, recorder, "orders")
    incidents.advance(ID, "arn", status=str(Status.PR_OPEN), pull_request_url=pull.html_url)
    return pull.number


def record(incidents: Incidents, recorder: Recorder, app: str) -> None:
    recorder.record(
        Sighting(
            app,
            "f",
            "KeyError",
            "KeyError",
            ErrorClass.CODE,
            "",
            "",
            "",
            (),
            1,
            "1",
            "1",
            "g",
            "s",
            b"1",
            True,
        )
    )
    incidents.claim(f"{app}-f", "arn")


def run(hosted: Hosted, incidents: Incidents, *others: App) -> Tracked:
    return track([*others, hosted.app], incidents, lambda app: connect(app, hosted.token))


def test_an_open_one_stays_open(hosted: Hosted, incidents: Incidents, pull_number: int) -> None:
    assert run(hosted, incidents) == Tracked((), (), ())
    assert incidents.get(ID).status is Status.PR_OPEN


def test_a_merged_one_resolves(hosted: Hosted, incidents: Incidents, pull_number: int) -> None:
    hosted.github.get_pull(pull_number).merge()
    assert run(hosted, incidents).resolved == (ID,)
    assert incidents.get(ID).status is Status.RESOLVED
    assert run(hosted, incidents) == Tracked((), (), ()), "twice is once"


def test_a_closed_one_rejects_with_the_reason(hosted: Hosted, incidents: Incidents, pull_number: int) -> None:
    hosted.github.get_pull(pull_number).edit(state="closed")
    assert run(hosted, incidents).rejected == (ID,)
    assert "closed without merging" in incidents.get(ID).reason


@pytest.mark.parametrize("address", ["", "javascript:alert(1)", "https://forge/x/pull/<script>", "pull/x/1"])
def test_an_address_that_is_no_pull_request_s_keeps_nobody_waiting(
    hosted: Hosted, incidents: Incidents, recorder: Recorder, pull_number: int, address: str
) -> None:
    record(incidents, recorder, "other")
    incidents.advance("other-f", "arn", status=str(Status.PR_OPEN), pull_request_url=address)
    hosted.github.get_pull(pull_number).merge()
    tracked = run(hosted, incidents, replace(hosted.app, name="other"))
    assert (tracked.resolved, tracked.unreadable) == ((ID,), ("other-f",))


def test_one_app_in_trouble_does_not_keep_the_others_waiting(
    hosted: Hosted, incidents: Incidents, recorder: Recorder, pull_number: int
) -> None:
    broken = replace(hosted.app, name="broken", repository=f"{hosted.forge.url}/shop/nothing.git")
    record(incidents, recorder, "broken")
    incidents.advance("broken-f", "arn", status=str(Status.PR_OPEN), pull_request_url="http://forge/pull/1")
    hosted.github.get_pull(pull_number).merge()
    tracked = run(hosted, incidents, broken)
    assert tracked.resolved == (ID,)
    assert "broken" in tracked.failures[0]
