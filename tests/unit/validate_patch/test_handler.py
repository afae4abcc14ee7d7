"""ValidatePatch as Step Functions invokes it, over moto's S3: asked once, it leaves a job; asked again, it
judges what the lane left."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from functions.core.source.archive import Member, pack, read
from functions.core.workflow.artifacts import Artifacts, reference
from functions.core.workflow.dependencies import archive_key
from functions.core.workflow.evidence import Evidence
from functions.core.workflow.joined import keep
from functions.core.workflow.proposal import Proposal
from functions.core.workflow.validation_context import ValidationContext
from functions.harness.job import Job
from functions.harness.runner import Runner
from functions.validate_patch.gates import GATES
from functions.validate_patch.handler import handler
from tests.unit.validate_patch.lanes_at_work import HEAL, STATE, proof

if TYPE_CHECKING:
    from tests.fakes.emulated import LambdaContext

RIGHT = ("shop/reports.py", '"ORD-" + order["number"]', "f\"ORD-{order['number']}\"")
SILENCED = 'try:\n        return "ORD-" + order["number"]\n    except Exception:\n        return ""'
Healed = Callable[..., dict[str, Any]]


@pytest.fixture
def healed(artifacts: Artifacts, runner: Runner, lambda_context: LambdaContext) -> Healed:
    """The verdict, with the job run between the two questions as the runner's function does."""

    def run(**state: Any) -> dict[str, Any]:
        first = handler({**STATE, **state}, lambda_context)
        if first["verdict"] != "deferred":
            return first
        folder = first["run"]["folder"]
        job = Job.unpack(artifacts.get(f"{folder}/job.zip"))
        artifacts.put(f"{folder}/report.json", runner.run(job).report or b"")
        second = {**STATE, **state, "validation": first, "run": {"ended": ""}}
        answer: dict[str, Any] = handler(second, lambda_context)
        again: dict[str, Any] = handler(second, lambda_context)
        assert proof(again) == proof(answer), "a second run gives the same"
        return again

    return run


def test_accepted_patch_leaves_its_bytes_and_the_evidence(
    artifacts: Artifacts, propose: Callable[..., Proposal], healed: Healed
) -> None:
    proposal = propose(("shop/reports.py", '"ORD-" + order["number"]', "f\"ORD-{order['number']}\""))
    artifacts.put_json(HEAL.attempt_key("proposal.json"), proposal.to_json())

    answer = healed()

    patch = artifacts.get(HEAL.attempt_key("patch.diff"))
    assert answer == {
        "verdict": "accepted",
        "patch_key": reference(HEAL.attempt_key("patch.diff"), patch),
        "patch_sha256": hashlib.sha256(patch).hexdigest(),
        "evidence_key": reference(key := HEAL.attempt_key("evidence.json"), artifacts.get(key)),
        "reason": "accepted: every gate passed",
        "proven": True,
        "findings": 0,
        "questions": [],
    }
    assert b"+++ b/tests/test_selfheal_1f3c.py\n" in patch
    evidence = Evidence.from_json(artifacts.get_json(HEAL.attempt_key("evidence.json")))
    assert evidence.accepted
    assert (evidence.patch_sha256, evidence.base_sha) == (answer["patch_sha256"], "a" * 40)
    names = [gate.gate for gate in evidence.gates]
    assert names == [gate.name for gate in GATES]
    assert artifacts.get_json(HEAL.attempt_key("findings.json")) == {"findings": []}

    assert proof(healed()) == proof(answer), "another run gives the same"
    assert artifacts.get(HEAL.attempt_key("patch.diff")) == patch


def test_rejected_patch_leaves_its_findings_for_the_next_attempt(
    artifacts: Artifacts, propose: Callable[..., Proposal], healed: Healed
) -> None:
    silenced = propose(("shop/reports.py", '    return "ORD-" + order["number"]', f"    {SILENCED}"))
    artifacts.put_json(HEAL.attempt_key("proposal.json"), silenced.to_json())

    answer = healed()

    assert answer["verdict"] == "rejected"
    findings = artifacts.get_json(HEAL.attempt_key("findings.json"))["findings"]
    assert len(findings) == answer["findings"] > 0
    assert answer["reason"] == findings[0]
    assert any(text.startswith("error_seen: shop/reports.py:35: `except Exception`") for text in findings)


def test_a_question_that_no_earlier_attempt_raised_goes_back_whichever_attempt_raises_it(
    artifacts: Artifacts,
    propose: Callable[..., Proposal],
    healed: Healed,
    incidents: dict[str, ValidationContext],
) -> None:
    incidents["rate"].save(artifacts, HEAL)
    invented = propose(("shop/pricing.py", "RATES[country]", "RATES.get(country, 7.5)"))
    artifacts.put_json(HEAL.attempt_key("proposal.json"), invented.to_json())
    assert HEAL.attempt > 1
    assert healed(attempts_allowed=HEAL.attempt + 1)["verdict"] == "questioned"


def test_a_question_goes_back_to_the_model_once_and_then_to_people(
    artifacts: Artifacts,
    propose: Callable[..., Proposal],
    healed: Healed,
    incidents: dict[str, ValidationContext],
) -> None:
    incidents["rate"].save(artifacts, HEAL)
    invented = propose(("shop/pricing.py", "RATES[country]", "RATES.get(country, 7.5)"))

    def asked(attempt: int, allowed: int) -> dict[str, Any]:
        heal = replace(HEAL, attempt=attempt)
        artifacts.put_json(heal.attempt_key("proposal.json"), invented.to_json())
        proposal = {"key": heal.attempt_key("proposal.json"), "outcome": "proposed"}
        return healed(attempt=attempt, attempts_allowed=allowed, proposal=proposal)

    first = asked(1, 3)
    assert (first["verdict"], first["findings"]) == ("questioned", 1)
    (question,) = first["questions"]
    assert question["principle"] == "result_stated"
    assert "gives 7.5 after the patch" in question["text"]
    (finding,) = artifacts.get_json(HEAL.attempt_key("findings.json", 1))["findings"]
    assert finding.startswith("question: ")
    assert asked(1, 3)["verdict"] == "questioned", "a second run gives the same"
    second = asked(2, 3)
    assert (second["verdict"], len(second["questions"])) == ("accepted", 1)
    assert second["reason"].startswith("accepted, with questions: ")


def test_where_no_try_is_left_people_are_asked_at_once(
    artifacts: Artifacts,
    propose: Callable[..., Proposal],
    healed: Healed,
    incidents: dict[str, ValidationContext],
) -> None:
    incidents["rate"].save(artifacts, HEAL)
    invented = propose(("shop/pricing.py", "RATES[country]", "RATES.get(country, 7.5)"))
    artifacts.put_json(HEAL.attempt_key("proposal.json"), invented.to_json())
    assert healed(attempts_allowed=1)["verdict"] == "accepted"


def test_patch_that_does_not_apply_has_no_hash(
    artifacts: Artifacts, propose: Callable[..., Proposal], lambda_context: LambdaContext
) -> None:
    artifacts.put_json(HEAL.attempt_key("proposal.json"), propose(("nowhere.py", "x", "y")).to_json())
    answer = handler(STATE, lambda_context)
    assert (answer["verdict"], answer["patch_sha256"]) == ("rejected", "")
    assert artifacts.get(HEAL.attempt_key("patch.diff")) == b""


def test_installed_dependencies_are_there_for_the_tests_and_missing_ones_are_said(
    artifacts: Artifacts,
    shop_archive: bytes,
    propose: Callable[..., Proposal],
    healed: Healed,
) -> None:
    importing = Member(
        "tests/test_padded.py", b"import leftpad\n\n\ndef test_padded():\n    assert leftpad.PADDED\n"
    )
    artifacts.put(HEAL.key("source.tar.gz"), pack([*read(shop_archive), importing]))
    edit = ("shop/reports.py", '"ORD-" + order["number"]', "f\"ORD-{order['number']}\"")
    artifacts.put_json(HEAL.attempt_key("proposal.json"), propose(edit).to_json())
    installed = pack([Member("leftpad.py", b"PADDED = True\n")])
    installed_key = archive_key(hashlib.sha256(installed).hexdigest())
    artifacts.put(installed_key, installed)

    def detail(key: str, reason: str) -> str:
        dependencies = {"key": key, "reason": reason, "packages": 1}
        assert healed(dependencies=dependencies)["verdict"] == "accepted"
        evidence = Evidence.from_json(artifacts.get_json(HEAL.attempt_key("evidence.json")))
        return next(gate.detail for gate in evidence.gates if gate.gate == "regression_tests")

    assert detail(installed_key, "").startswith("14 tests passed before the patch and pass after it")
    assert "not run: the repository's dependencies are not installed: no wheel" in detail("", "no wheel")


def test_what_reading_disproves_is_not_run(
    artifacts: Artifacts, propose: Callable[..., Proposal], lambda_context: LambdaContext
) -> None:
    reaching = propose(("shop/reports.py", 'return "ORD-"', 'return __import__("os").getcwd() + "ORD-"'))
    artifacts.put_json(HEAL.attempt_key("proposal.json"), reaching.to_json())
    assert handler(STATE, lambda_context)["verdict"] == "rejected"
    assert [key for key in _keys(artifacts) if key.startswith(("runs/", "builds/"))] == []


def _keys(artifacts: Artifacts) -> list[str]:
    import boto3

    listing = boto3.client("s3").list_objects_v2(Bucket=artifacts.bucket)
    return [row["Key"] for row in listing["Contents"]]


def test_of_those_that_joined_as_many_are_put_to_the_proof_as_it_has_time_for_and_all_are_told_of(
    artifacts: Artifacts,
    propose: Callable[..., Proposal],
    incidents: dict[str, ValidationContext],
    healed: Healed,
) -> None:
    artifacts.put_json(HEAL.attempt_key("proposal.json"), propose(RIGHT).to_json())
    others = [replace(incidents["label"].incident, incident_id=f"shop-{number}") for number in range(14)]
    key = keep(others, HEAL, artifacts)
    healed(proposal=STATE["proposal"] | {"joined_key": key})
    evidence = Evidence.from_json(artifacts.get_json(HEAL.attempt_key("evidence.json")))
    assert evidence.joined == tuple(f"shop-{number}" for number in range(12))
    (gate,) = (gate for gate in evidence.gates if gate.gate == "joined_reproduce")
    assert gate.detail.startswith("12 of 14 that joined")
    assert gate.detail.endswith("not reproduced: 2 more, as one proof has time for 12")
