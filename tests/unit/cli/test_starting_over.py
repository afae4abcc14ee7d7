"""`retry`, `clear` and `redrive`: what is over starts again, and what cannot says why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.stub import Stubber

from functions.core.incidents.incident import Incident, Status
from functions.core.incidents.table import Incidents
from functions.report_failure.failure import STOPPED_BEFORE
from infra.cli.history import as_it_runs
from infra.cli.redrive import Redrivable, redrive_all
from infra.cli.retry import AGAIN
from infra.names import DEFAULT
from infra.target import Target
from tests.unit.cli.conftest import Selfheal

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table


def test_whatever_is_over_without_a_fix_starts_over_and_nothing_else_does(
    put: Callable[..., str],
    register: Callable[..., None],
    selfheal: Selfheal,
    incidents_table: Table,
    execution: str,
) -> None:
    register("orders")
    incidents = Incidents(incidents_table)
    for number, status in enumerate(Status):
        name = put(number, status=str(status), execution_arn=execution, reason="no", attempts=2)

        ran = selfheal("retry", name)

        now = incidents.get(name)
        if status in AGAIN:
            assert (ran.exit_code, now.status, now.generation) == (0, Status.NEW, 2), ran.text
            assert (now.execution_arn, now.reason, now.attempts) == ("", "", 0)
            assert now.branch_name.endswith("-2")
        else:
            assert (ran.exit_code, now.status, now.generation) == (1, status, 1)
            assert f"is {status}: " in ran.text


@pytest.fixture
def execution(aws: None) -> str:
    """One that is under way."""
    states = boto3.client("stepfunctions")
    machine = states.create_state_machine(
        name="self-heal-workflow",
        definition='{"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}',
        roleArn="arn:aws:iam::123456789012:role/r",
    )["stateMachineArn"]
    return str(states.start_execution(stateMachineArn=machine, name="heal-1")["executionArn"])


@pytest.mark.parametrize("status", ["HEALING", "AWAITING_APPROVAL"])
@pytest.mark.parametrize("end", ["aborted", "gone"])
def test_a_heal_that_died_without_a_report_starts_over(
    end: str,
    status: str,
    execution: str,
    put: Callable[..., str],
    register: Callable[..., None],
    selfheal: Selfheal,
    incidents_table: Table,
) -> None:
    """The event that tells of it is sent at best: without this, nothing would ever heal the error again."""
    register("orders")
    if end == "aborted":
        boto3.client("stepfunctions").stop_execution(executionArn=execution)
    name = put(status=status, execution_arn=execution + ("-of-long-ago" if end == "gone" else ""))

    ran = selfheal("retry", name)

    now = Incidents(incidents_table).get(name)
    assert (ran.exit_code, now.status, now.generation) == (0, Status.NEW, 2), ran.text


def test_a_failed_heal_that_was_redriven_is_followed_as_one_that_goes_on(
    execution: str, put: Callable[..., str], target: Target
) -> None:
    """Its steps write the incident's status only when they end: until then it still says that it failed."""
    incident = target.incidents.get(put(status="FAILED", execution_arn=execution, reason="the forge is down"))
    redriven = as_it_runs(target, incident)
    boto3.client("stepfunctions").stop_execution(executionArn=execution)
    assert (redriven.status, redriven.reason) == (Status.HEALING, "")
    assert as_it_runs(target, incident) == incident


def test_a_heal_that_waits_for_its_turn_is_said_to(put: Callable[..., str], selfheal: Selfheal) -> None:
    ran = selfheal("history", put(status="NEW"))
    assert ran.exit_code == 1
    assert "waits for its turn" in ran.text


def test_many_start_over_by_filter_once_it_is_confirmed_and_a_dry_run_changes_nothing(
    put: Callable[..., str], register: Callable[..., None], selfheal: Selfheal
) -> None:
    register("orders")
    register("billing")
    wanted = [put(number, status="ABSTAINED") for number in range(3)]
    put(7, app="billing", status="ABSTAINED")
    filters = ("--app", "orders", "--status", "abstained")

    dry = selfheal("retry", *filters, "--dry-run", "--json").document
    refused = selfheal("retry", *filters, stdin="n\n")
    done = selfheal("retry", *filters, "--yes", "--json").document

    assert (sorted(dry["chosen"]), dry["changed"], dry["schema"]) == (wanted, [], "retry/1")
    assert refused.exit_code == 1
    assert sorted(row["incident_id"] for row in done["changed"]) == wanted
    assert {row["generation"] for row in done["changed"]} == {2}
    assert selfheal("retry").exit_code == 2


@pytest.mark.parametrize(
    ("entry", "stopped", "said"),
    [
        ({"paused": True}, False, "selfheal apps resume orders"),
        ({}, True, "selfheal start"),
        (None, False, "selfheal apps list"),
    ],
)
def test_nothing_is_started_over_that_would_be_held_back_at_once(
    entry: dict[str, Any] | None,
    stopped: bool,
    said: str,
    put: Callable[..., str],
    register: Callable[..., None],
    selfheal: Selfheal,
) -> None:
    name = put(status="REJECTED")
    if entry is not None:
        register("orders", **entry)
    if stopped:
        boto3.client("ssm").put_parameter(Name=DEFAULT.switch, Value="now", Type="String")
    ran = selfheal("retry", name)
    assert (ran.exit_code, said in ran.text) == (1, True), ran.text


@pytest.mark.parametrize(
    ("why_not", "said"),
    [
        ("", "would resume at FetchSource (failed with GitError)"),
        ("too old", "cannot be redriven (failed with GitError): too old"),
    ],
)
def test_a_dry_run_names_the_error_that_each_heal_failed_with(
    why_not: str, said: str, put: Callable[..., str], selfheal: Selfheal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failed(_: Target, incident: Incident) -> Redrivable:
        return Redrivable(incident, "FetchSource", "GitError", why_not)

    put(status="FAILED")
    monkeypatch.setattr("infra.cli.redrive.examine", failed)
    assert said in selfheal("redrive", "--failed", "--dry-run").text


def test_what_is_cleared_starts_another_generation_when_it_is_seen_again(
    put: Callable[..., str], selfheal: Selfheal, incidents_table: Table
) -> None:
    old = put(1, status="REJECTED", last_seen="2026-01-01T00:00:00.000+00:00")
    young = put(2, status="REJECTED", last_seen="2999-01-01T00:00:00.000+00:00")
    going_on = put(3, status="HEALING", last_seen="2026-01-01T00:00:00.000+00:00")

    cleared = selfheal("clear", "--older-than", "30d", "--yes")

    incidents = Incidents(incidents_table)
    assert cleared.exit_code == 0, cleared.text
    assert [incidents.get(name).status for name in (old, young, going_on)] == [
        *(Status.RESOLVED, Status.REJECTED, Status.HEALING)
    ]
    assert incidents.get(old).reason.startswith("Cleared by arn:")
    assert incidents.get(old).is_over_for_good("2026-11-20"), "so that the recorder makes it NEW again"
    assert selfheal("clear").exit_code == 2


NOW = datetime(2026, 11, 20, tzinfo=UTC)


def test_an_incident_that_is_named_twice_starts_over_once(
    put: Callable[..., str],
    register: Callable[..., None],
    selfheal: Selfheal,
    incidents_table: Table,
) -> None:
    register("orders")
    name = put(status="ABSTAINED")
    ran = selfheal("retry", name, name[:-1], "--yes")
    assert (ran.exit_code, Incidents(incidents_table).get(name).generation) == (0, 2), ran.text


def test_start_names_what_it_cannot_resume(
    put: Callable[..., str], register: Callable[..., None], selfheal: Selfheal, execution: str
) -> None:
    register("orders")
    name = put(status="FAILED", reason=f"{STOPPED_BEFORE} X", execution_arn=execution + "-of-long-ago")
    ran = selfheal("start")
    assert ran.exit_code == 0, ran.text
    assert f"{name} is not resumed: look at it: selfheal show {name}" in ran.text


MACHINE = "arn:aws:states:us-east-1:111122223333:stateMachine:self-heal-workflow"


def arn(name: str) -> str:
    return f"{MACHINE.replace('stateMachine', 'execution')}:{name}"


class States:
    """Step Functions as its own model checks it: what each execution is, and what became of the redrives."""

    def __init__(self, executions: dict[str, dict[str, str]]) -> None:
        self.client: Any = boto3.client("stepfunctions", region_name="us-east-1")
        self._stub = Stubber(self.client)
        for name, execution in executions.items():
            state, redrive = execution.pop("state"), execution.pop("redrive", "")
            if state == "gone":
                self._stub.add_client_error("describe_execution", "ExecutionDoesNotExist")
                continue
            described = {
                "executionArn": arn(name),
                "stateMachineArn": MACHINE,
                "status": "FAILED",
                "startDate": NOW,
            }
            self._stub.add_response("describe_execution", described | execution, {"executionArn": arn(name)})
            entered = {"stateEnteredEventDetails": {"name": state}, "type": "TaskStateEntered"}
            self._stub.add_response(
                "get_execution_history", {"events": [{"timestamp": NOW, "id": 1} | entered]}
            )
            if redrive == "refused":
                self._stub.add_client_error("redrive_execution", "ExecutionNotRedrivable", "too old.")
            elif redrive:
                self._stub.add_response("redrive_execution", {"redriveDate": NOW})
        self._stub.activate()

    def target(self) -> Target:
        class Session:
            def client(_, service: str) -> Any:  # noqa: N805 - `self` is the stand-in's
                return self.client

        return Target(Session(), {})  # type: ignore[arg-type]  # the one client that is asked for


def failed(name: str, status: Status = Status.FAILED) -> Incident:
    return Incident(f"orders-{name}", name, "orders", status, "KeyError", "KeyError", execution_arn=arn(name))


def test_all_that_can_be_redriven_is_and_the_others_say_why_and_it_takes_its_time() -> None:
    states = States(
        {
            "a": {"state": "CommitPatch", "redrive": "yes", "redriveStatus": "REDRIVABLE"},
            "c": {
                "state": "CommitPatch",
                "redriveStatus": "NOT_REDRIVABLE",
                "redriveStatusReason": "Execution history event limit exceeded",
            },
            "d": {"state": "CommitPatch", "status": "RUNNING"},
            "e": {"state": "gone"},
            "f": {"state": "CommitPatch", "redrive": "refused"},
            "g": {"state": "FetchSource", "redrive": "yes"},
        }
    )
    slept: list[float] = []
    incidents = [
        *map(failed, "acdefg"),
        failed("h", Status.ABSTAINED),
        replace(failed("i"), execution_arn=""),
    ]

    done = list(redrive_all(states.target(), incidents, per_minute=30, sleep=slept.append))

    assert [candidate.incident.fingerprint for candidate, redriven in done if redriven] == ["a", "g"]
    assert slept == [2.0, 2.0], "before each but the first, the refused one included"
    why = {candidate.incident.fingerprint: candidate.why_not for candidate, _ in done}
    for name, said in {
        "c": "Execution history event limit exceeded; start over: selfheal retry orders-c",
        "d": "its execution is RUNNING",
        "e": "no longer kept; start over: selfheal retry orders-e",
        "f": "too old; only what failed in the last 14 days can be; start over: selfheal retry orders-f",
        "h": "it is ABSTAINED, not FAILED",
        "i": "it has no execution; start over: selfheal retry orders-i",
    }.items():
        assert said in why.pop(name)
    assert set(why.values()) == {""}


def test_a_dry_run_and_a_state_narrow_what_is_redriven() -> None:
    executions = {"a": {"state": "CommitPatch"}, "b": {"state": "FetchSource"}}
    incidents = [failed("a"), failed("b")]

    dry = list(redrive_all(States(executions).target(), incidents, "fetchsource", dry_run=True))

    assert [(candidate.incident.fingerprint, candidate.state, did) for candidate, did in dry] == [
        ("b", "FetchSource", False)
    ]


@pytest.mark.parametrize(
    "arguments", [(), ("orders-1", "--failed"), ("orders-1", "--state", "CommitPatch"), ("--app", "orders")]
)
def test_what_is_to_be_redriven_must_be_said(arguments: tuple[str, ...], selfheal: Selfheal) -> None:
    ran = selfheal("redrive", *arguments)
    assert (ran.exit_code, "redrive --failed" in ran.text) == (2, True)


def test_nothing_failed_is_no_failure(
    put: Callable[..., str], register: Callable[..., None], selfheal: Selfheal
) -> None:
    register("orders")
    put(status="RESOLVED")
    ran = selfheal("redrive", "--failed", "--app", "orders")
    assert (ran.exit_code, "No heal failed" in ran.text) == (0, True)


@pytest.mark.parametrize(("said", "asks"), [((), True), (("--yes",), False), (("--dry-run",), False)])
def test_many_are_redriven_only_after_it_was_asked(
    said: tuple[str, ...],
    asks: bool,
    put: Callable[..., str],
    register: Callable[..., None],
    selfheal: Selfheal,
) -> None:
    register("orders")
    for number in (1, 2):
        put(number, status="FAILED")
    ran = selfheal("redrive", "--failed", *said, stdin="n\n")
    assert ("Redrive 2 heals" in ran.text) == asks


@pytest.mark.parametrize(
    ("command", "would"),
    [("retry", "1 incident would be healed anew."), ("clear", "1 incident would be cleared.")],
)
def test_a_dry_run_says_what_would_be_done(
    command: str, would: str, put: Callable[..., str], register: Callable[..., None], selfheal: Selfheal
) -> None:
    register("orders")
    put(status="REJECTED")
    assert would in selfheal(command, "--status", "rejected", "--dry-run").text


def test_where_nobody_can_be_asked_it_says_how_to_do_without(
    put: Callable[..., str], register: Callable[..., None], selfheal: Selfheal
) -> None:
    register("orders")
    put(status="REJECTED")
    ran = selfheal("clear", "--status", "rejected")
    assert (ran.exit_code, "--yes" in ran.text) == (1, True)
    assert selfheal("clear", "--status", "rejected", stdin="n\n").exit_code == 1
