"""Evidence: what the gates of ValidatePatch found, as shown to the approver and in the pull request."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any, Self

from functions.core.notify.counts import counted
from functions.core.source.python import Python


class Result(StrEnum):
    """Outcome of one gate. `NOT_RUN` is never shown as a pass: its detail says why nothing was proven."""

    PASS = "pass"  # noqa: S105 - the word, not a password
    FAIL = "fail"
    NOT_RUN = "not_run"
    QUESTION = "question"
    """Nothing in the repository says whether it is right: whoever approves is asked first."""


@dataclass(frozen=True, slots=True)
class Run:
    """One command run in the sandbox: what, against which tree, how it ended, and the end of its output."""

    command: str
    tree: str
    """`before` (as fetched) or `after` (patched)."""
    exit_code: int | None
    """None when it was stopped for time or resources."""
    seconds: float
    output: str
    """Redacted and bounded."""


@dataclass(frozen=True, slots=True)
class GateResult:
    """One gate's finding. `detail` is one sentence; `findings` are precise enough for the model to act on."""

    gate: str
    result: Result
    detail: str
    findings: tuple[str, ...] = ()
    runs: tuple[Run, ...] = ()
    seconds: float = 0.0


CHECKS = {
    "applies": "The edits fit the files",
    "scope": "Only files that may be touched",
    "parses": "The code parses",
    "capabilities": "No secret and no new power",
    "formatting": "Nothing is merely reformatted",
    "reproduces": "The error happens before, and not after",
    "joined_reproduce": "So it is with every error that joined",
    "regression_tests": "The repository's tests pass as before",
    "does_nothing_else": "Nothing else is reached",
    "aims": "The change is where the error is",
    "tests_kept": "No test requires less",
    "error_seen": "The error is not hidden",
    "result_stated": "What it gives now is stated somewhere",
    "worked_stays": "What worked stays",
}
"""The gates in words."""


def in_words(gate: str) -> str:
    """What a gate is called in front of people."""
    return CHECKS.get(gate) or gate.replace("_", " ")


_MOST_TEXT, _MOST_FINDINGS = 500, 50


def bounded(gate: GateResult) -> GateResult:
    """The same with texts that people and models can read: strangers may have written parts of them."""
    findings = tuple(map(_cut, gate.findings[:_MOST_FINDINGS]))
    return replace(gate, detail=_cut(gate.detail), findings=findings)


def _cut(text: str) -> str:
    return text if len(text) <= _MOST_TEXT else f"{text[: _MOST_TEXT - 3]}..."


@dataclass(frozen=True, slots=True)
class Question:
    """What nothing in the repository answers: people have to."""

    principle: str
    """The gate that asks."""
    text: str
    """In plain words; redacted."""
    where: str = ""
    """`path:line`, or ""."""
    calls: tuple[str, ...] = ()
    """Calls that show it, as source text."""

    @property
    def said(self) -> str:
        return f"{self.text} ({self.where})" if self.where else self.text


BEHAVIOUR = {
    "incident": "fails as reported",
    "like it": "fails like it",
    "changed": "worked, and changed",
    "refused": "refused on purpose",
    "worked": "worked, and stays",
}
"""Why a row is in the behaviour table → in words."""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """One row of the behaviour table: what a call did before the patch, and does after it."""

    call: str
    before: str
    after: str
    why: str
    """A key of `BEHAVIOUR`."""
    imports: tuple[tuple[str, str], ...] = ()
    """Module ("" for `import name`) and name, of what the call uses."""

    @property
    def command(self) -> str:
        """Makes the call again, in a checkout of the repository."""
        lines = [
            f"from {module} import {name}" if module else f"import {name}" for module, name in self.imports
        ]
        return f"python -c {shlex.quote('; '.join([*lines, f'print(repr({self.call}))']))}"


@dataclass(frozen=True, slots=True)
class Build:
    """The CodeBuild build in which the tests ran, instead of the sandbox."""

    project: str
    arn: str
    log_url: str = ""
    """The console's page of the build's log, checked to be one address; "" when there is none."""


@dataclass(frozen=True, slots=True)
class Deployed:
    """The proof at the deployed revision, where the patch goes on a later one: the gates that ran there."""

    sha: str
    gates: tuple[GateResult, ...]

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        return cls(data["sha"], _gates(data["gates"]))


@dataclass(frozen=True, slots=True)
class Evidence:
    """All gates in the order they ran. A patch is accepted when no gate failed."""

    gates: tuple[GateResult, ...]
    patch_sha256: str = ""
    base_sha: str = ""
    base_reason: str = ""
    """Why the patch is for that commit: who named it as deployed."""
    build: Build | None = None
    warnings: tuple[str, ...] = ()
    """What the repository's own settings, or what could not be installed, took out of the proof, one sentence
    each."""
    python: Python | None = None
    """The app's Python, on which the tests ran; None in evidence of before it was looked for."""
    questions: tuple[Question, ...] = ()
    """What whoever approves has to answer, first of all."""
    behaviour: tuple[Behaviour, ...] = ()
    """What the runs showed: call, before, after."""
    deployed: Deployed | None = None
    """None where the patch goes on the deployed revision itself."""
    joined: tuple[str, ...] = ()
    """The incidents that had joined by then, which `joined_reproduce` tells of; others came later."""

    @property
    def accepted(self) -> bool:
        return all(gate.result is not Result.FAIL for gate in self.gates)

    @property
    def findings(self) -> tuple[str, ...]:
        """What the failed gates object to, each led by the gate's name."""
        return tuple(
            f"{gate.gate}: {finding}"
            for gate in self.gates
            if gate.result is Result.FAIL
            for finding in (gate.findings or (gate.detail,))
        )

    @property
    def not_proven(self) -> tuple[str, ...]:
        """What could not be proven, one sentence per gate that did not run."""
        here = {in_words(gate.gate): gate.detail for gate in self.gates if gate.result is Result.NOT_RUN}
        there = self.deployed.gates if self.deployed else ()
        return (
            *(f"{gate}: {detail}" for gate, detail in here.items()),
            *(
                f"{in_words(gate.gate)}, at the deployed revision: {gate.detail}"
                for gate in there
                if gate.result is Result.NOT_RUN and in_words(gate.gate) not in here
            ),
        )

    @property
    def twice(self) -> str:
        """Where it was proven, as a sentence; "" where that is one place."""
        if self.deployed is None:
            return ""
        return (
            f"Put to the gates twice: at the deployed revision {self.deployed.sha[:12]}, and on"
            f" {self.base_sha[:12]}, which it goes on."
        )

    def joined_since(self, seen: Evidence) -> tuple[str, ...]:
        """The incidents that joined since an earlier proof of the same patch."""
        return tuple(other for other in self.joined if other not in seen.joined)

    @property
    def proof(self) -> str:
        """What is proven, as one heading: never that all is well where something is asked or not proven."""
        if self.questions:
            return "People have to judge"
        checks = counted(len(self.gates), "check")
        return "NOT fully proven" if self.not_proven else f"Proven: {checks} ran and passed"

    def to_json(self) -> dict[str, Any]:
        return {
            "gates": [asdict(gate) for gate in self.gates],
            "patch_sha256": self.patch_sha256,
            "base_sha": self.base_sha,
            "base_reason": self.base_reason,
            "build": asdict(self.build) if self.build else None,
            "warnings": list(self.warnings),
            "python": self.python.to_json() if self.python else None,
            "questions": [asdict(question) for question in self.questions],
            "behaviour": [asdict(row) for row in self.behaviour],
            "deployed": asdict(self.deployed) if self.deployed else None,
            "joined": list(self.joined),
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        return cls(
            gates=_gates(data["gates"]),
            patch_sha256=data.get("patch_sha256", ""),
            base_sha=data.get("base_sha", ""),
            base_reason=data.get("base_reason", ""),
            build=Build(**data["build"]) if data.get("build") else None,
            warnings=tuple(data.get("warnings", ())),
            python=Python.from_json(data["python"]) if data.get("python") else None,
            questions=tuple(_question(row) for row in data.get("questions", ())),
            behaviour=tuple(_behaviour(row) for row in data.get("behaviour", ())),
            deployed=Deployed.from_json(data["deployed"]) if data.get("deployed") else None,
            joined=tuple(data.get("joined", ())),
        )


def _question(row: dict[str, Any]) -> Question:
    return Question(row["principle"], row["text"], row.get("where", ""), tuple(row.get("calls", ())))


def _behaviour(row: dict[str, Any]) -> Behaviour:
    imports = tuple((str(module), str(name)) for module, name in row.get("imports", ()))
    return Behaviour(row["call"], row["before"], row["after"], row["why"], imports)


def _gates(rows: Sequence[dict[str, Any]]) -> tuple[GateResult, ...]:
    return tuple(
        GateResult(
            gate=row["gate"],
            result=Result(row["result"]),
            detail=row["detail"],
            findings=tuple(row.get("findings", ())),
            runs=tuple(Run(**run) for run in row.get("runs", ())),
            seconds=float(row.get("seconds", 0.0)),
        )
        for row in rows
    )
