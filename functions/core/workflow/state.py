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

from dataclasses import dataclass, field
from typing import Any, ClassVar

from functions.core.source.python import Python
from functions.core.workflow.heal import Heal
from functions.core.workflow.parts import PROSE, REFERENCE, SHORT, StatePart, text_field, text_fields


@dataclass(frozen=True, slots=True)
class SourceState(StatePart):
    """The source as FetchSource left it."""

    key: str = text_field(REFERENCE)
    """Reference to the archive, such as `orders-1a2b/heal-1/source.tar.gz@sha256:…`."""
    context_key: str = text_field(REFERENCE, name="facts")
    """Reference to the validation context."""
    deployed_sha: str = text_field()
    """The commit that is deployed, which is read, and on which the error is reproduced; 40 hex digits."""
    base_sha: str = text_field()
    """The head of the app's branch, what is approved and committed on."""
    head_key: str = text_field(REFERENCE)
    """Reference to the head's source; "" where it is the deployed one."""
    history_key: str = text_field(REFERENCE)
    """Reference to how the head came there."""
    earlier_key: str = text_field(REFERENCE)
    """Reference to the pull request that is followed up, or that did not last; "" for none."""
    revision_from: str = text_field()
    """`deployed` or `branch`."""
    python: Python = field(
        default_factory=lambda: Python.from_json(None), metadata={"read": Python.from_json}
    )
    """What the app runs on."""
    committed: str = text_field()
    """When the commit was made (ISO 8601, UTC)."""


@dataclass(frozen=True, slots=True)
class DependenciesState(StatePart):
    """The environment that InstallDependencies made."""

    key: str = text_field(REFERENCE)
    """Its archive in the artifacts bucket, named by its content; "" when there is none."""
    reason: str = text_field()
    """Why what the repository asks for was not installed; "" when it was, or it asks for nothing."""
    packages: int = 0
    lost: tuple[str, ...] = text_fields(30, 300)
    """What is missing of it, or other than asked for, one clause each."""


@dataclass(frozen=True, slots=True)
class ProposalState(StatePart):
    """What a model answered in this attempt."""

    outcome: str = text_field()
    """`proposed`, `abstained` or `invalid`."""
    key: str = text_field(REFERENCE)
    """Reference to the answer; "" for one that was none."""
    title: str = text_field()
    reason: str = text_field(PROSE)
    """The root cause, or why there is no patch."""
    next_action: str = text_field(PROSE)
    """What a person should do, of an abstention."""
    held_until: int = 0
    """Of an abstention for want of money: when there is some, in epoch seconds."""
    confidence: float | None = field(default=None, metadata={"read": float})
    """The model's own, 0 to 1."""
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0
    """Of all calls of the attempt, at list prices."""
    model: str = text_field()
    model_note: str = text_field(1000)
    """Why it was not the app's own model, or what that one was asked without."""
    answered_by: str = text_field()
    """What really answered, where the answer says so."""
    joined_key: str | None = field(default=None, metadata={"read": str, "most": REFERENCE})
    """Reference to the incidents that had joined by then, or by a later proof of it; None where none had."""


@dataclass(frozen=True, slots=True)
class QuestionState(StatePart):
    """What people have to answer; the whole of it is in the evidence."""

    principle: str = text_field()
    """The gate that asks."""
    text: str = text_field()
    where: str = text_field(200)
    """`path:line`, or ""."""
    calls: tuple[str, ...] = text_fields(2, 200)
    """Calls that show it, as source text."""


@dataclass(frozen=True, slots=True)
class RunOrder(StatePart):
    """Where a run finds its job: the `run` or `build` of a deferred verdict."""

    folder: str = text_field(REFERENCE)
    """Key prefix of this run's own, with a part that nobody can guess."""
    nonce: str = text_field()
    """Must come back in the report."""
    bucket: str = text_field()
    project: str = text_field()
    """The CodeBuild project; "" for the stack's own runner."""
    experiment: str = text_field(REFERENCE)
    """Reference to what the job asks for, by which the report is judged."""
    version: int = 1
    """Of the job and of its report. Orders of before it was told are of the first."""
    deployed: str = text_field(REFERENCE)
    """Reference to what came out at the deployed revision, where this run is on the head."""


@dataclass(frozen=True, slots=True)
class FixedState(StatePart):
    """The commit since which the error is gone."""

    sha: str = text_field()
    date: str = text_field()
    """ISO 8601; "" where it is not known."""
    said: str = text_field(1000)


@dataclass(frozen=True, slots=True)
class ValidationState(StatePart):
    """What the gates say; or, before a run, where its job is."""

    DEFERRED: ClassVar[str] = "deferred"
    """The verdict before a run: the gates that read passed, the others follow from what is run."""

    verdict: str = text_field()
    """`accepted`, `rejected`, `questioned` (a question goes back to the model), `fixed` or `deferred`."""
    patch_key: str = text_field(REFERENCE)
    patch_sha256: str = text_field()
    evidence_key: str = text_field(REFERENCE)
    reason: str = text_field(PROSE)
    proven: bool = False
    """Whether every check ran and passed."""
    findings: int = 0
    questions: tuple[QuestionState, ...] = field(
        default=(), metadata={"read": QuestionState.each, "items": 6}
    )
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
class RunState(StatePart):
    """How the last run in the stack's own runner ended."""

    ended: str = text_field()
    """"" for a run that left a report, else how it ended without one."""
    lane: str = field(default="lambda", metadata={"most": SHORT})
    """`lambda` or `microvm`; heals of before there were two name none."""


@dataclass(frozen=True, slots=True)
class BuildState(StatePart):
    """The last build in CodeBuild."""

    arn: str = text_field(REFERENCE)
    log_url: str = text_field(PROSE)


@dataclass(frozen=True, slots=True)
class ReviewState(StatePart):
    """A second opinion on the patch."""

    opinion: str = text_field()
    summary: str = text_field(1000)
    key: str = text_field(REFERENCE)
    """Reference to the review; "" where nobody reviewed."""
    sent_back: bool = False
    """Whether its objection goes back to the first model."""
    cost_usd: float = 0.0


@dataclass(frozen=True, slots=True)
class ProvenState(StatePart):
    """The attempt that was proven when people asked for changes."""

    attempt: int = 0
    proposal: ProposalState = field(default_factory=ProposalState)
    validation: ValidationState = field(default_factory=ValidationState)
    review: ReviewState = field(default_factory=ReviewState)


@dataclass(frozen=True, slots=True)
class StandingState(StatePart):
    """Whose patch is asked about again, where nothing better could be proven."""

    attempt: int = 0
    """0 for that of the heal's own attempt."""
    why: str = text_field(PROSE)


@dataclass(frozen=True, slots=True)
class DecisionState(StatePart):
    """What people decided; the state machine checks it before it is put here."""

    decision: str = text_field()
    """`approve`, `reject` or `revise`."""
    by: str = text_field()
    comment: str = text_field(10_000)
    reason: str = text_field()
    """Why it is rejected: a key of `REJECT_REASONS`."""
    patch_sha256: str = text_field()
    base_sha: str = text_field()
    approval_id: str = text_field()
    """"" for a decision that was sent by hand, with the task token."""
    decided_at: str = text_field()
    """ISO 8601, UTC."""


@dataclass(frozen=True, slots=True)
class MovedState(StatePart):
    """What changes in `source` where the head is another one by now, on which the patch has to be proven."""

    base_sha: str = text_field()
    head_key: str = text_field(REFERENCE)
    history_key: str = text_field(REFERENCE)


@dataclass(frozen=True, slots=True)
class LateState(StatePart):
    """The incidents that joined since the proof, with which the patch has to be proven again."""

    incidents: tuple[str, ...] = text_fields(12, 200)
    joined_key: str = text_field(REFERENCE)
    """Reference to all that have joined, for `proposal`."""
    proposal_key: str = text_field(REFERENCE)
    """Which patch that is: there is one such proof for each, so that it ends."""


@dataclass(frozen=True, slots=True)
class CommitState(StatePart):
    """The commit on the forge, and what it is on; or why there is none yet."""

    branch: str = text_field()
    sha: str = text_field()
    base_sha: str = text_field()
    moved: MovedState | None = field(default=None, metadata={"read": MovedState.from_json})
    late: LateState | None = field(default=None, metadata={"read": LateState.from_json})
    carried_from: str | None = field(default=None, metadata={"read": str, "most": REFERENCE})
    """Reference to the evidence that people saw, where the same bytes were proven again since."""
    unconfirmed: str | None = field(default=None, metadata={"read": str, "most": PROSE})
    """Why what was approved is not on record, so that people are asked again."""


@dataclass(frozen=True, slots=True)
class PullRequestState(StatePart):
    """The pull request; without one the `url` is ""."""

    number: int = 0
    url: str = text_field(PROSE)


@dataclass(frozen=True, slots=True)
class ClaimState(StatePart):
    """What ClaimIncident answers: what a heal starts with, or why none starts, in which case all but
    `incident_id` and `reason` is left out of it."""

    claimed: bool = False
    incident_id: str = text_field()
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
class OutcomeState(StatePart):
    """How the heal ended, as RecordOutcome answers; the workflow's last choice reads `outcome`."""

    outcome: str = text_field()
    incident_id: str = text_field()
    reason: str = text_field(PROSE)
    pull_request_url: str | None = None


@dataclass(frozen=True, slots=True)
class HealState(StatePart):
    """The state input of a Task, with what the state machine adds for it. An empty part is none (yet)."""

    incident_id: str = text_field()
    app: str = text_field()
    heal_id: str = text_field()
    """Name of the execution."""
    attempt: int = 0
    """Counts model proposals from 1."""
    attempts_allowed: int = 0
    max_attempts: int = 0
    """By which `attempts_allowed` grows when people ask for changes."""
    comment: str = text_field(10_000)
    """What people asked for."""
    mode: str = text_field()
    callback_decides: bool = False
    second_opinion: bool = False
    last_try: bool = False
    """Whether the step is not run again if it fails in a way that mostly passes."""
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

    execution_arn: str = text_field(REFERENCE)
    """For ClaimIncident, AwaitApproval and RecordOutcome."""
    can_run: bool = False
    """For ValidatePatch: whether this workflow has a state to run patches in."""
    may_move: bool = False
    """For CommitPatch: whether the patch can be proven again, where the head has moved."""
    may_prove: bool = False
    """For CommitPatch: whether it can be where others joined since."""
    may_ask: bool = False
    """For CommitPatch: whether people can be asked again, where no approval is on record."""
    asked_again: int = 0
    """How often they were."""
    redrive_count: int = 0
    """For AwaitApproval, as the next one."""
    task_token: str = text_field(2048, secret=True)

    @property
    def heal(self) -> Heal:
        return Heal(self.incident_id, self.app, self.heal_id, self.attempt)
