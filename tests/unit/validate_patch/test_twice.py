"""Proven at the deployed revision, and again on the head that the patch goes on."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from functions.core.source.archive import Member, pack, read
from functions.core.source.head import Head
from functions.core.source.history import Step
from functions.core.workflow.artifacts import Artifacts
from functions.core.workflow.evidence import Evidence, Result
from functions.core.workflow.proposal import Proposal
from functions.harness.job import Job
from functions.harness.runner import Runner
from functions.validate_patch.handler import handler
from tests.unit.validate_patch.lanes_at_work import HEAL, REGRESSION, RIGHT, STATE, proof

if TYPE_CHECKING:
    from tests.fakes.emulated import LambdaContext

DEPLOYED, HEAD = "a" * 40, "f" * 40
FILE = "shop/reports.py"
BROKEN, MENDED = RIGHT[1], RIGHT[2]


@dataclass
class Twice:
    """A repository as deployed, and commits on it since."""

    artifacts: Artifacts
    runner: Runner
    context: Any
    tree: dict[str, str]
    proposal: Proposal
    steps: list[Step] = field(default_factory=list)
    runs: int = 0

    def commit(self, changes: Mapping[str, str | None]) -> str:
        sha = f"{len(self.steps) + 1}" * 40
        was = {path: self.tree.get(path) for path in changes}
        self.steps.append(Step(sha, "Ana", "2026-11-21T10:00:00+00:00", f"Change {len(self.steps) + 1}", was))
        now = {**self.tree, **changes}
        self.tree = {path: text for path, text in now.items() if text is not None}
        return sha

    def validate(self, history: bool = True) -> dict[str, Any]:
        """Each deferred verdict is run as the runner's function does, until there is another one."""
        archive = pack([Member(path, text.encode()) for path, text in self.tree.items()])
        steps, unknown = (tuple(self.steps), "") if history else (None, "it is too long")
        head = Head(HEAD, archive, steps, unknown).keep(self.artifacts, HEAL)
        self.artifacts.put_json(HEAL.attempt_key("proposal.json"), self.proposal.to_json())
        state = {**STATE, "source": {**STATE["source"], "deployed_sha": DEPLOYED, **head}}
        answer = handler(state, self.context)
        while answer["verdict"] == "deferred":
            folder = answer["run"]["folder"]
            job = Job.unpack(self.artifacts.get(f"{folder}/job.zip"))
            self.artifacts.put(f"{folder}/report.json", self.runner.run(job).report or b"")
            self.runs += 1
            state |= {"validation": answer, "run": {"ended": ""}}
            answer = handler(state, self.context)
        assert proof(handler(state, self.context)) == proof(answer), "a second run gives the same"
        return answer

    @property
    def evidence(self) -> Evidence:
        return Evidence.from_json(self.artifacts.get_json(HEAL.attempt_key("evidence.json")))

    @property
    def findings(self) -> list[str]:
        found: list[str] = self.artifacts.get_json(HEAL.attempt_key("findings.json"))["findings"]
        return found


@pytest.fixture
def twice(
    artifacts: Artifacts,
    runner: Runner,
    lambda_context: LambdaContext,
    shop_archive: bytes,
    propose: Callable[..., Proposal],
) -> Twice:
    tree = {member.path: member.data.decode() for member in read(shop_archive)}
    return Twice(artifacts, runner, lambda_context, tree, propose(RIGHT, test=REGRESSION))


def test_what_is_approved_is_the_patch_on_the_head_proven_in_both_places(twice: Twice) -> None:
    twice.commit({FILE: '"""Reports, later."""\n\n' + twice.tree[FILE]})
    answer = twice.validate()
    assert (answer["verdict"], answer["proven"], twice.runs) == ("accepted", True, 2)
    patch = twice.artifacts.get(answer["patch_key"])
    assert hashlib.sha256(patch).hexdigest() == answer["patch_sha256"]
    before = hashlib.sha1(
        b"blob %d\0" % len(twice.tree[FILE].encode()) + twice.tree[FILE].encode(), usedforsecurity=False
    )
    assert f"index {before.hexdigest()}..".encode() in patch
    evidence = twice.evidence
    assert evidence.base_sha == HEAD
    assert [gate.gate for gate in evidence.gates if gate.result is Result.NOT_RUN] == []
    assert evidence.deployed
    assert evidence.deployed.sha == DEPLOYED
    assert [gate.result for gate in evidence.deployed.gates] == [Result.PASS] * 3
    assert f"at the deployed revision {DEPLOYED[:12]}, and on {HEAD[:12]}" in evidence.twice


def test_a_test_that_was_found_comes_along(twice: Twice, propose: Callable[..., Proposal]) -> None:
    twice.proposal = propose(RIGHT)
    twice.commit({"README.md": "later\n"})
    answer = twice.validate()
    assert (answer["verdict"], answer["proven"]) == ("accepted", True)
    assert b"+++ b/tests/test_selfheal_1f3c.py\n" in twice.artifacts.get(answer["patch_key"])


@pytest.mark.parametrize("found", [False, True], ids=["the proposal's test", "a test that was found"])
def test_mended_already_names_the_commit_that_did_it(
    twice: Twice, propose: Callable[..., Proposal], found: bool
) -> None:
    twice.proposal = propose(RIGHT) if found else twice.proposal
    twice.commit({"shop/later.py": "LATER = 1\n"})
    twice.commit({"shop/later.py": None})
    by = twice.commit({FILE: twice.tree[FILE].replace(BROKEN, '"ORD-" + str(order["number"])')})
    twice.commit({"README.md": "later\n"})
    twice.commit({FILE: '"""Reports."""\n' + twice.tree[FILE]})
    answer = twice.validate()
    assert answer["verdict"] == "fixed"
    assert answer["fixed_by"] == {
        "sha": by,
        "date": "2026-11-21T10:00:00+00:00",
        "said": f"{by[:12]} by Ana on 2026-11-21: Change 3",
    }


def test_mended_already_by_nobody_knows_whom(twice: Twice) -> None:
    twice.commit({FILE: twice.tree[FILE].replace(BROKEN, MENDED)})
    answer = twice.validate(history=False)
    assert answer["verdict"] == "fixed"
    said = f"{HEAD[:12]} or a commit before it (it is too long)"
    assert answer["fixed_by"] == {"sha": HEAD, "date": "", "said": said}


def test_a_patch_that_does_not_fit_the_head_goes_back_to_the_model_with_what_is_there(twice: Twice) -> None:
    twice.commit({FILE: twice.tree[FILE].replace(BROKEN, '"ORD-" + (order["number"])')})
    answer = twice.validate()
    assert (answer["verdict"], twice.runs) == ("rejected", 2)
    assert twice.findings[0].startswith(
        f"on {HEAD[:12]}, the head of main, which is later than deployed: applies: "
    )


def test_what_fails_at_the_deployed_revision_is_not_tried_on_the_head(
    twice: Twice, propose: Callable[..., Proposal]
) -> None:
    twice.proposal = propose((FILE, BROKEN, '"ORD-" + order["numbers"]'), test=REGRESSION)
    twice.commit({"README.md": "later\n"})
    assert (twice.validate()["verdict"], twice.runs) == ("rejected", 1)
    assert twice.evidence.base_sha == DEPLOYED
