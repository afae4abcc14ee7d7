"""Events of an incident's life: which writes are told, what is told of them, and that the schema says so.

Patterns are judged by an independent implementation of event patterns.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fastjsonschema
import pytest
import yaml  # type: ignore[import-untyped]  # read in one test only
from moto.events.models import EventPattern

from functions.core.incidents.incident import ErrorClass, Incident, Status
from infra.life_events import DETAIL_TYPE, SOURCE, schema
from infra.local.gaps.pipes import render
from tests.infra.test_pipe import record_of

if TYPE_CHECKING:
    from tests.infra.conftest import Template

EXAMPLES = sorted((Path(__file__).parents[2] / "infra" / "examples").glob("*.yaml"))
ITEM = Incident(
    *("orders-v1-1a2b", "v1-1a2b", "orders", Status.NEW, "KeyError", "KeyError: '\"}, {\"'"),
    updated_at="2027-01-15T08:00:00.000+00:00",
)


@pytest.fixture(scope="module")
def pipe(image_template: Template) -> dict[str, Any]:
    (found,) = (
        pipe
        for pipe in image_template.of_type("AWS::Pipes::Pipe").values()
        if pipe["Name"] == "self-heal-life-events"
    )
    return dict(found)


def told(pipe: dict[str, Any], old: str | None, new: str | None) -> bool:
    filters = pipe["SourceParameters"]["FilterCriteria"]["Filters"]
    record = record_of(old, new, "MODIFY")
    return any(EventPattern.load(each["Pattern"]).matches_event(record) for each in filters)


@pytest.mark.parametrize("new", Status)
@pytest.mark.parametrize("old", [None, *Status])
def test_every_change_of_status_is_told_and_no_other_write(
    old: Status | None, new: Status, pipe: dict[str, Any]
) -> None:
    assert told(pipe, old, new) is (old != new)


@pytest.mark.parametrize("old", [None, ""])
@pytest.mark.parametrize("new", [None, ""])
def test_what_is_no_incident_is_not_told(old: str | None, new: str | None, pipe: dict[str, Any]) -> None:
    assert not told(pipe, old, new)


@pytest.mark.parametrize("old", Status)
def test_an_expired_incident_is_not_told(old: Status, pipe: dict[str, Any]) -> None:
    assert not told(pipe, old, None)


def test_the_filter_keeps_to_what_a_pipe_takes(pipe: dict[str, Any]) -> None:
    filters = pipe["SourceParameters"]["FilterCriteria"]["Filters"]
    assert len(filters) <= 5
    assert all(len(each["Pattern"]) <= 4096 for each in filters)


def detail(pipe: dict[str, Any]) -> Any:
    """What the pipe makes of the stream's record of ITEM."""
    image = {
        name: {"N": str(value)} if isinstance(value, int) else {"S": str(value)}
        for name, value in ITEM.to_json().items()
    }
    text = render(pipe["TargetParameters"]["InputTemplate"], {"dynamodb": {"NewImage": image}})
    return json.loads(text)


def test_an_event_is_what_its_registered_schema_says(pipe: dict[str, Any], image_template: Template) -> None:
    (registered,) = image_template.of_type("AWS::EventSchemas::Schema").values()
    content = json.loads(registered["Content"])
    assert content == schema()
    assert registered["SchemaName"] == f"{SOURCE}@IncidentStatusChange"
    bus = pipe["TargetParameters"]["EventBridgeEventBusParameters"]
    assert (bus["Source"], bus["DetailType"]) == (SOURCE, DETAIL_TYPE)

    described = content["components"]["schemas"]["IncidentStatusChange"]
    event = detail(pipe)
    assert set(event) == set(described["properties"]) == set(described["required"])
    fastjsonschema.compile(described)(event)
    assert described["properties"]["status"]["enum"] == [str(status) for status in Status]
    assert described["properties"]["error_class"]["enum"] == [str(each) for each in ErrorClass]


def test_nothing_that_strangers_write_travels_unescaped(pipe: dict[str, Any]) -> None:
    template = pipe["TargetParameters"]["InputTemplate"]
    written = ("title", "error_type", "sample", "reason", "next_action", "place", "frames", "log_group")
    assert not any(f".{name}." in template for name in written)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_examples_are_templates_whose_rules_hear_what_is_told(path: Path, pipe: dict[str, Any]) -> None:
    cfn_lint = str(Path(sys.executable).with_name("cfn-lint"))
    done = subprocess.run([cfn_lint, "--template", str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout

    resources = yaml.safe_load(path.read_text())["Resources"].values()
    rules = [each["Properties"] for each in resources if each["Type"] == "AWS::Events::Rule"]
    assert rules
    for rule in rules:
        for status in rule["EventPattern"].get("detail", {}).get("status", ["NEW"]):
            event: Any = {"source": SOURCE, "detail-type": DETAIL_TYPE}
            event["detail"] = detail(pipe) | {"status": status}
            assert EventPattern.load(json.dumps(rule["EventPattern"])).matches_event(event)
            assert status in list(Status)
        for target in rule["Targets"]:
            sent = target["InputTransformer"]["InputTemplate"]
            for name, path_ in target["InputTransformer"]["InputPathsMap"].items():
                value = detail(pipe)[path_.removeprefix("$.detail.")]
                sent = sent.replace(f"<{name}>", value)
            body = json.loads(sent)
            assert "<" not in sent
            assert all(json.loads(event) for event in body.get("events", []))
