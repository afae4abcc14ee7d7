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
from infra.diagram import transitions
from tests.statemachine.conftest import ENTERED

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
    "callback_decides": True,
    "second_opinion": False,
}
TO_BE_REVIEWED = CLAIMED | {"second_opinion": True}
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
FIXED = ACCEPTED | {"verdict": "fixed", "fixed_by": {"sha": "e" * 40, "date": "", "said": "e by Ana"}}
DISPROVEN = {"verdict": "rejected", "patch_sha256": "c" * 64, "reason": "a test that passed now fails"}
ORDER = {
    "project": "self-heal-orders",
    "bucket": "artifacts",
    "folder": "builds/self-heal-orders/heal-1/1-9f",
    "nonce": "7c",
}
DEFERRED = {"verdict": "deferred", "build": ORDER}
TO_RUN = {"verdict": "deferred", "run": {**ORDER, "project": "", "folder": "runs/heal-1/1-9f"}}
RAN = {"ended": "", "lane": "lambda"}
# What the service answers is the whole build; here the parts that matter.
BUILT = {
    "Build": {
        "Arn": "arn:aws:codebuild:eu-central-1:111122223333:build/self-heal-orders:5d",
        "BuildStatus": "SUCCEEDED",
        "Environment": {"EnvironmentVariables": []},
        "Logs": {"DeepLink": "https://console.aws.amazon.com/log"},
    }
}
AGREES = {"opinion": "agrees", "summary": "It agrees.", "key": "r.json", "sent_back": False}
OBJECTS = {"opinion": "objects", "summary": "It objects: no.", "key": "r.json", "sent_back": True}
INSISTS = OBJECTS | {"sent_back": False}
APPROVE = {"decision": "approve", "by": "ana", "comment": "", "patch_sha256": "c" * 64, "base_sha": "b" * 40}
REVISE = {**APPROVE, "decision": "revise", "comment": "keep the old default"}
REJECT = {**APPROVE, "decision": "reject", "reason": "by_hand"}
COMMIT = {"branch": "self-heal/orders-1a2b", "sha": "d" * 40}
MOVED = {"moved": {"base_sha": "e" * 40, "head_key": "h", "history_key": "i"}}
LATE = {"late": {"incidents": ["orders-3c4d"], "joined_key": "j@sha256:2", "proposal_key": "p"}}
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


NOT_CLAIMED = {
    "claimed": False,
    "busy": False,
    "observed": False,
    "held_back": False,
    "incident_id": "orders-1a2b",
    "reason": "",
}
ONLY_DIAGNOSE, ONLY_PROPOSE = CLAIMED | {"mode": "diagnose"}, CLAIMED | {"mode": "propose"}
PATHS: dict[str, tuple[Results, str]] = {
    "healed at the first try": (
        heal(
            "healed",
            ProposePatch=[PROPOSED],
            ValidatePatch=[TO_RUN, ACCEPTED],
            RunPatch=[RAN],
            AwaitApproval=[APPROVE],
        ),
        "Healed",
    ),
    "mended already on the head": (
        heal(
            "already_fixed",
            ProposePatch=[PROPOSED],
            ValidatePatch=[TO_RUN, TO_RUN, FIXED],
            RunPatch=[RAN, RAN],
        ),
        "AlreadyFixed",
    ),
    "the head changed under the patch while people decided": (
        heal(
            "healed",
            ProposePatch=[PROPOSED],
            ValidatePatch=[TO_RUN, ACCEPTED, TO_RUN, ACCEPTED],
            RunPatch=[RAN, RAN],
            AwaitApproval=[APPROVE, APPROVE | {"base_sha": "e" * 40}],
        )
        | {"CommitPatch": [MOVED, COMMIT]},
        "Healed",
    ),
    "others joined while people decided, and it is proven with them": (
        heal(
            "healed",
            ProposePatch=[PROPOSED | {"joined_key": "j@sha256:1"}],
            ValidatePatch=[TO_RUN, ACCEPTED, TO_RUN, ACCEPTED | {"evidence_key": "later"}],
            RunPatch=[RAN, RAN],
            AwaitApproval=[APPROVE | {"approval_id": "ap-1"}, APPROVE | {"approval_id": "ap-1"}],
        )
        | {"CommitPatch": [LATE, COMMIT]},
        "Healed",
    ),
    "others joined while people decided, whom neither it nor another patch mends": (
        heal(
            "healed",
            ProposePatch=[PROPOSED | {"joined_key": "j@sha256:1"}, PROPOSED],
            ValidatePatch=[ACCEPTED, DISPROVEN, DISPROVEN],
            AwaitApproval=[APPROVE, APPROVE],
        )
        | {"CommitPatch": [LATE, COMMIT]},
        "Healed",
    ),
    "others joined, and the head changed under the patch": (
        heal(
            "rejected",
            ProposePatch=[PROPOSED],
            ValidatePatch=[ACCEPTED, ACCEPTED],
            AwaitApproval=[APPROVE, REJECT | {"base_sha": "e" * 40}],
        )
        | {"CommitPatch": [MOVED | LATE]},
        "Rejected",
    ),
    "an approval that is not on record is asked for again": (
        heal(
            "healed",
            ProposePatch=[PROPOSED],
            ValidatePatch=[ACCEPTED],
            AwaitApproval=[APPROVE | {"approval_id": "of nobody"}, APPROVE],
        )
        | {"CommitPatch": [{"unconfirmed": "there is no approval 'of nobody'"}, COMMIT]},
        "Healed",
    ),
    "another execution has the incident": (
        {"ClaimIncident": [NOT_CLAIMED]},
        "Duplicate",
    ),
    "another incident with the same root cause is healed": (
        {"ClaimIncident": [NOT_CLAIMED | {"joined": True}]},
        "Joined",
    ),
    "the hour has had its heals": ({"ClaimIncident": [NOT_CLAIMED | {"held_back": True}]}, "HeldBack"),
    "what was claimed before there were modes": ({"ClaimIncident": [{"claimed": False}]}, "Duplicate"),
    "the app only observes": ({"ClaimIncident": [NOT_CLAIMED | {"observed": True}]}, "Observed"),
    "others are under way, twice, and then have ended": (
        heal(
            "abstained",
            ClaimIncident=[*[NOT_CLAIMED | {"busy": True}] * 2, CLAIMED],
            ProposePatch=[ABSTAINED],
        ),
        "Abstained",
    ),
    "the app only wants a diagnosis": (
        heal("diagnosed", ClaimIncident=[ONLY_DIAGNOSE], ProposePatch=[INVALID, PROPOSED]),
        "Diagnosed",
    ),
    "the app only wants a diagnosis, and the model has none": (
        heal("abstained", ClaimIncident=[ONLY_DIAGNOSE], ProposePatch=[ABSTAINED]),
        "Abstained",
    ),
    "the app only wants a proven patch": (
        heal(
            "proposed",
            ClaimIncident=[ONLY_PROPOSE],
            ProposePatch=[PROPOSED],
            ValidatePatch=[TO_RUN, ACCEPTED],
            RunPatch=[RAN],
        ),
        "Proposed",
    ),
    "the app only wants a proven patch, and a second opinion on it": (
        heal(
            "proposed",
            ClaimIncident=[ONLY_PROPOSE | {"second_opinion": True}],
            ProposePatch=[PROPOSED],
            ValidatePatch=[ACCEPTED],
            ReviewPatch=[AGREES],
        ),
        "Proposed",
    ),
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
    "reviewed, and agreed with": (
        heal(
            "healed",
            ClaimIncident=[TO_BE_REVIEWED],
            ProposePatch=[PROPOSED],
            ValidatePatch=[ACCEPTED],
            ReviewPatch=[AGREES],
            AwaitApproval=[APPROVE],
        ),
        "Healed",
    ),
    "objected to, sent back once, objected to again, and asked about": (
        heal(
            "rejected",
            ClaimIncident=[TO_BE_REVIEWED],
            ProposePatch=[PROPOSED, PROPOSED],
            ValidatePatch=[ACCEPTED, ACCEPTED],
            ReviewPatch=[OBJECTS, INSISTS],
            AwaitApproval=[REJECT],
        ),
        "Rejected",
    ),
    "objected to at the last try, and asked about": (
        heal(
            "healed",
            ClaimIncident=[TO_BE_REVIEWED],
            ProposePatch=[INVALID, PROPOSED],
            ValidatePatch=[ACCEPTED],
            ReviewPatch=[OBJECTS],
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
    "changes asked for after the last try, which grants as many again; none is proven": (
        heal(
            "healed",
            ProposePatch=[INVALID, PROPOSED, PROPOSED, PROPOSED],
            ValidatePatch=[ACCEPTED, DISPROVEN, DISPROVEN],
            AwaitApproval=[REVISE, APPROVE],
        ),
        "Healed",
    ),
    "changes asked for, then the head changed under the patch, and what was proven before is not kept": (
        heal(
            "abstained",
            ProposePatch=[PROPOSED, PROPOSED, INVALID],
            ValidatePatch=[ACCEPTED, ACCEPTED, DISPROVEN],
            AwaitApproval=[REVISE, APPROVE],
        )
        | {"CommitPatch": [MOVED]},
        "Abstained",
    ),
    "changes asked for twice, and the model has none": (
        heal(
            "rejected",
            ProposePatch=[PROPOSED, ABSTAINED, ABSTAINED],
            ValidatePatch=[ACCEPTED],
            AwaitApproval=[REVISE, REVISE, REJECT],
        ),
        "Rejected",
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


PATCH, BASE = "c" * 64, "b" * 40
SMALL = {"decision": "approve", "by": "ana@example.com", "patch_sha256": PATCH}
"""What the README says to send from the console's token."""


@pytest.mark.parametrize(
    ("sent", "end"),
    [
        (SMALL, "CommitPatch"),
        ({**SMALL, "base_sha": BASE, "comment": "fine", "unknown": [1]}, "CommitPatch"),
        ({**SMALL, "decision": "reject"}, "RecordOutcome"),
        ({**SMALL, "decision": "reject", "reason": "too_risky"}, "RecordOutcome"),
        ({**SMALL, "decision": "revise", "comment": "keep the default"}, "ProposePatch"),
    ],
)
def test_a_callback_by_hand_decides(sent: dict[str, Any], end: str, decided: Callable[..., Any]) -> None:
    target, decision = decided(sent)

    assert target == end
    assert {**sent, **decision} == {**decision, **({"unknown": [1]} if "unknown" in sent else {})}
    assert decision.keys() == {
        *("decision", "by", "patch_sha256", "base_sha", "comment", "reason", "approval_id", "decided_at")
    }
    assert (decision["base_sha"], decision["decided_at"]) == (BASE, ENTERED)


@pytest.mark.parametrize(
    "sent",
    [
        *("approve", True, None, [], [SMALL], {}),
        *({name: value for name, value in SMALL.items() if name != gone} for gone in SMALL),
        {**SMALL, "decision": "approved"},
        {**SMALL, "decision": ["approve"]},
        {**SMALL, "by": "  "},
        {**SMALL, "by": 7},
        {**SMALL, "by": "x" * 501},
        {**SMALL, "patch_sha256": "e" * 64},
        {**SMALL, "base_sha": "e" * 40},
        {**SMALL, "comment": 7},
        {**SMALL, "comment": "x" * 10_001},
        {**SMALL, "reason": {}},
        {**SMALL, "decision": "revise"},
        {**SMALL, "decision": "revise", "comment": " "},
        *({**SMALL, "approval_id": made_up} for made_up in ("", 7, None, ["ap-1"], "x" * 101)),
    ],
    ids=str,
)
def test_what_is_no_decision_on_this_patch_is_refused_where_it_is_asked_with_what_is_expected(
    sent: Any, decided: Callable[..., Any]
) -> None:
    """Accepted, it would fail at a later step, and no redrive could ever mend that."""
    with pytest.raises(Exception, match=f"Expected: decision .*by .*patch_sha256 .{PATCH}"):
        decided(sent)


@pytest.mark.parametrize("told", ["yesterday", "9" * 10_000, 5, {}, None])
def test_when_it_was_decided_is_nothing_that_a_callback_by_hand_says(
    told: Any, decided: Callable[..., Any]
) -> None:
    """It becomes the commit's date, and git takes few spellings of one."""
    assert decided({**SMALL, "decided_at": told})[1]["decided_at"] == ENTERED


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


@pytest.mark.parametrize(("by_page", "allowed"), [(True, True), (False, False)])
def test_where_the_app_names_approvers_a_callback_by_hand_does_not_decide(
    by_page: bool, allowed: bool, decided: Callable[..., Any]
) -> None:
    sent = SMALL | ({"approval_id": "ap-1"} if by_page else {})
    if allowed:
        assert decided(sent, callback_decides=False)[0] == "CommitPatch"
    else:
        with pytest.raises(Exception, match="names approvers"):
            decided(sent, callback_decides=False)


@pytest.fixture
def decided(
    definition: dict[str, Any], evaluate: Callable[..., Any]
) -> Callable[..., tuple[str, dict[str, Any]]]:
    """What follows from the result of AwaitApproval: the next Task, and the decision in the state."""

    def run(sent: Any, **state: Any) -> tuple[str, dict[str, Any]]:
        value = CLAIMED | {"source": SOURCE, "validation": ACCEPTED} | state
        context = {"State": {"EnteredTime": ENTERED}}
        after = evaluate(
            definition["States"]["AwaitApproval"]["Output"],
            {"input": value, "result": sent, "context": context},
        )
        choice = definition["States"]["IsApproved"]
        for rule in choice["Choices"]:
            if evaluate(rule["Condition"], {"input": after, "context": context}):
                return rule["Next"], after["decision"]
        return choice["Default"], after["decision"]

    return run


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
