"""What somebody sends by hand with the task token of a question is held to the patch that is asked about."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.statemachine.conftest import ENTERED
from tests.statemachine.paths import ACCEPTED, BASE, CLAIMED, PATCH, SMALL, SOURCE


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
