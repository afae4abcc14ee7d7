"""The canary logs what the test app would, begins anew each day, and says when nothing came of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from functions.canary import step as canary
from functions.core.aws.deployment import Deployment
from functions.core.aws.settings import Settings
from functions.core.incidents.incident import Status
from functions.detect_errors.events import LogEvent, read_events
from infra.packaging import ROOT

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table

GROUP = "/self-heal/canary"


@pytest.fixture
def deployment(incidents_table: Table) -> Deployment:
    boto3.client("logs").create_log_group(logGroupName=GROUP)
    settings = Settings(incidents_table=incidents_table.name, canary_app="canary", canary_log_group=GROUP)
    return Deployment(settings)


@pytest.fixture
def put(incidents_table: Table) -> Callable[[Status], str]:
    """Writes the app's incident; its id."""

    def write(status: Status) -> str:
        item = {"incident_id": "canary-v1-1", "app": "canary", "fingerprint": "v1-1", "status": str(status)}
        item |= {
            "error_type": "KeyError",
            "title": "KeyError: 'NZ'",
            "last_seen": "2026-11-20T10:00:00.000+00:00",
        }
        incidents_table.put_item(Item={**item, "generation": 1})
        return item["incident_id"]

    return write


def logged() -> list[str]:
    return [row["message"] for row in boto3.client("logs").filter_log_events(logGroupName=GROUP)["events"]]


def test_what_it_logs_is_what_the_file_that_people_push_would_raise() -> None:
    file = ROOT / "infra" / "canary" / "rates.py"
    namespace: dict[str, Any] = {}
    exec(compile(file.read_text(), "rates.py", "exec"), namespace)
    (error,) = read_events([LogEvent("1", 1, canary.KNOWN_ERROR)])
    (frame,) = error.frames

    with pytest.raises(KeyError, match="NZ"):
        namespace["rate"]("NZ")
    assert (Path(frame.file).name, frame.function) == (file.name, "rate")
    assert frame.line
    assert file.read_text().splitlines()[frame.line - 1].strip() == "return RATES[country]"


def test_the_first_time_there_is_nothing_but_the_log(deployment: Deployment) -> None:
    assert canary.run({"do": "check"}, deployment)["outcome"] == "overdue"
    assert canary.run({"do": "begin"}, deployment) == {"outcome": "begun", "incident_id": "", "status": ""}
    assert logged() == [canary.KNOWN_ERROR]


@pytest.mark.parametrize("status", Status)
def test_it_begins_once_what_was_before_is_over_and_rests_until_then(
    status: Status, deployment: Deployment, put: Callable[[Status], str]
) -> None:
    incident_id = put(status)

    found = canary.run({"do": "begin"}, deployment)

    assert found["outcome"] == ("resting" if status.is_open else "begun")
    now = deployment.incidents.get(incident_id).status
    assert now is (status if status.is_open else Status.RESOLVED), "so that seeing it again is a heal"
    assert bool(logged()) is not status.is_open


@pytest.mark.parametrize("status", Status)
def test_an_alarm_rings_for_all_but_a_proven_patch(
    status: Status, deployment: Deployment, put: Callable[[Status], str]
) -> None:
    incident_id = put(status)
    proven = status in (Status.PROPOSED, Status.AWAITING_APPROVAL)

    assert canary.run({"do": "check"}, deployment) == {
        "outcome": "proven" if proven else "overdue",
        "canary_failed": int(not proven),
        "incident_id": incident_id,
        "status": status,
    }
    assert logged() == []
