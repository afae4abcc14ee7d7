"""The second proof: on the head of the app's branch, where what is deployed lies behind it.

The same edits are put to the same gates there. The tests that reproduced the error at the deployed revision
come along, so that it is seen where they pass without the patch: then somebody has mended it already.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

from functions.core.incidents.incident import Frame, Incident
from functions.core.source.code_mappings import locate
from functions.core.source.history import History
from functions.core.workflow.evidence import Deployed
from functions.core.workflow.proposal import Proposal, RegressionTest
from functions.core.workflow.validation_context import ValidationContext
from functions.validate_patch.candidate import Candidate
from functions.validate_patch.order import tests_in, with_tests
from functions.validate_patch.tree import File, Tree
from functions.validate_patch.validate import Examined, Validation, examine, running_of


@dataclass(frozen=True, slots=True)
class First:
    """What came out at the deployed revision. tests, names: see `Validation.tests` and `.reproduced`."""

    deployed: Deployed
    tests: tuple[tuple[str, str], ...]
    names: tuple[str, ...]

    @classmethod
    def of(cls, validation: Validation, examined: Examined) -> Self:
        candidate, evidence = examined.candidate, validation.evidence
        ran = running_of(candidate)
        own = [(path, candidate.after[path].data.decode(errors="replace")) for path in tests_in(candidate)]
        return cls(
            Deployed(evidence.base_sha, tuple(gate for gate in evidence.gates if gate.gate in ran)),
            (*own, *validation.tests),
            validation.reproduced,
        )

    def to_json(self) -> dict[str, Any]:
        return {"deployed": asdict(self.deployed), "tests": self.tests, "names": self.names}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        tests = tuple((path, text) for path, text in data["tests"])
        return cls(Deployed.from_json(data["deployed"]), tests, tuple(data["names"]))


@dataclass(frozen=True, slots=True)
class Second:
    """The candidate on the head. runs: what is given to the runner: without the patch where that does not
    even pass the gates that read, only to see whether the error is still there; None where there is nothing
    to be run."""

    examined: Examined
    runs: Candidate | None
    besides: Mapping[str, Any]

    @classmethod
    def of(
        cls, tree: Tree, proposal: Proposal, context: ValidationContext, first: First, history: History
    ) -> Self:
        context = _where_it_is(context, tree)
        examined = examine(tree, _with_test(tree, proposal, first), context)
        gone = {"gone": {"names": first.names, "history": [step.was for step in history.steps]}}
        if examined.passed:
            return cls(examined, examined.candidate, gone)
        if not first.names:
            return cls(examined, None, {})
        bare = replace(examined.candidate, after=tree, changes=(), proposal=replace(proposal, edits=()))
        tests = [path for path, _ in first.tests]
        return cls(
            examined, with_tests(bare, first.tests), {**gone, "tests": tests, "suite": None, "joined": []}
        )

    def told(self, validation: Validation, first: First) -> Validation:
        """With the first proof beside it."""
        return replace(validation, evidence=replace(validation.evidence, deployed=first.deployed))


def _where_it_is(context: ValidationContext, tree: Tree) -> ValidationContext:
    """The incidents as tracebacks would name their lines in this tree: the nearest of the same text."""
    roots = context.app.source_roots

    def moved(incident: Incident) -> Incident:
        return replace(incident, frames=tuple(_moved(frame, tree, roots) for frame in incident.frames))

    return replace(context, incident=moved(context.incident), joined=tuple(map(moved, context.joined)))


def _moved(frame: Frame, tree: Tree, roots: Mapping[str, str]) -> Frame:
    path = locate(frame.file, tree, roots).path if frame.in_app and frame.line and frame.code else None
    if path is None or frame.line is None:
        return frame
    lines = tree[path].data.decode(errors="replace").split("\n")
    alike = [number for number, line in enumerate(lines, 1) if line.strip() == frame.code.strip()]
    was = frame.line
    return replace(frame, line=min(alike, key=lambda number: abs(number - was), default=was))


def _with_test(tree: Tree, proposal: Proposal, first: First) -> Proposal:
    """The proposal with the test that was found for it; one that is there already needs no second."""
    own = {edit.path for edit in proposal.edits}
    found = next(((path, text) for path, text in first.tests if path not in own), None)
    if found is None:
        return proposal
    if tree.get(found[0]) == File(found[1].encode()):
        return replace(proposal, regression_test=None)
    return replace(proposal, regression_test=RegressionTest(*found))
