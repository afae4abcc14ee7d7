"""Which stream records start a heal. Judged by an independent implementation of event patterns."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from moto.events.models import EventPattern

from functions.core.incidents.incident import Status

if TYPE_CHECKING:
    from tests.infra.conftest import Template

OTHERS = [status for status in Status if status is not Status.NEW]


@pytest.fixture(scope="module")
def pipe(image_template: Template) -> dict[str, Any]:
    pipes = image_template.of_type("AWS::Pipes::Pipe").values()
    (found,) = (pipe for pipe in pipes if pipe["Name"] == "self-heal-workflow")
    return dict(found)


def record_of(old: str | None, new: str | None, event_name: str) -> Any:
    """A stream record of an item that had and has these statuses; None: no image, "": no status."""
    images = {"OldImage": old, "NewImage": new}
    found = {
        image: {"incident_id": {"S": "orders-1a2b"}} | ({"status": {"S": str(status)}} if status else {})
        for image, status in images.items()
        if status is not None
    }
    return {"eventName": event_name, "eventSource": "aws:dynamodb", "dynamodb": found}


def starts(pipe: dict[str, Any], old: str | None, new: str | None, event_name: str = "MODIFY") -> bool:
    """Whether a record passes the filter: any of its patterns suffices."""
    record = record_of(old, new, event_name)
    patterns = [f["Pattern"] for f in pipe["SourceParameters"]["FilterCriteria"]["Filters"]]
    return any(EventPattern.load(pattern).matches_event(record) for pattern in patterns)


def test_a_new_incident_starts_a_heal(pipe: dict[str, Any]) -> None:
    assert starts(pipe, None, Status.NEW, "INSERT")


@pytest.mark.parametrize("old", OTHERS)
def test_an_incident_that_becomes_new_again_starts_a_heal(old: Status, pipe: dict[str, Any]) -> None:
    assert starts(pipe, old, Status.NEW)


def test_another_occurrence_of_a_new_incident_starts_nothing(pipe: dict[str, Any]) -> None:
    assert not starts(pipe, Status.NEW, Status.NEW)


@pytest.mark.parametrize("new", OTHERS)
@pytest.mark.parametrize("old", [None, *Status])
def test_no_other_status_starts_a_heal(old: Status | None, new: Status, pipe: dict[str, Any]) -> None:
    assert not starts(pipe, old, new)


@pytest.mark.parametrize("old", [None, ""])
def test_an_item_without_a_status_starts_nothing(old: str | None, pipe: dict[str, Any]) -> None:
    """The table also keeps what each app spent on a day."""
    assert not starts(pipe, old, "")


@pytest.mark.parametrize("old", Status)
def test_an_expired_incident_starts_nothing(old: Status, pipe: dict[str, Any]) -> None:
    assert not starts(pipe, old, None, "REMOVE")


def test_the_filter_does_not_use_the_event_name(pipe: dict[str, Any]) -> None:
    assert "eventName" not in json.dumps(pipe["SourceParameters"]["FilterCriteria"])
    assert starts(pipe, None, Status.NEW, "anything")


def test_one_record_is_one_execution_and_carries_only_the_id(pipe: dict[str, Any]) -> None:
    source = pipe["SourceParameters"]["DynamoDBStreamParameters"]

    assert source["BatchSize"] == 1
    assert source["StartingPosition"] == "TRIM_HORIZON"
    assert json.loads(pipe["TargetParameters"]["InputTemplate"]) == {
        "incident_id": "<$.dynamodb.NewImage.incident_id.S>"
    }
    assert pipe["TargetParameters"]["StepFunctionStateMachineParameters"] == {
        "InvocationType": "FIRE_AND_FORGET"
    }


def test_what_cannot_be_started_ends_in_the_queue(pipe: dict[str, Any], image_template: Template) -> None:
    source = pipe["SourceParameters"]["DynamoDBStreamParameters"]

    assert (source["MaximumRetryAttempts"], source["MaximumRecordAgeInSeconds"]) == (20, 3600)
    assert source["DeadLetterConfig"]["Arn"] == image_template.arn("UnstartedHeals", "AWS::SQS::Queue")
