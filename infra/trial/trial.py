"""A trial: what the workflow would do with an error, on a local repository. One heal without AWS."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from functions.core.apps.app import App
from functions.core.incidents.incident import Frame, Incident
from functions.core.model.adapted import Adapted
from functions.core.model.budget import Commitment
from functions.core.model.journal import Journal
from functions.core.model.limits import Window, window_of
from functions.core.model.requests import RequestOptions
from functions.core.notify.counts import counted
from functions.core.source.python import Python
from functions.core.untrusted.redaction import redact
from functions.core.workflow.errors import SelfHealError
from functions.core.workflow.evidence import Evidence, GateResult, Result
from functions.core.workflow.proposal import Abstention, Proposal
from functions.core.workflow.validation_context import ValidationContext
from functions.fetch_source.interpreter import Word, python_of
from functions.harness.interpreters import available
from functions.harness.runner import Runner
from functions.install_dependencies.install import day_after
from functions.propose_patch.context import Context, MappedFrame
from functions.propose_patch.fit import Fitted, PromptParts, ask_fitting
from functions.propose_patch.prompt import EarlierAttempt, Prompt
from functions.propose_patch.repository import SourceTree
from functions.propose_patch.step import nothing_to_show, request_maker, unreadable
from functions.validate_patch.tree import SYMLINK, Tree
from functions.validate_patch.validate import GATES, Validation, not_run, tree_of, validate
from infra.trial.answer import UnusableAnswer, read_answer
from infra.trial.dependencies import Prepared, prepare
from infra.trial.log import Reported, read_log
from infra.trial.source import LocalSource

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of it. `frames` are those of the error, innermost last, each with its file here or None."""

    outcome: str
    """`accepted`, `rejected`, `abstained` or `failed`."""
    reason: str
    frames: tuple[tuple[Frame, str | None], ...] = ()
    context: Context | None = None
    prompt: Prompt | None = None
    patch: bytes = b""
    evidence: Evidence | None = None
    seconds: float = 0.0
    python: Python | None = None
    """What the tests run on."""
    cost_usd: float = 0.0
    """What the model's calls cost, at list prices."""

    @property
    def exit_code(self) -> int:
        return {"accepted": 0, "rejected": 1, "abstained": 1}.get(self.outcome, 3)

    def to_json(self) -> dict[str, Any]:
        """The document that `--json` prints."""
        parts = self.context.parts if self.context else ()
        return {
            "outcome": self.outcome,
            "reason": self.reason,
            "frames": [
                {"file": frame.file, "line": frame.line, "function": frame.function, "mapped_to": path}
                for frame, path in self.frames
            ],
            "prompt": {
                "tokens": self.prompt.tokens if self.prompt else 0,
                "parts": [
                    {"path": part.path, "function": part.function, "tokens": part.tokens, "why": part.why}
                    for part in parts
                ],
            },
            "python": self.python.to_json() if self.python else None,
            "diff": self.patch.decode(errors="replace"),
            "evidence": [
                {"gate": gate.gate, "result": str(gate.result), "detail": gate.detail}
                for gate in (self.evidence.gates if self.evidence else ())
            ],
            "questions": [
                asdict(question) for question in (self.evidence.questions if self.evidence else ())
            ],
            "behaviour": [
                {
                    "call": row.call,
                    "before": row.before,
                    "after": row.after,
                    "why": row.why,
                    "command": row.command,
                }
                for row in (self.evidence.behaviour if self.evidence else ())
            ],
            "seconds": round(self.seconds, 3),
        }


@dataclass
class _Free:
    """A budget that pays for everything: whoever tries this pays for the model's calls anyway."""

    spent_usd: float = 0.0

    @contextmanager
    def commit(self, worst_usd: float) -> Iterator[Commitment]:
        commitment = Commitment(0.0)
        yield commitment
        self.spent_usd += commitment.cost_usd


@dataclass
class Desk:
    """What a trial works on."""

    source: LocalSource
    app: App
    incident: Incident
    repository: SourceTree
    window: Window
    runner: Runner
    progress: Progress
    tree: Tree = field(init=False)
    python: Python = field(init=False)

    def __post_init__(self) -> None:
        self.tree = tree_of(self.source.members)
        self.python = python_of(self.app, Word, self._read, available(), self.source.committed)

    def _read(self, path: str) -> bytes | None:
        return self.tree[path].data if path in self.tree else None

    @property
    def heal_id(self) -> str:
        return hashlib.sha256(f"{self.incident.incident_id} {self.source.base_sha}".encode()).hexdigest()[:16]

    def draft(self, attempts: Sequence[EarlierAttempt] = ()) -> PromptParts:
        roots = self.app.source_roots
        return PromptParts(
            self.heal_id, self.incident, self.repository, roots, attempts, python=self.python.version
        )

    def validate(self, proposal: Proposal) -> Validation:
        given = self.dependencies
        self.progress(f"validating: {counted(len(proposal.edits), 'edit')}, in the sandbox")
        context = ValidationContext(self.incident, self.app, python=self.python, lost=given.lost)
        return validate(
            self.tree,
            proposal,
            context,
            self.source.base_sha,
            self.runner,
            dependencies=given.archive,
            not_installed=given.reason,
        )

    @cached_property
    def dependencies(self) -> Prepared:
        """Installed when the first patch is put to the gates: a trial that comes to none needs none."""
        files = {path: file.data for path, file in self.tree.items() if file.mode != SYMLINK}
        return prepare(files, self.python.version, day_after(self.source.committed), self.progress)


def app_for(source: LocalSource, entry: dict[str, Any] | None = None) -> App:
    """The app as a registry entry would describe it; files below the repository's own path map as well.

    Raises AppInvalid for an entry that breaks a rule.
    """
    name = re.sub(r"[^a-z0-9]+", "-", source.root.name.lower()).strip("-")
    name = name if re.match(r"[a-z]", name) else f"app-{name}".strip("-")
    given = {"log_groups": ["local"], "repository": f"https://localhost/{name}"} | (entry or {})
    app = App.from_json(name[:40].rstrip("-"), given)
    return replace(app, source_roots={**app.source_roots, str(source.root): ""})


def run_trial(
    source: LocalSource,
    log: str,
    app: App,
    runner: Runner,
    progress: Progress,
    *,
    model: tuple[Adapted, str] | None = None,
    answer: bytes | None = None,
) -> Trial:
    """Map, show, ask (or take the answer given), validate. Exactly one of `model` and `answer` is given.

    What the model or the sandbox fails with makes the outcome `failed`. Raises UserError for a log without
    errors or an answer that is none.
    """
    repository = SourceTree(source.members)
    reported = read_log(log, repository, app)
    return try_error(source, reported, repository, app, runner, progress, model=model, answer=answer)


def try_error(
    source: LocalSource,
    reported: Reported,
    repository: SourceTree,
    app: App,
    runner: Runner,
    progress: Progress,
    *,
    model: tuple[Adapted, str] | None = None,
    answer: bytes | None = None,
) -> Trial:
    """As `run_trial`, of one error of a log. Raises UserError for an answer that is none."""
    started = time.monotonic()
    progress(f"error: {reported.choice}")
    if reported.packages:
        names = ", ".join(reported.packages)
        progress(f"note: a deployment takes this for a library until 'packages' has: {names}")
    incident = reported.incident
    window = window_of(model[1] if model else app.model, app.context_window, app.answer_tokens)
    desk = Desk(source, app, incident, repository, window, runner, progress)
    progress(desk.python.said)
    draft = desk.draft()
    context = draft.context(window)
    for line in context.left_out:
        progress(f"note: {line}")
    prompt = draft.prompt(context, window)
    frames = tuple(_mapped(incident.frames, context.frames))
    trial = Trial("abstained", "", frames, context, prompt, python=desk.python)
    progress(f"prompt: {counted(prompt.tokens, 'token')}, source in {counted(len(context.parts), 'part')}")
    budget = _Free()
    try:
        if answer is not None:
            trial = _judged(desk, trial, answer)
        elif model is not None:
            trial = _asked(desk, trial, budget, *model)
    except (SelfHealError, BotoCoreError, ClientError, OSError) as error:
        trial = replace(trial, outcome="failed", reason=str(error))
    return replace(trial, seconds=time.monotonic() - started, cost_usd=budget.spent_usd)


def _mapped(frames: Sequence[Frame], mapped: Sequence[MappedFrame]) -> Iterator[tuple[Frame, str | None]]:
    paths = {entry.number: entry.path for entry in mapped}
    for number, frame in enumerate(frames, 1):
        yield frame, paths.get(number)


def _judged(desk: Desk, trial: Trial, data: bytes) -> Trial:
    """The answer given, put to the gates."""
    answer = read_answer(data, desk.tree)
    if isinstance(answer, Abstention):
        return replace(trial, reason=_said(answer))
    if isinstance(answer, UnusableAnswer):
        evidence = _does_not_apply(answer.why, desk.source.base_sha) if answer.applies else None
        return replace(trial, outcome="rejected", reason=answer.why, evidence=evidence)
    return _validated(trial, desk.validate(answer))


def _does_not_apply(why: str, base_sha: str) -> Evidence:
    rest = not_run(*GATES[1:], why="an earlier gate failed")
    return Evidence((GateResult(GATES[0], Result.FAIL, why, (why,)), *rest), "", base_sha)


def _asked(desk: Desk, trial: Trial, budget: _Free, model: Adapted, model_id: str) -> Trial:
    """What the workflow does: ask, validate, and ask again with the findings while attempts are left."""
    incident = desk.incident
    if str(incident.error_class) not in desk.app.heal_classes:
        return replace(
            trial,
            reason="not an error of the code, so nothing is asked:"
            f" {incident.error_class}: {incident.class_reason}. Next: {incident.next_action}",
        )
    if trial.context and not trial.context.parts:
        return replace(trial, reason=_said(nothing_to_show(trial.context)))
    if trial.context and (too_new := unreadable([trial.context.parts[0].path], desk.repository, desk.python)):
        return replace(trial, reason=_said(too_new))
    earlier: list[EarlierAttempt] = []
    standing: Trial | None = None

    def keep(fitted: Fitted) -> None:
        nonlocal trial
        trial = replace(trial, prompt=fitted.prompt, context=fitted.context)

    for number in range(1, desk.app.max_attempts + 1):
        desk.progress(f"attempt {number} of {desk.app.max_attempts}: asking {model_id}")
        make = request_maker(model_id, RequestOptions.of(desk.app))
        answer = ask_fitting(desk.draft(earlier), model, budget, desk.window, make, keep, Journal(), model_id)
        if isinstance(answer.result, Abstention):
            if standing is not None:
                return standing
            reason = _said(answer.result)
            if trial.outcome == "rejected":
                # What the gates found against the attempt before is the better reason; both are said.
                return replace(trial, reason=f"{trial.reason}; then the model abstained: {reason}")
            return replace(trial, outcome="abstained", reason=reason)
        if answer.result is None:
            findings = tuple(f"answer: {redact(violation)}" for violation in answer.violations)
            trial = replace(trial, outcome="rejected", reason="; ".join(findings))
            earlier.append(EarlierAttempt(number, None, findings))
            continue
        validation = desk.validate(answer.result)
        trial = _validated(trial, validation)
        asks = validation.evidence.questions
        if trial.outcome == "accepted" and asks and standing is None and number < desk.app.max_attempts:
            # Once, the model is asked; then people are.
            standing = trial
            desk.progress(f"attempt {number} raises a question: {asks[0].text}")
            found = tuple(f"question: {question.said}" for question in asks)
            earlier.append(EarlierAttempt(number, answer.result.to_json(), found))
            continue
        if trial.outcome == "accepted":
            break
        desk.progress(f"attempt {number} was rejected: {trial.reason}")
        earlier.append(EarlierAttempt(number, answer.result.to_json(), validation.evidence.findings))
    return trial if trial.outcome == "accepted" else standing or trial


def _validated(trial: Trial, validation: Validation) -> Trial:
    return replace(
        trial,
        outcome="accepted" if validation.evidence.accepted else "rejected",
        reason=validation.reason,
        patch=validation.patch,
        evidence=validation.evidence,
    )


def _said(abstention: Abstention) -> str:
    reason = abstention.reason.rstrip(". ")
    return redact(f"{abstention.abstention_class}: {reason}. Next: {abstention.next_action}")
