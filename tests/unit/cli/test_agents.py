"""`selfheal mcp`, asked by the protocol's own client."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

import fastjsonschema
import pytest
from mcp import Client, StdioServerParameters
from mcp.types import CallToolResult

from infra.cli.agents import server
from infra.cli.schemas import schema
from infra.target import Target

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table

Answer = TypeVar("Answer")
LOG = "Traceback (most recent call last):\n  File \"/var/task/app.py\", line 3, in run\nKeyError: 'NZ'\n"


def ran(asking: Coroutine[Any, Any, Answer]) -> Answer:
    """In a thread of its own: what drives the browser keeps a loop running in this one."""
    with ThreadPoolExecutor(1) as apart:
        return apart.submit(asyncio.run, asking).result()


def asked(served: Any, tool: str, **arguments: Any) -> CallToolResult:
    async def ask() -> CallToolResult:
        async with Client(served) as client:
            return await client.call_tool(tool, arguments)

    return ran(ask())


def test_all_tools_only_read(target: Target) -> None:
    async def listed() -> dict[str, Any]:
        async with Client(server(lambda: target)) as client:
            found = await client.list_tools()
            return {one.name: one.annotations and one.annotations.read_only_hint for one in found.tools}

    assert ran(listed()) == dict.fromkeys(("incidents", "show", "history", "explain"), True)


def test_they_say_what_the_commands_say(target: Target, put: Callable[..., str]) -> None:
    served = server(lambda: target)
    target.outputs.update(ArtifactsBucket="artifacts")
    put(1)
    put(2, status="RESOLVED", title="TypeError: x")
    listed = asked(served, "incidents", search="TypeError").structured_content
    assert listed
    assert (listed["schema"], listed["total"]) == ("incidents/1", 1)
    shown = asked(served, "show", incident_id="orders-v1-00001").structured_content
    assert shown
    assert (shown["schema"], shown["incident"]["title"], shown["link"]) == ("show/1", "KeyError: 1", "")
    fastjsonschema.compile(schema("show/1"))(shown)


def test_what_goes_wrong_is_said_with_what_to_do(target: Target) -> None:
    said = asked(server(lambda: target), "show", incident_id="nothing")
    assert said.is_error
    assert "Next: list them with: selfheal incidents" in str(said.content)


def test_it_is_served_over_standard_input_and_output_and_needs_no_aws_before_it_is_asked_for_it() -> None:
    started = StdioServerParameters(
        command=sys.executable,
        args=["-c", "from infra.cli.main import main; main()", "mcp"],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    found = asked(started, "explain", log=LOG).structured_content
    assert found
    assert [error["type"] for error in found["errors"]] == ["KeyError"]


@pytest.mark.parametrize("incident_id", ["", "heals#orders#1"])
def test_what_names_no_incident_is_said_to(incident_id: str, target: Target, incidents_table: Table) -> None:
    """The table holds counters, too, which are nobody's incident."""
    incidents_table.put_item(Item={"incident_id": "heals#orders#1", "executions": {"arn"}})
    said = asked(server(lambda: target), "show", incident_id=incident_id)
    assert said.is_error
    assert "list them with: selfheal incidents" in str(said.content)


def test_an_answer_about_a_log_names_so_many_errors_and_no_more(target: Target) -> None:
    found = asked(server(lambda: target), "explain", log=LOG * 300).structured_content
    assert found
    assert len(found["errors"]) == 200
