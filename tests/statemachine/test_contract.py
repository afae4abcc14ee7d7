"""What must hold for the state machine whatever is changed in it."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import botocore.session
import pytest

from functions.core.workflow import errors
from functions.harness.job import Job
from functions.validate_patch import lanes
from infra.catalog import EVERY, STEPS
from tests.deployment_uses import DEPLOYMENT, modules
from tests.statemachine.conftest import ENTERED
from tests.statemachine.diagram import DEFINITION, transitions
from tests.statemachine.paths import (
    ACCEPTED,
    CLAIMED,
    INSTALLED,
    NOT_CLAIMED,
    PATHS,
    PROPOSED,
    SOURCE,
    START,
)

FUNCTIONS = Path(__file__).parents[2] / "functions"

# "To handle transient service errors": what AWS recommends to retry for every Lambda task.
# https://docs.aws.amazon.com/step-functions/latest/dg/sfn-best-practices.html#bp-lambda-serviceexception
LAMBDA_SERVICE_ERRORS = {
    "Lambda.AWSLambdaException",
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.SdkClientException",
    "Lambda.ServiceException",
    "Lambda.TooManyRequestsException",
}
# What Lambda answers while an image or VPC function wakes up that nobody called for weeks, and while its
# network interfaces are being made. https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html, "Errors"
WAKING_ERRORS = {
    "Lambda.CodeArtifactUserDeletedException",
    "Lambda.CodeArtifactUserPendingException",
    "Lambda.EC2ThrottledException",
    "Lambda.EC2UnexpectedException",
    "Lambda.ENINotReadyException",
    "Lambda.ResourceConflictException",
    "Lambda.ResourceNotReadyException",
    "Lambda.SubnetIPAddressLimitReachedException",
}
JSONATA_FUNCTIONS = {"assert", "exists", "length", "merge", "trim", "type"}
WAKING_SECONDS = 300
"""How long a step waits at least for its function; waking took up to 90 s in what people report."""
INTEGRATIONS = {"RunBuild": "arn:aws:states:::codebuild:startBuild.sync"}
"""Task states without a function: an AWS service does their work."""

TRANSIENT = {
    name: kind
    for name, kind in vars(errors).items()
    if isinstance(kind, type)
    and issubclass(kind, errors.TransientError)
    and kind is not errors.TransientError
}


@pytest.fixture(scope="module")
def states(definition: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = definition["States"]
    return found


@pytest.fixture(scope="module")
def tasks(states: dict[str, Any]) -> dict[str, Any]:
    return {name: state for name, state in states.items() if state["Type"] == "Task"}


@pytest.fixture(scope="module")
def invocations(tasks: dict[str, Any]) -> dict[str, Any]:
    """The tasks that invoke a function of ours."""
    return {name: task for name, task in tasks.items() if "lambda:invoke" in task["Resource"]}


def reachable(states: dict[str, Any], start: str, without: frozenset[str] = frozenset()) -> set[str]:
    """States that can be entered from `start`, never passing through those in `without`."""
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        name = waiting.pop()
        if name in seen or name in without:
            continue
        seen.add(name)
        waiting += [target for _, target in transitions(states[name])]
    return seen


def snake(name: str) -> str:
    return re.sub(r"(?<!^)([A-Z])", r"_\1", name).lower()


def expressions(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from expressions(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from expressions(inner)
    elif isinstance(value, str) and value.startswith("{%"):
        yield value.removeprefix("{%").removesuffix("%}").strip()


def named_in_code(folder: str) -> set[str]:
    """Names that a step's code, or a shared module that it imports, uses other than to catch them."""
    waiting = list((FUNCTIONS / folder).rglob("*.py"))
    seen: set[Path] = set()
    names: set[str] = set()
    while waiting:
        path = waiting.pop()
        if path in seen or not path.exists():
            continue
        seen.add(path)
        if path == DEPLOYMENT:
            continue
        code = path.read_text()
        nodes = list(ast.walk(ast.parse(code)))
        waiting += modules(code)
        caught = {
            inner
            for node in nodes
            if isinstance(node, ast.ExceptHandler) and node.type
            for inner in ast.walk(node.type)
        }
        names |= {node.id for node in nodes if isinstance(node, ast.Name) and node not in caught}
        imported = [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
        waiting += [FUNCTIONS.parent / (name.replace(".", "/") + ".py") for name in imported]
    return names


# Structure


def test_every_target_exists_and_every_state_is_reachable(definition: dict[str, Any]) -> None:
    states = definition["States"]
    targets = {target for state in states.values() for _, target in transitions(state)}

    assert targets <= set(states)
    assert reachable(states, definition["StartAt"]) == set(states)


def test_every_choice_has_a_default_and_says_what_each_rule_means(states: dict[str, Any]) -> None:
    choices = [state for state in states.values() if state["Type"] == "Choice"]

    assert all("Default" in state for state in choices)
    assert all(rule["Comment"] for state in choices for rule in state["Choices"])


def test_task_names_and_function_folders_are_the_same(invocations: dict[str, Any]) -> None:
    assert {snake(name) for name in invocations} == {spec.folder for spec in STEPS}
    for name in invocations:
        assert (FUNCTIONS / snake(name) / "handler.py").is_file(), name


def test_every_task_invokes_the_function_of_its_own_name(invocations: dict[str, Any]) -> None:
    for name, task in invocations.items():
        assert task["Arguments"]["FunctionName"] == f"${{{name}FunctionArn}}"


def test_the_other_tasks_are_the_aws_integrations_that_are_named_here(
    tasks: dict[str, Any], invocations: dict[str, Any]
) -> None:
    others = {name: task["Resource"] for name, task in tasks.items() if name not in invocations}

    assert others == INTEGRATIONS
    assert not [name for name in others if (FUNCTIONS / snake(name)).exists()]


def test_every_substitution_token_is_supplied_and_used() -> None:
    used = set(re.findall(r"\$\{(\w+)\}", DEFINITION.read_text()))

    assert used == {f"{spec.construct_id}FunctionArn" for spec in STEPS} | {"DataKeyArn"}


def test_every_task_sets_its_output_and_no_state_assigns_variables(states: dict[str, Any]) -> None:
    for name, state in states.items():
        assert "Assign" not in state, name
        assert "Output" in state or state["Type"] != "Task", name


# Safety


@pytest.mark.parametrize("start", ["ClaimIncident", "ProposePatch", "ValidatePatch", "IsValid"])
def test_nothing_is_committed_without_approval(start: str, states: dict[str, Any]) -> None:
    assert "CommitPatch" in reachable(states, start)
    assert "CommitPatch" not in reachable(states, start, without=frozenset({"AwaitApproval"}))


@pytest.mark.parametrize("start", ["ClaimIncident", "ProposePatch", "IsProposed"])
def test_nobody_is_asked_to_approve_what_was_not_validated(start: str, states: dict[str, Any]) -> None:
    assert "AwaitApproval" not in reachable(states, start, without=frozenset({"ValidatePatch", "KeepProven"}))


def test_what_is_kept_as_proven_is_what_people_were_asked_about(states: dict[str, Any]) -> None:
    """Only an answer of theirs has something kept, and only what is kept is taken up again."""
    every = [(name, text) for name, state in states.items() for text in expressions(state)]
    keeping = {name for name, text in every if re.search(r"'proven': \{(?!\})", text)}
    dropping = {name for name, text in every if "'proven': {}" in text}
    leading = [
        rule["Condition"]
        for state in states.values()
        for rule in state.get("Choices", ())
        if rule["Next"] == "KeepProven"
    ]

    assert keeping == {"IsApproved", "IsCommitted"}
    assert {name for name, state in states.items() if "IsCommitted" in dict(transitions(state)).values()} == {
        "CommitPatch"
    }, "which follows an approval alone"
    assert {name for name, state in states.items() if "IsApproved" in dict(transitions(state)).values()} == {
        "AwaitApproval"
    }
    assert set(leading) == {"{% $exists($states.input.proven.attempt) %}"}
    assert dropping == {"IsCommitted"}, "what was proven on a head that has moved"


@pytest.mark.parametrize("lane", ["RunPatch", "RunBuild"])
def test_what_a_lane_ran_is_judged_by_validate_patch_and_by_nothing_else(
    lane: str, states: dict[str, Any]
) -> None:
    """A lane runs strangers' code: it can end well or not at all, but not say what follows from that."""
    assert [target for _, target in transitions(states[lane])] == ["ValidatePatch"]
    assert "AwaitApproval" not in reachable(states, lane, without=frozenset({"ValidatePatch"}))
    assert "verdict" not in str(states[lane])
    written = [text for name, s in states.items() if name != "IsValid" for text in expressions(s)]
    assert not [text for text in written if "verdict" in text or "accepted" in text]


def test_a_requested_change_is_validated_and_approved_again(states: dict[str, Any]) -> None:
    (revise,) = [rule["Next"] for rule in states["IsApproved"]["Choices"] if "revise" in rule["Condition"]]

    for gates in ({"ValidatePatch", "KeepProven"}, {"AwaitApproval"}):
        assert "CommitPatch" not in reachable(states, revise, without=frozenset(gates))


def test_no_pull_request_without_a_commit(definition: dict[str, Any]) -> None:
    without = frozenset({"CommitPatch"})

    assert "CreatePullRequest" not in reachable(definition["States"], definition["StartAt"], without)


def test_only_the_callback_task_sees_a_task_token(tasks: dict[str, Any]) -> None:
    for name, task in tasks.items():
        waits = task["Resource"].endswith(".waitForTaskToken")
        assert waits == (name == "AwaitApproval")
        assert waits == ("Task.Token" in str(task["Arguments"]))
        assert "Task.Token" not in str(task["Output"])


@pytest.mark.parametrize("mode", ["observe", "diagnose", "propose"])
def test_only_the_highest_mode_asks_people_or_commits(
    mode: str, states: dict[str, Any], walk: Callable[..., Any]
) -> None:
    """Whatever the steps answer, with every result that leads on."""
    claimed = {**CLAIMED, "mode": mode} if mode != "observe" else NOT_CLAIMED | {"observed": True}
    results = {
        "ClaimIncident": [claimed],
        **({} if mode == "observe" else {"FetchSource": [SOURCE], "InstallDependencies": [INSTALLED]}),
        **({} if mode == "observe" else {"ProposePatch": [PROPOSED]}),
        **({"ValidatePatch": [ACCEPTED]} if mode == "propose" else {}),
        **({} if mode == "observe" else {"RecordOutcome": [{"outcome": f"{mode}d"}]}),
    }

    visited = walk(START, results).visited

    assert not {"AwaitApproval", "CommitPatch", "CreatePullRequest"} & set(visited)
    assert ("ValidatePatch" in visited) == (mode == "propose")
    assert ("ProposePatch" in visited) == (mode != "observe")


def test_whoever_waits_for_a_turn_asks_for_it_again(states: dict[str, Any]) -> None:
    waits = {name: state for name, state in states.items() if state["Type"] == "Wait"}

    assert {name: state["Next"] for name, state in waits.items()} == {"WaitForTurn": "ClaimIncident"}
    assert all(isinstance(state["Seconds"], int) for state in waits.values())


# Redrive


def test_every_end_is_a_success_so_that_a_redrive_resumes_the_step_that_failed(
    states: dict[str, Any],
) -> None:
    ends = {name for name, state in states.items() if not list(transitions(state))}

    assert ends == {
        *("Healed", "AlreadyFixed", "Proposed", "Diagnosed", "Abstained", "Rejected"),
        *("Observed", "HeldBack", "Joined", "Duplicate"),
    }
    assert {states[name]["Type"] for name in ends} == {"Succeed"}
    assert {state["Type"] for state in states.values()} == {"Task", "Choice", "Pass", "Succeed", "Wait"}


def test_no_error_is_caught(states: dict[str, Any]) -> None:
    """A Task whose error was caught has exited, and a redrive would not run it again."""
    assert not [name for name, state in states.items() if "Catch" in state]


def test_every_task_has_a_literal_timeout_longer_than_its_work(tasks: dict[str, Any]) -> None:
    build = tasks["RunBuild"]["Arguments"]["TimeoutInMinutesOverride"] * 60
    timeouts = {spec.folder: spec.timeout for spec in STEPS} | {"run_build": build}
    for name, task in tasks.items():
        assert isinstance(task["TimeoutSeconds"], int), name
        assert timeouts[snake(name)] < task["TimeoutSeconds"], name
        assert "HeartbeatSeconds" not in task, name


def test_a_lane_has_time_for_all_that_its_driver_may_run(tasks: dict[str, Any]) -> None:
    """The driver ends by itself when a job's time is up; a lane ends it later, and RunPatch hears of that."""
    by_folder = {spec.folder: spec.timeout for spec in EVERY}
    heard = tasks["RunPatch"]["TimeoutSeconds"]

    assert tasks["RunBuild"]["Arguments"]["TimeoutInMinutesOverride"] * 60 > lanes.BUILD_SECONDS
    assert Job.seconds + 60 < by_folder["runner"] < by_folder["run_patch"] < heard


# Retries


def test_every_invocation_retries_what_aws_recommends(invocations: dict[str, Any]) -> None:
    for name, task in invocations.items():
        assert set(task["Retry"][-1]["ErrorEquals"]) == LAMBDA_SERVICE_ERRORS, name


def test_every_invocation_waits_minutes_for_a_function_that_is_waking_up(
    invocations: dict[str, Any],
) -> None:
    """Heals are rare, so each step of one may be the first call of its function in weeks."""
    for name, task in invocations.items():
        (wake,) = [retry for retry in task["Retry"] if WAKING_ERRORS & set(retry["ErrorEquals"])]
        assert set(wake["ErrorEquals"]) == WAKING_ERRORS, name
        assert shortest_wait(wake) >= WAKING_SECONDS, name


def test_the_waking_errors_are_errors_of_lambdas_invoke() -> None:
    invoke: Any = botocore.session.Session().get_service_model("lambda").operation_model("Invoke")

    assert {error.removeprefix("Lambda.") for error in WAKING_ERRORS} <= {
        shape.name for shape in invoke.error_shapes
    }


def shortest_wait(retry: dict[str, Any]) -> float:
    """Seconds that all attempts of a retrier wait together, at the least: full jitter may wait not at all."""
    if retry.get("JitterStrategy") == "FULL":
        return 0
    delays = (retry["IntervalSeconds"] * retry["BackoffRate"] ** n for n in range(retry["MaxAttempts"]))
    return float(sum(min(delay, retry["MaxDelaySeconds"]) for delay in delays))


def test_a_build_is_retried_when_codebuild_has_no_room_and_never_for_how_it_ended(
    tasks: dict[str, Any],
) -> None:
    """A failed build (States.TaskFailed) could not run: somebody must mend the project, then redrive."""
    (retry,) = tasks["RunBuild"]["Retry"]

    assert set(retry["ErrorEquals"]) == {
        "CodeBuild.AccountLimitExceededException",
        "CodeBuild.CodeBuildException",
    }


def test_every_task_retries_exactly_the_transient_errors_that_its_code_raises(
    invocations: dict[str, Any],
) -> None:
    for name, task in invocations.items():
        listed = {error for retry in task["Retry"] for error in retry["ErrorEquals"]}
        own = {error for error in listed if "." not in error}
        assert own == named_in_code(snake(name)) & TRANSIENT.keys(), name


def test_a_reviewer_is_told_of_the_last_try_that_its_model_has(
    invocations: dict[str, Any], walk: Callable[..., Any]
) -> None:
    """One that is throttled to the end is no reason to fail a heal: an opinion is optional."""
    (retry,) = [r for r in invocations["ReviewPatch"]["Retry"] if "ModelThrottled" in r["ErrorEquals"]]
    results, _ = PATHS["reviewed, and agreed with"]

    def told(tries: int) -> bool:
        state = {"State": {"Name": "ReviewPatch", "EnteredTime": ENTERED, "RetryCount": tries}}
        (payload,) = walk(START, results, state).payloads["ReviewPatch"]
        return bool(payload["last_try"])

    assert (told(0), told(retry["MaxAttempts"] - 1), told(retry["MaxAttempts"])) == (False, False, True)


def test_a_model_that_hung_till_the_end_of_a_step_is_asked_again(invocations: dict[str, Any]) -> None:
    for name in ("ProposePatch", "ReviewPatch"):
        listed = {error for retry in invocations[name]["Retry"] for error in retry["ErrorEquals"]}
        assert {"Sandbox.Timedout", "States.Timeout"} <= listed


def test_every_retry_backs_off_and_ends_and_jitters_where_many_compete(tasks: dict[str, Any]) -> None:
    for name, task in tasks.items():
        for retry in task["Retry"]:
            # Nobody competes for a function that sleeps, and jitter could use up the attempts in no time.
            wakes = bool((WAKING_ERRORS | {"RunnerUnavailable"}) & set(retry["ErrorEquals"]))
            assert retry["JitterStrategy"] == ("NONE" if wakes else "FULL"), name
            assert retry["BackoffRate"] >= 2, name
            assert 1 <= retry["MaxAttempts"] <= 6, name
            assert retry["IntervalSeconds"] <= retry["MaxDelaySeconds"] <= 120, name


def test_retries_of_one_error_are_not_listed_twice(tasks: dict[str, Any]) -> None:
    for name, task in tasks.items():
        listed = [error for retry in task["Retry"] for error in retry["ErrorEquals"]]
        assert len(listed) == len(set(listed)), name


# JSONata


def test_every_expression_parses(definition: dict[str, Any], parse: Callable[[str], Any]) -> None:
    found = list(expressions(definition))

    assert len(found) > 20
    for expression in found:
        assert parse(expression) is not None


def test_expressions_use_only_what_step_functions_offers(states: dict[str, Any]) -> None:
    """$eval is missing there; $states is the only variable, because no state assigns any."""
    for name, state in states.items():
        for expression in expressions(state):
            assert set(re.findall(r"\$(\w+)", expression)) <= {"states", *JSONATA_FUNCTIONS}, name
            fields = set(re.findall(r"\$states\.(\w+)", expression))
            assert fields <= {"input", "context", "result"}, name
            assert "result" not in fields or state["Type"] == "Task", name


def test_conditions_are_expressions_and_timeouts_are_not(states: dict[str, Any]) -> None:
    for state in states.values():
        for rule in state.get("Choices", ()):
            assert re.fullmatch(r"\{% .+ %\}", rule["Condition"])
