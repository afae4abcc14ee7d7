"""`selfheal show`: what is said of an incident in the terminal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from typing import TYPE_CHECKING

import boto3
import pytest
from rich.console import Console

from functions.core.approval.approvals import Approval
from functions.core.incidents.incident import Frame, Incident, Status
from functions.core.workflow.artifacts import Artifact
from functions.core.workflow.heal import Heal
from functions.core.workflow.tracking import DEPLOY, REVIEW_AND_MERGE
from infra.cli.next_steps import next_steps
from infra.cli.report import IncidentReport, diff, render, what_next
from infra.target import Target
from tests.unit.cli.conftest import Selfheal

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table

INCIDENT = Incident("orders-1", "1", "orders", Status.HEALING, "KeyError", "KeyError: 'NZ'")
SOURCE = {"base_sha": "c" * 40, "reason": "the app's entry names it"}


def shown(source: dict[str, object] | None, incident: Incident = INCIDENT) -> str:
    console = Console(file=StringIO(), width=160)
    console.print(render(IncidentReport(incident, None, None, None, source=source)))
    assert isinstance(console.file, StringIO)
    return " ".join(console.file.getvalue().split())


def test_it_says_what_the_app_runs_on_and_why() -> None:
    python = {"version": "3.12", "why": ".python-version names 3.12.4"}
    assert "python 3.12 .python-version names 3.12.4" in shown({**SOURCE, "python": python})


def test_what_was_fetched_before_that_was_looked_for_is_shown_without() -> None:
    assert f"read {'c' * 40} the app's entry names it" in shown({**SOURCE})
    assert "python" not in shown({**SOURCE})
    assert "python" not in shown(None)


def test_where_it_failed_is_told_apart_from_another_class_s_function_of_the_same_name() -> None:
    frame = Frame("/app/vat.py", 12, "rate", "return table[country]", True, "")
    told = replace(INCIDENT, frames=(frame,), qualified="Rates.rate", twins={"61": "Fees.rate"})
    assert "where /app/vat.py:12 in Rates.rate: return table[country]" in shown(None, told)
    assert "not line 61 in Fees.rate" in shown(None, told)
    assert "in rate: return" in shown(None, replace(INCIDENT, frames=(frame,)))


def test_words_of_a_patch_that_only_look_alike_are_named_before_it() -> None:
    console = Console(file=StringIO(), width=160)
    console.print(diff("+\u0441\u043e\u0440\u0443 = 1\n"))
    assert isinstance(console.file, StringIO)
    said = "The patch contains words that look Latin, and of which no letter is: \u0441\u043e\u0440\u0443\n"
    assert console.file.getvalue().startswith(said)


def test_what_spoke_against_the_heal_s_other_attempts_is_told(
    selfheal: Selfheal, put: Callable[..., str], target: Target, approvals_table: Table
) -> None:
    """An abstention after three attempts without their findings helps nobody."""
    target.outputs.update(ArtifactsBucket="artifacts", ApprovalsTable=approvals_table.name)
    boto3.client("s3").create_bucket(Bucket="artifacts")
    name = put(status="ABSTAINED", attempts=3, execution_arn="arn:aws:states:eu:1:execution:heal:h1")
    heal = Heal(name, "orders", "h1", 1)
    target.artifacts.put_json(heal.attempt_key(Artifact.PROPOSAL, 1), {"title": "Return None for NZ"})
    for number, finding in ((1, "nothing states None"), (2, "answer: no edits"), (3, "the third's own")):
        target.artifacts.put_json(heal.attempt_key(Artifact.FINDINGS, number), {"findings": [finding]})
    shown = selfheal("show", name).text
    assert "1 Return None for NZ • nothing states None" in shown
    assert "2 an answer that was no usable patch • answer: no edits" in shown
    told = selfheal("show", name, "--json").document["attempts"]
    assert [attempt["number"] for attempt in told] == [1, 2]


def test_a_redrive_is_said_once_on_the_embedded_run_too() -> None:
    failed = replace(
        INCIDENT, status=Status.FAILED, reason="CommitPatch failed", next_action="selfheal redrive orders-1"
    )
    console = Console(file=StringIO(), width=160)
    console.print(render(IncidentReport(failed, None, None, None, flag=" --local")))
    assert isinstance(console.file, StringIO)
    assert console.file.getvalue().count("redrive") == 1


def test_a_rejection_says_once_how_to_start_over() -> None:
    over = "Nothing more happens by itself. To start over: selfheal retry orders-1"
    rejected = replace(INCIDENT, status=Status.REJECTED, next_action=over, attempts=1, execution_arn="arn:h1")
    for flag in ("", " --local"):
        console = Console(file=StringIO(), width=160)
        console.print(what_next(rejected, flag))
        assert isinstance(console.file, StringIO)
        told = console.file.getvalue()
        assert (told.count("selfheal retry"), told.count("selfheal prompt")) == (1, 1)


def test_a_command_does_not_name_itself_as_the_next_one() -> None:
    failed = replace(INCIDENT, status=Status.FAILED, reason="the token was refused")
    console = Console(file=StringIO(), width=160)
    console.print(what_next(failed, " --local", "selfheal history orders-1"))
    assert isinstance(console.file, StringIO)
    told = console.file.getvalue()
    assert "selfheal history" not in told
    assert "selfheal redrive orders-1 --local" in told


def test_why_a_heal_abstained_is_said_once() -> None:
    end = replace(
        INCIDENT, status=Status.ABSTAINED, reason="data: raised on purpose", next_action="Find the input."
    )
    console = Console(file=StringIO(), width=160)
    answered = {"reason": "raised on purpose", "next_action": "Find the input."}
    console.print(render(IncidentReport(end, answered, None, None)))
    assert isinstance(console.file, StringIO)
    text = console.file.getvalue()
    assert text.count("raised on purpose") == text.count("Find the input.") == 1


@pytest.mark.parametrize(
    ("status", "next_action", "said"),
    [
        (Status.PR_OPEN, REVIEW_AND_MERGE, "review and merge it: https://forge/pull/1"),
        (Status.MERGED, DEPLOY, "deploy the fix; until that is noticed"),
        (
            Status.PR_OPEN,
            "Somebody pushed to it.",
            "Somebody pushed to it. review and merge it: https://forge",
        ),
    ],
)
def test_what_comes_next_is_said_once(status: Status, next_action: str, said: str) -> None:
    incident = replace(
        INCIDENT, status=status, next_action=next_action, pull_request_url="https://forge/pull/1"
    )
    text = shown(None, incident)
    assert said in text
    if next_action in (REVIEW_AND_MERGE, DEPLOY):
        assert next_action not in text


def test_a_question_that_waits_for_the_end_of_quiet_hours_is_not_said_to_be_sent() -> None:
    asked = Approval(
        *("orders-1#h1", "orders-1", "orders", "h1", "arn:h1", 1, 0, "a" * 64, "b" * 40),
        *("patch", "evidence", "proposal", 1_900_000_000),
        approvers=("ana@shop.example",),
        tell_at=1_800_000_000,
    )
    waits = "waits for the end of quiet hours, and is sent to ana@shop.example at 2027-01-15 08:00 UTC"
    for told_at, said in (("", waits), ("2027-01-15T08:00:00+00:00", "sent to ana@shop.example")):
        console = Console(file=StringIO(), width=160)
        report = IncidentReport(INCIDENT, None, None, None, history=(replace(asked, told_at=told_at),))
        console.print(render(report))
        assert isinstance(console.file, StringIO)
        assert f"\n{said}\n" in "\n".join(line.strip() for line in console.file.getvalue().splitlines())


def test_a_question_that_is_put_again_says_that_nothing_better_could_be_proven() -> None:
    asked = Approval(
        *("orders-1#h1", "orders-1", "orders", "h1", "arn:h1", 2, 0, "a" * 64, "b" * 40),
        *("patch", "evidence", "proposal", 1_900_000_000),
        standing="all repairs were turned down",
    )
    console = Console(file=StringIO(), width=160)
    console.print(render(IncidentReport(INCIDENT, None, None, None, history=(asked,))))
    assert isinstance(console.file, StringIO)
    assert "nothing better could be proven" in console.file.getvalue()
    assert "all repairs were turned down" in console.file.getvalue()


def test_who_alone_may_decide_is_said_where_a_decision_is_offered() -> None:
    asked = replace(INCIDENT, status=Status.AWAITING_APPROVAL)
    steps = [step.why for step in next_steps(asked, approvers=("ana@example.com", "slack:U1"))]
    assert steps[0] == "to decide is for ana@example.com or slack:U1 alone"
    assert not any("alone" in step.why for step in next_steps(asked))


def test_whose_app_was_removed_is_registered_before_it_starts_over(
    put: Callable[..., str], register: Callable[..., None], selfheal: Selfheal, target: Target
) -> None:
    target.outputs.update(ArtifactsBucket="artifacts")
    name = put(status="ABSTAINED")
    removed = [step["command"] for step in selfheal("show", name, "--json").document["next"]]
    assert removed == ["selfheal configure orders", f"selfheal retry {name}"]
    register("orders")
    assert selfheal("show", name, "--json").document["next"][0]["command"] == f"selfheal retry {name}"
