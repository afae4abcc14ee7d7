"""Every way through the workflow, with its real expressions and sample results of the steps."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import botocore.session
import pytest
from botocore.validate import ParamValidator

from functions.core.approval.approvals import Verdict
from functions.core.workflow.state import HealState, LateState, ValidationState
from functions.record_outcome.outcome import Ending
from tests.statemachine.diagram import transitions
from tests.statemachine.paths import (
    ACCEPTED,
    APPROVE,
    CLAIMED,
    DISPROVEN,
    PATHS,
    REVISE,
    START,
)


@pytest.mark.parametrize("path", PATHS)
def test_path_ends_where_it_should(path: str, walk: Callable[..., Any]) -> None:
    results, end = PATHS[path]

    walked = walk(START, results)

    assert walked.visited[-1] == end


def test_the_paths_above_take_every_transition(definition: dict[str, Any], walk: Callable[..., Any]) -> None:
    every = {
        (name, target) for name, state in definition["States"].items() for _, target in transitions(state)
    }

    taken = set().union(*(walk(START, results).edges for results, _ in PATHS.values()))

    assert taken == every


def test_a_human_may_start_an_execution_with_a_plain_object(walk: Callable[..., Any]) -> None:
    walked = walk(START[0], {"ClaimIncident": [{"claimed": False}]})

    assert walked.payloads["ClaimIncident"] == [
        {
            "incident_id": "orders-1a2b",
            "execution_arn": "arn:aws:states:us-east-1:111122223333:execution:self-heal-workflow:heal-1",
            "heal_id": "heal-1",
        }
    ]


def test_the_reviewers_comment_and_the_attempt_reach_the_model(walk: Callable[..., Any]) -> None:
    results, _ = PATHS["changes asked for, then approved"]

    first, second = walk(START, results).payloads["ProposePatch"]

    assert (first["attempt"], first["comment"]) == (1, "")
    assert (second["attempt"], second["comment"]) == (2, "keep the old default")
    assert second["attempts_allowed"] == 1 + CLAIMED["max_attempts"]


def test_findings_of_a_disproven_patch_reach_the_next_attempt(walk: Callable[..., Any]) -> None:
    results, _ = PATHS["disproven, then proven"]

    _, second = walk(START, results).payloads["ProposePatch"]

    assert second["validation"]["reason"] == DISPROVEN["reason"]


def test_only_the_newest_validation_is_what_is_approved(walk: Callable[..., Any]) -> None:
    newer = {**ACCEPTED, "patch_sha256": "e" * 64}
    results = PATHS["changes asked for, then approved"][0] | {
        "ValidatePatch": [ACCEPTED, newer],
        "AwaitApproval": [REVISE, {**APPROVE, "patch_sha256": "e" * 64}],
    }

    asked = walk(START, results).payloads["AwaitApproval"]

    assert [payload["validation"]["patch_sha256"] for payload in asked] == ["c" * 64, "e" * 64]


def test_where_nothing_better_is_proven_the_patch_before_is_asked_about_again(
    walk: Callable[..., Any],
) -> None:
    results, _ = PATHS["changes asked for after the last try, which grants as many again; none is proven"]

    walked = walk(START, results)

    first, again = walked.payloads["AwaitApproval"]
    same = ("proposal", "validation")
    assert [again[name] for name in same] == [first[name] for name in same]
    assert again["standing"] == {"attempt": 2, "why": DISPROVEN["reason"]}
    assert (first["attempt"], again["attempt"]) == (2, 4), "another question than the first"
    assert walked.payloads["CommitPatch"][0]["validation"] == ACCEPTED


def test_of_two_requests_for_changes_the_patch_that_stood_is_still_kept(walk: Callable[..., Any]) -> None:
    results, _ = PATHS["changes asked for twice, and the model has none"]

    _, second, third = walk(START, results).payloads["AwaitApproval"]

    assert [asked["standing"]["attempt"] for asked in (second, third)] == [1, 1]
    assert third["review"] == {}, "a later opinion is not about this patch"


def test_the_task_token_is_asked_with_and_never_kept(walk: Callable[..., Any]) -> None:
    walked = walk(START, PATHS["healed at the first try"][0])

    assert walked.payloads["AwaitApproval"][0]["task_token"] == "the-task-token"
    assert "the-task-token" not in json.dumps([walked.states, walked.output])


@pytest.mark.parametrize(
    ("execution", "expected"),
    [({"Id": "arn", "Name": "heal-1"}, 0), ({"Id": "arn", "Name": "heal-1", "RedriveCount": 2}, 2)],
    ids=["a context without the count", "redriven twice"],
)
def test_the_approval_knows_how_often_it_was_redriven(
    execution: dict[str, Any], expected: int, walk: Callable[..., Any]
) -> None:
    walked = walk(START, PATHS["healed at the first try"][0], {"Execution": execution})

    assert walked.payloads["AwaitApproval"][0]["redrive_count"] == expected


@pytest.mark.parametrize(
    "path",
    [
        "an approval that is not on record is asked for again",
        # Whoever pushes the head back asks about a base that was decided on before.
        "the head changed under the patch while people decided",
    ],
)
def test_each_time_that_people_are_asked_again_is_another_question(
    path: str, walk: Callable[..., Any]
) -> None:
    results, _ = PATHS[path]
    asked = walk(START, results).payloads["AwaitApproval"]
    assert [HealState.from_json(state).asked_again for state in asked] == [0, 1]


def test_what_is_proven_again_is_the_same_patch_with_all_that_joined(walk: Callable[..., Any]) -> None:
    results, _ = PATHS["others joined while people decided, and it is proven with them"]
    walked = walk(START, results)
    first, again = (HealState.from_json(state) for state in walked.payloads["ValidatePatch"][::2])
    assert (first.proposal.joined_key, again.proposal.joined_key) == ("j@sha256:1", "j@sha256:2")
    assert replace(again.proposal, joined_key=first.proposal.joined_key) == first.proposal
    assert again.attempt == first.attempt
    asked, carried = (HealState.from_json(state) for state in walked.payloads["AwaitApproval"])
    assert (asked.asked_again, carried.asked_again) == (0, 1), "if it is asked, it is another question"
    assert carried.commit.late == LateState(("orders-3c4d",), "j@sha256:2", "p")
    assert [state["may_prove"] for state in walked.payloads["CommitPatch"]] == [True, True]


def test_what_was_approved_stands_where_nothing_mends_those_that_joined(walk: Callable[..., Any]) -> None:
    results, _ = PATHS["others joined while people decided, whom neither it nor another patch mends"]
    first, again = walk(START, results).payloads["AwaitApproval"]
    assert [again[name] for name in ("proposal", "validation")] == [
        first[name] for name in ("proposal", "validation")
    ]
    assert again["standing"] == {"attempt": 1, "why": DISPROVEN["reason"]}


def test_where_the_head_has_moved_too_one_proof_is_for_both(walk: Callable[..., Any]) -> None:
    results, _ = PATHS["others joined, and the head changed under the patch"]
    _, again = walk(START, results).payloads["ValidatePatch"]
    assert (again["source"]["base_sha"], again["proposal"]["joined_key"]) == ("e" * 40, "j@sha256:2")


def test_metadata_of_the_lambda_service_is_not_carried_along(walk: Callable[..., Any]) -> None:
    walked = walk(START, PATHS["changes asked for, then approved"][0])

    assert "ExecutedVersion" not in json.dumps(walked.states)


def test_validate_patch_is_told_that_there_is_a_state_to_run_patches_in(
    definition: dict[str, Any], walk: Callable[..., Any]
) -> None:
    """Heals that run keep the workflow that they began under, while functions are upgraded at once."""
    results, _ = PATHS["healed at the first try"]
    walked = walk(START, results)
    assert [state["can_run"] for state in walked.payloads["ValidatePatch"]] == [True, True]
    assert "RunPatch" in definition["States"]
    assert not [state for state in walked.states if "can_run" in state]


def test_a_build_is_started_as_codebuild_expects_it_and_runs_nothing_but_our_driver(
    walk: Callable[..., Any],
) -> None:
    walked = walk(START, PATHS["deferred to a build, and proven by what it ran"][0])

    (asked,) = walked.payloads["RunBuild"]
    assert asked["ProjectName"] == "self-heal-orders"
    assert asked["SourceLocationOverride"] == "artifacts/builds/self-heal-orders/heal-1/1-9f/source.zip"
    assert asked["BuildspecOverride"] == "buildspec.json"
    service = botocore.session.Session().get_service_model("codebuild")
    shape: Any = service.operation_model("StartBuild").input_shape
    problems = ParamValidator().validate(_native(asked), shape)
    assert not problems.has_errors(), problems.generate_report()


def _native(arguments: Any) -> Any:
    """As the service's own API spells it: Step Functions expects every name with a capital letter."""
    if not isinstance(arguments, dict):
        return arguments
    assert all(name[0].isupper() for name in arguments)
    return {name[0].lower() + name[1:]: _native(value) for name, value in arguments.items()}


def test_of_a_build_only_its_name_and_its_log_are_kept(walk: Callable[..., Any]) -> None:
    walked = walk(START, PATHS["disproven by a build, then proven by another"][0])

    first, second = (state["build"] for state in walked.payloads["ValidatePatch"][1::2])
    assert first == {
        "arn": "arn:aws:codebuild:eu-central-1:111122223333:build/self-heal-orders:5d",
        "log_url": "https://console.aws.amazon.com/log",
    }
    assert second == {"arn": "arn:2", "log_url": ""}


def test_verdicts_and_endings_are_those_of_the_code(definition: dict[str, Any]) -> None:
    def compared(state: str) -> set[str]:
        conditions = [rule["Condition"] for rule in definition["States"][state]["Choices"]]
        return {text.split("'")[1] for text in conditions if "'" in text}

    assert compared("IsValid") >= {ValidationState.DEFERRED}
    assert compared("IsApproved") <= set(Verdict)
    assert compared("WhichOutcome") <= set(Ending)
