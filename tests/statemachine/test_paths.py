"""Every way through the workflow, with its real expressions and sample results of the steps."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import botocore.session
import pytest
from botocore.validate import ParamValidator

from functions.core.approvals import Verdict
from functions.record_outcome.outcome import Ending
from functions.validate_patch.codebuild.step import DEFERRED as DEFERRED_VERDICT
from infra.diagram import transitions

START = [{"incident_id": "orders-1a2b"}]
CLAIMED: dict[str, Any] = {
    "claimed": True,
    "incident_id": "orders-1a2b",
    "app": "orders",
    "heal_id": "heal-1",
    "attempt": 0,
    "attempts_allowed": 2,
    "max_attempts": 2,
    "comment": "",
}
SOURCE = {"key": "orders-1a2b/heal-1/source.tar.gz", "base_sha": "b" * 40, "revision_from": "registry"}
INSTALLED = {"key": "", "reason": "", "packages": 0}
PROPOSED = {
    "outcome": "proposed",
    "key": "orders-1a2b/heal-1/1/proposal.json",
    "title": "Guard",
    "reason": "",
}
INVALID = {"outcome": "invalid", "key": "", "title": "", "reason": "the answer was prose"}
ABSTAINED = {"outcome": "abstained", "key": "", "title": "", "reason": "the database is down"}
ACCEPTED = {"verdict": "accepted", "patch_sha256": "c" * 64, "reason": ""}
DISPROVEN = {"verdict": "rejected", "patch_sha256": "c" * 64, "reason": "a test that passed now fails"}
ORDER = {
    "project": "self-heal-orders",
    "bucket": "artifacts",
    "folder": "builds/self-heal-orders/heal-1/1-9f",
    "nonce": "7c",
}
DEFERRED = {"verdict": "deferred", "build": ORDER}
# What the service answers is the whole build; here the parts that matter.
BUILT = {
    "Build": {
        "Arn": "arn:aws:codebuild:eu-central-1:111122223333:build/self-heal-orders:5d",
        "BuildStatus": "SUCCEEDED",
        "Environment": {"EnvironmentVariables": []},
        "Logs": {"DeepLink": "https://console.aws.amazon.com/log"},
    }
}
APPROVE = {"decision": "approve", "by": "ana", "comment": "", "patch_sha256": "c" * 64, "base_sha": "b" * 40}
REVISE = {**APPROVE, "decision": "revise", "comment": "keep the old default"}
REJECT = {**APPROVE, "decision": "reject", "reason": "by_hand"}
COMMIT = {"branch": "self-heal/orders-1a2b", "sha": "d" * 40}
PULL = {"number": 7, "url": "https://forge/o/r/pull/7"}

Results = dict[str, list[Any]]


def heal(outcome: str, **results: list[Any]) -> Results:
    """Results of a heal's steps: those given, and what the others answer on the way to this outcome."""
    ended = [{"outcome": outcome, "incident_id": "orders-1a2b", "reason": ""}]
    found = {
        "ClaimIncident": [CLAIMED],
        "FetchSource": [SOURCE],
        "InstallDependencies": [INSTALLED],
        **results,
        "RecordOutcome": ended,
    }
    if outcome == "healed":
        found |= {"CommitPatch": [COMMIT], "CreatePullRequest": [PULL]}
    return found


NOT_CLAIMED = {"claimed": False, "held_back": False}
PATHS: dict[str, tuple[Results, str]] = {
    "healed at the first try": (
        heal("healed", ProposePatch=[PROPOSED], ValidatePatch=[ACCEPTED], AwaitApproval=[APPROVE]),
        "Healed",
    ),
    "another execution has the incident": (
        {"ClaimIncident": [{"claimed": False, "held_back": False}]},
        "Duplicate",
    ),
    "the hour has had its heals": ({"ClaimIncident": [{"claimed": False, "held_back": True}]}, "HeldBack"),
    "the model abstains": (heal("abstained", ProposePatch=[ABSTAINED]), "Abstained"),
    "an invalid answer, then a good one": (
        heal("healed", ProposePatch=[INVALID, PROPOSED], ValidatePatch=[ACCEPTED], AwaitApproval=[APPROVE]),
        "Healed",
    ),
    "only invalid answers": (heal("abstained", ProposePatch=[INVALID, INVALID]), "Abstained"),
    "disproven, then proven": (
        heal(
            "healed",
            ProposePatch=[PROPOSED, PROPOSED],
            ValidatePatch=[DISPROVEN, ACCEPTED],
            AwaitApproval=[APPROVE],
        ),
        "Healed",
    ),
    "deferred to a build, and proven by what it ran": (
        heal(
            "healed",
            ProposePatch=[PROPOSED],
            ValidatePatch=[DEFERRED, ACCEPTED],
            RunBuild=[BUILT],
            AwaitApproval=[APPROVE],
        ),
        "Healed",
    ),
    "disproven by a build, then proven by another": (
        heal(
            "healed",
            ProposePatch=[PROPOSED, PROPOSED],
            ValidatePatch=[DEFERRED, DISPROVEN, DEFERRED, ACCEPTED],
            RunBuild=[BUILT, {"Build": {"Arn": "arn:2", "Logs": {}}}],
            AwaitApproval=[APPROVE],
        ),
        "Healed",
    ),
    "never proven": (
        heal("abstained", ProposePatch=[PROPOSED, PROPOSED], ValidatePatch=[DISPROVEN, DISPROVEN]),
        "Abstained",
    ),
    "rejected by a human": (
        heal("rejected", ProposePatch=[PROPOSED], ValidatePatch=[ACCEPTED], AwaitApproval=[REJECT]),
        "Rejected",
    ),
    "changes asked for, then approved": (
        heal(
            "healed",
            ProposePatch=[PROPOSED, PROPOSED],
            ValidatePatch=[ACCEPTED, ACCEPTED],
            AwaitApproval=[REVISE, APPROVE],
        ),
        "Healed",
    ),
    "changes asked for after the last try, which grants as many again": (
        heal(
            "abstained",
            ProposePatch=[INVALID, PROPOSED, PROPOSED, PROPOSED],
            ValidatePatch=[ACCEPTED, DISPROVEN, DISPROVEN],
            AwaitApproval=[REVISE],
        ),
        "Abstained",
    ),
}


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
    results = PATHS["changes asked for, then approved"][0] | {"ValidatePatch": [ACCEPTED, newer]}

    asked = walk(START, results).payloads["AwaitApproval"]

    assert [payload["validation"]["patch_sha256"] for payload in asked] == ["c" * 64, "e" * 64]


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


def test_metadata_of_the_lambda_service_is_not_carried_along(walk: Callable[..., Any]) -> None:
    walked = walk(START, PATHS["changes asked for, then approved"][0])

    assert "ExecutedVersion" not in json.dumps(walked.states)


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

    assert compared("IsValid") >= {DEFERRED_VERDICT}
    assert compared("IsApproved") <= set(Verdict)
    assert compared("WhichOutcome") <= set(Ending)
