"""Who joined while people decided is reproduced before the commit: once for each approval, and bounded."""

from __future__ import annotations

from typing import Any

import boto3
import pytest

from functions.commit_patch.late import late
from functions.core.incidents.incident import Incident
from functions.core.workflow.artifacts import Artifacts
from functions.core.workflow.evidence import Evidence
from functions.core.workflow.state import HealState

MOST = 12


@pytest.fixture
def artifacts(aws: None) -> Artifacts:
    boto3.client("s3").create_bucket(Bucket="artifacts")
    return Artifacts(boto3.client("s3"), "artifacts")


def incidents(*numbers: int) -> list[Incident]:
    row = {"app": "orders", "fingerprint": "f", "status": "JOINED", "error_type": "E", "title": "E"}
    return [Incident.from_item(row | {"incident_id": f"orders-{number}"}) for number in numbers]


def state(artifacts: Artifacts, proven: list[Incident], **more: Any) -> HealState:
    """What CommitPatch is given after an approval by this proof."""
    evidence = Evidence((), joined=tuple(other.incident_id for other in proven))
    given = {
        "proposal": {"key": "proposal@sha256:1"},
        "incident_id": "orders-0",
        "heal_id": "h",
        "attempt": 1,
        "may_prove": True,
        "validation": {"evidence_key": artifacts.put_json("evidence.json", evidence.to_json())},
    }
    return HealState.from_json(given | more)


BEFORE = {"commit": {"late": {"proposal_key": "proposal@sha256:1", "incidents": ["orders-1"]}}}


@pytest.mark.parametrize(
    ("proven", "joined", "more", "came", "proof"),
    [
        ([], [], {}, [], []),
        ([1], [1], {}, [], []),
        ([1], [1, 2], {}, [2], [1, 2]),
        ([1, 2], [2, 3], {}, [3], [2, 3]),
        ([], [1, 2], {}, [1, 2], [1, 2]),
        ([*range(11)], [*range(14)], {}, [11], [*range(12)]),
        ([*range(MOST)], [*range(14)], {}, [], []),
        ([1], [1, 2], BEFORE, [], []),
        ([1], [1, 2], BEFORE | {"proposal": {"key": "proposal@sha256:2"}}, [2], [1, 2]),
        ([1], [1, 2], {"may_prove": False}, [], []),
    ],
    ids=[
        "none at all",
        "none since the proof",
        "one since the proof",
        "one since, and one left",
        "the first ones",
        "as many as one proof has time for",
        "no more than one proof has time for",
        "again, after such a proof of this patch",
        "again, and another patch is approved by now",
        "in a heal that began under a workflow that has no way back",
    ],
)
def test_those_that_joined_since_the_proof_are_proven_with_those_of_before(
    artifacts: Artifacts,
    proven: list[int],
    joined: list[int],
    more: dict[str, Any],
    came: list[int],
    proof: list[int],
) -> None:
    given = state(artifacts, incidents(*proven), **more)
    found = late(given, incidents(*joined), artifacts)
    assert list(found.incidents if found else ()) == [f"orders-{number}" for number in came]
    rows = artifacts.get_json(found.joined_key) if found else []
    assert [Incident.from_item(row) for row in rows] == incidents(*proof)
    assert found is None or found.proposal_key == given.proposal.key
    assert late(given, incidents(*joined), artifacts) == found, "twice is once"
