"""What travels between the workflow's steps: one class for each part of the state input, which is small JSON.

Each Task returns one part, which the state machine puts below its name:

    ClaimIncident → ClaimState (the state itself, to begin with)
    FetchSource → `source`              InstallDependencies → `dependencies`
    ProposePatch → `proposal`           ValidatePatch → `validation`
    RunPatch → `run`                    RunBuild → `build` (a service, not a function)
    ReviewPatch → `review`              AwaitApproval → `decision` (what people send)
    CommitPatch → `commit`              CreatePullRequest → `pull_request`
    RecordOutcome → OutcomeState (all that is left of the state)

Heals are under way while functions are upgraded, and may be redriven days later: names that are not known are
ignored, and what is missing has its default, which says "none". Whatever models and strangers wrote is cut
here, to `most` bytes of UTF-8 and to so many `items`, so that the state stays far below the 256 KiB that Step
Functions allows.
https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from typing import Any, ClassVar, Self

from functions.core.source.python import Python
from functions.core.workflow.heal import Heal

REFERENCE, SHORT, PROSE = 1200, 500, 2000
"""Bytes at most: of a reference (an S3 key has 1,024 bytes), of one line, of a few sentences."""


def _text(most: int = SHORT, *, name: str = "", secret: bool = False) -> Any:
    """A field of text. name: in the JSON, where it is another; secret: kept out of representations."""
    return field(default="", repr=not secret, metadata={"most": most, "name": name})


def _texts(items: int, most: int) -> Any:
    return field(default=(), metadata={"items": items, "most": most})


@dataclass(frozen=True, slots=True)
class _Part:
    """Read and written by the fields: a default tells the type, `metadata` what else there is to know."""

    @classmethod
    def from_json(cls, data: Mapping[str, Any] | None) -> Self:
        told = data or {}
        given = {f.name: _read(f, told[_name(f)]) for f in fields(cls) if told.get(_name(f)) is not None}
        return cls(**given)

    def to_state(self) -> dict[str, Any]:
        """As JSON; what is None is left out."""
        values = ((_name(f), _written(f, getattr(self, f.name))) for f in fields(self))
        return {name: value for name, value in values if value is not None}


def _name(f: Field[Any]) -> str:
    return f.metadata.get("name") or f.name


def _read(f: Field[Any], value: Any) -> Any:
    if "read" in f.metadata:
        return f.metadata["read"](value)
    made: Any = f.default_factory
    if isinstance(made, type) and issubclass(made, _Part):
        return made.from_json(value)
    if isinstance(f.default, bool):
        return value is True  # whatever else it is, nothing is allowed by it
    # JSONata makes floats of whole numbers.
    kind: Any = type(f.default)
    return kind(value)


def _written(f: Field[Any], value: Any) -> Any:
    if isinstance(value, _Part):
        return value.to_state()
    if isinstance(value, tuple):
        return [_written(f, one) for one in value[: f.metadata.get("items")]]
    if isinstance(value, str):
        return value.encode(errors="replace")[: f.metadata.get("most")].decode(errors="ignore")
    return value.to_json() if isinstance(value, Python) else value


@dataclass(frozen=True, slots=True)
class SourceState(_Part):
    """The source as FetchSource left it."""

    key: str = _text(REFERENCE)
    """Reference to the archive, such as `orders-1a2b/heal-1/source.tar.gz@sha256:…`."""
    context_key: str = _text(REFERENCE, name="facts")
    """Reference to the validation context."""
    deployed_sha: str = _text()
    """The commit that is deployed, which is read, and on which the error is reproduced; 40 hex digits."""
    base_sha: str = _text()
    """The head of the app's branch, what is approved and committed on."""
    head_key: str = _text(REFERENCE)
    """Reference to the head's source; "" where it is the deployed one."""
    history_key: str = _text(REFERENCE)
    """Reference to how the head came there."""
    earlier_key: str = _text(REFERENCE)
    """Reference to the pull request that is followed up, or that did not last; "" for none."""
    revision_from: str = _text()
    """`deployed` or `branch`."""
    python: Python = field(
        default_factory=lambda: Python.from_json(None), metadata={"read": Python.from_json}
    )
    """What the app runs on."""
    committed: str = _text()
    """When the commit was made (ISO 8601, UTC)."""


@dataclass(frozen=True, slots=True)
class DependenciesState(_Part):
    """The environment that InstallDependencies made."""

    key: str = _text(REFERENCE)
    """Its archive in the artifacts bucket, named by its content; "" when there is none."""
    reason: str = _text()
    """Why what the repository asks for was not installed; "" when it was, or it asks for nothing."""
    packages: int = 0
    lost: tuple[str, ...] = _texts(30, 300)
    """What is missing of it, or other than asked for, one clause each."""


@dataclass(frozen=True, slots=True)
class ProposalState(_Part):
    """What a model answered in this attempt."""

    outcome: str = _text()
    """`proposed`, `abstained` or `invalid`."""
    key: str = _text(REFERENCE)
    """Reference to the answer; "" for one that was none."""
    title: str = _text()
    reason: str = _text(PROSE)
    """The root cause, or why there is no patch."""
    next_action: str = _text(PROSE)
    """What a person should do, of an abstention."""
    confidence: float | None = field(default=None, metadata={"read": float})
    """The model's own, 0 to 1."""
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0
    """Of all calls of the attempt, at list prices."""
    model: str = _text()
    model_note: str = _text(1000)
    """Why it was not the app's own model, or what that one was asked without."""
    answered_by: str = _text()
    """What really answered, where the answer says so."""


@dataclass(frozen=True, slots=True)
class QuestionState(_Part):
    """What people have to answer; the whole of it is in the evidence."""

    principle: str = _text()
    """The gate that asks."""
    text: str = _text()
    where: str = _text(200)
    """`path:line`, or ""."""
    calls: tuple[str, ...] = _texts(2, 200)
    """Calls that show it, as source text."""


@dataclass(frozen=True, slots=True)
class RunOrder(_Part):
    """Where a run finds its job: the `run` or `build` of a deferred verdict."""

    folder: str = _text(REFERENCE)
    """Key prefix of this run's own, with a part that nobody can guess."""
    nonce: str = _text()
    """Must come back in the report."""
    bucket: str = _text()
    project: str = _text()
    """The CodeBuild project; "" for the stack's own runner."""
    experiment: str = _text(REFERENCE)
    """Reference to what the job asks for, by which the report is judged."""
    version: int = 1
    """Of the job and of its report. Orders of before it was told are of the first."""
    deployed: str = _text(REFERENCE)
    """Reference to what came out at the deployed revision, where this run is on the head."""


@dataclass(frozen=True, slots=True)
class FixedState(_Part):
    """The commit since which the error is gone."""

    sha: str = _text()
    date: str = _text()
    """ISO 8601; "" where it is not known."""
    said: str = _text(1000)


def _questions(rows: Any) -> tuple[QuestionState, ...]:
    return tuple(map(QuestionState.from_json, rows))


@dataclass(frozen=True, slots=True)
class ValidationState(_Part):
    """What the gates say; or, before a run, where its job is."""

    DEFERRED: ClassVar[str] = "deferred"
    """The verdict before a run: the gates that read passed, the others follow from what is run."""

    verdict: str = _text()
    """`accepted`, `rejected`, `questioned` (a question goes back to the model), `fixed` or `deferred`."""
    patch_key: str = _text(REFERENCE)
    patch_sha256: str = _text()
    evidence_key: str = _text(REFERENCE)
    reason: str = _text(PROSE)
    proven: bool = False
    """Whether every check ran and passed."""
    findings: int = 0
    questions: tuple[QuestionState, ...] = field(default=(), metadata={"read": _questions, "items": 6})
    run: RunOrder | None = field(default=None, metadata={"read": RunOrder.from_json})
    build: RunOrder | None = field(default=None, metadata={"read": RunOrder.from_json})
    fixed_by: FixedState | None = field(default=None, metadata={"read": FixedState.from_json})

    def to_state(self) -> dict[str, Any]:
        part = super(ValidationState, self).to_state()
        ordered = ("verdict", "run", "build")
        return (
            {name: part[name] for name in ordered if name in part} if self.verdict == self.DEFERRED else part
        )

    @property
    def order(self) -> RunOrder:
        """What a deferred verdict ordered."""
        return self.build or self.run or RunOrder()


@dataclass(frozen=True, slots=True)
class RunState(_Part):
    """How the last run in the stack's own runner ended."""

    ended: str = _text()
    """"" for a run that left a report, else how it ended without one."""
    lane: str = field(default="lambda", metadata={"most": SHORT})
    """`lambda` or `microvm`; heals of before there were two name none."""


@dataclass(frozen=True, slots=True)
class BuildState(_Part):
    """The last build in CodeBuild."""

    arn: str = _text(REFERENCE)
    log_url: str = _text(PROSE)


@dataclass(frozen=True, slots=True)
class ReviewState(_Part):
    """A second opinion on the patch."""

    opinion: str = _text()
    summary: str = _text(1000)
    key: str = _text(REFERENCE)
    """Reference to the review; "" where nobody reviewed."""
    sent_back: bool = False
    """Whether its objection goes back to the first model."""
    cost_usd: float = 0.0


@dataclass(frozen=True, slots=True)
class ProvenState(_Part):
    """The attempt that was proven when people asked for changes."""

    attempt: int = 0
    proposal: ProposalState = field(default_factory=ProposalState)
    validation: ValidationState = field(default_factory=ValidationState)
    review: ReviewState = field(default_factory=ReviewState)


@dataclass(frozen=True, slots=True)
class StandingState(_Part):
    """Whose patch is asked about again, where nothing better could be proven."""

    attempt: int = 0
    """0 for that of the heal's own attempt."""
    why: str = _text(PROSE)


@dataclass(frozen=True, slots=True)
class DecisionState(_Part):
    """What people decided; the state machine checks it before it is put here."""

    decision: str = _text()
    """`approve`, `reject` or `revise`."""
    by: str = _text()
    comment: str = _text(10_000)
    reason: str = _text()
    """Why it is rejected: a key of `REJECT_REASONS`."""
    patch_sha256: str = _text()
    base_sha: str = _text()
    approval_id: str = _text()
    """"" for a decision that was sent by hand, with the task token."""
    decided_at: str = _text()
    """ISO 8601, UTC."""


@dataclass(frozen=True, slots=True)
class MovedState(_Part):
    """What changes in `source` where the head is another one by now, on which the patch has to be proven."""

    base_sha: str = _text()
    head_key: str = _text(REFERENCE)
    history_key: str = _text(REFERENCE)


@dataclass(frozen=True, slots=True)
class CommitState(_Part):
    """The commit on the forge, and what it is on; or why there is none yet."""

    branch: str = _text()
    sha: str = _text()
    base_sha: str = _text()
    moved: MovedState | None = field(default=None, metadata={"read": MovedState.from_json})


@dataclass(frozen=True, slots=True)
class PullRequestState(_Part):
    """The pull request; without one the `url` is ""."""

    number: int = 0
    url: str = _text(PROSE)


@dataclass(frozen=True, slots=True)
class ClaimState(_Part):
    """What ClaimIncident answers: what a heal starts with, or why none starts, in which case all but
    `incident_id` and `reason` is left out of it."""

    claimed: bool = False
    incident_id: str = _text()
    app: str | None = None
    heal_id: str | None = None
    attempt: int | None = None
    attempts_allowed: int | None = None
    max_attempts: int | None = None
    comment: str | None = None
    mode: str | None = None
    """How far the heal goes, one of `core.apps.modes.Mode`."""
    callback_decides: bool | None = None
    """Whether whoever may answer the task may decide."""
    second_opinion: bool | None = None
    follow_up: bool | None = None
    joined: bool | None = None
    """Another incident with the same root cause is healed for it."""
    busy: bool | None = None
    """As many heals as may are under way; ask again in a minute."""
    observed: bool | None = None
    """The app's mode records errors of this class, and heals none."""
    held_back: bool | None = None
    """Healing is stopped, the app paused, or a limit reached."""
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class OutcomeState(_Part):
    """How the heal ended, as RecordOutcome answers; the workflow's last choice reads `outcome`."""

    outcome: str = _text()
    incident_id: str = _text()
    reason: str = _text(PROSE)
    pull_request_url: str | None = None


@dataclass(frozen=True, slots=True)
class HealState(_Part):
    """The state input of a Task, with what the state machine adds for it. An empty part is none (yet)."""

    incident_id: str = _text()
    app: str = _text()
    heal_id: str = _text()
    """Name of the execution."""
    attempt: int = 0
    """Counts model proposals from 1."""
    attempts_allowed: int = 0
    max_attempts: int = 0
    """By which `attempts_allowed` grows when people ask for changes."""
    comment: str = _text(10_000)
    """What people asked for."""
    mode: str = _text()
    callback_decides: bool = False
    second_opinion: bool = False
    follow_up: bool = False
    """Whether a pull request that is open is to be mended."""

    source: SourceState = field(default_factory=SourceState)
    dependencies: DependenciesState = field(default_factory=DependenciesState)
    proposal: ProposalState = field(default_factory=ProposalState)
    validation: ValidationState = field(default_factory=ValidationState)
    run: RunState = field(default_factory=RunState)
    build: BuildState = field(default_factory=BuildState)
    review: ReviewState = field(default_factory=ReviewState)
    decision: DecisionState = field(default_factory=DecisionState)
    proven: ProvenState = field(default_factory=ProvenState)
    standing: StandingState = field(default_factory=StandingState)
    commit: CommitState = field(default_factory=CommitState)
    pull_request: PullRequestState = field(default_factory=PullRequestState)

    execution_arn: str = _text(REFERENCE)
    """For ClaimIncident, AwaitApproval and RecordOutcome."""
    can_run: bool = False
    """For ValidatePatch: whether this workflow has a state to run patches in."""
    may_move: bool = False
    """For CommitPatch: whether the patch can be proven again, where the head has moved."""
    redrive_count: int = 0
    """For AwaitApproval, as the next one."""
    task_token: str = _text(2048, secret=True)

    @property
    def heal(self) -> Heal:
        return Heal(self.incident_id, self.app, self.heal_id, self.attempt)
