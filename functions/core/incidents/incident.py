"""The incident: one distinct error of one app, with all its occurrences."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import Any, Self


class Status(StrEnum):
    """Where an incident stands. `NEW` is the only status that starts a heal (see the pipe's filter)."""

    NEW = "NEW"
    HEALING = "HEALING"
    AWAITING_APPROVAL = "AWAITING_APPROVAL"
    PR_OPEN = "PR_OPEN"
    MERGED = "MERGED"
    """The fix is on the target branch. Until it is deployed, the error goes on and only counts."""
    RESOLVED = "RESOLVED"
    ABSTAINED = "ABSTAINED"
    REJECTED = "REJECTED"
    FAILED = "FAILED"
    SUPPRESSED = "SUPPRESSED"
    DIAGNOSED = "DIAGNOSED"
    """Its root cause is known; the app's mode goes no further. So with the next one."""
    PROPOSED = "PROPOSED"
    """A patch is proven, about which nobody was asked."""
    JOINED = "JOINED"
    """Another incident with the same root cause is healed for it, too."""

    @property
    def is_open(self) -> bool:
        """Whether something goes on, or waits: a heal, a decision, a merge, a deployment, a redrive."""
        return self in _OPEN

    @property
    def goes_on(self) -> bool:
        """Whether a heal is under way, or about to be."""
        return self in (Status.NEW, Status.HEALING, Status.AWAITING_APPROVAL)


BRANCH_PREFIX = "self-heal/"
"""Begins the name of every branch of ours."""

_OPEN = (
    *(Status.NEW, Status.HEALING, Status.AWAITING_APPROVAL),
    *(Status.PR_OPEN, Status.MERGED, Status.FAILED, Status.JOINED),
)


class ErrorClass(StrEnum):
    """What kind of trouble an error is. Only `CODE` starts a heal unless the app opts in to more."""

    CODE = "code"
    DEPENDENCY = "dependency"
    CONFIGURATION = "configuration"
    PERMISSION = "permission"
    THROTTLING = "throttling"
    TIMEOUT = "timeout"
    MEMORY = "memory"
    EXTERNAL = "external"
    EXPECTED = "expected"
    CUT = "cut"
    """What was raised, or where, did not reach the log: nothing to judge or to heal by."""
    NODEJS = "nodejs"
    """Another runtime's error, recorded for what it is."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One line of a traceback.

    file: path as the runtime printed it; line: 1-based, None where none was printed; function: as printed,
    None where none was printed; code: the source line as printed, without indent, "" when missing;
    in_app: whether the frame belongs to the app's own code; why: the rule that decided `in_app`.
    """

    file: str
    line: int | None
    function: str | None
    code: str = ""
    in_app: bool = False
    why: str = ""


@dataclass(frozen=True, slots=True)
class Incident:
    """One item of the incidents table. Times are ISO 8601 in UTC; `ttl` is in epoch seconds."""

    incident_id: str
    """`<app>-<fingerprint>`: readable in the console and safe in object keys and branch names."""
    fingerprint: str
    app: str
    status: Status
    error_type: str
    title: str
    """One line: type and first line of the message, redacted."""
    error_class: ErrorClass = ErrorClass.CODE
    class_reason: str = ""
    sample: str = ""
    """The log text of one occurrence, redacted and size-capped."""
    frames: tuple[Frame, ...] = ()
    """Frames of the exception that propagated, innermost last."""
    causes: tuple[Frame, ...] = ()
    """The app's own frames of the exceptions that led to it, or that it groups; innermost last of each."""
    place: str = ""
    """Where it comes from: file and function of the app's innermost frame."""
    qualified: str = ""
    """That function's qualified name in the source that was fetched; "" before, or where that tells none."""
    twins: dict[str, str] = field(default_factory=dict)
    """Line in that file → qualified name of another function of the same name, where the same line of code
    stands: what fails there is another error, of the same fingerprint."""
    revision: str = ""
    """The commit or version that the latest log record named as running; a claim until the forge knows it."""
    occurrences: int = 0
    counted_before: int | None = None
    """Occurrences of before they were counted in shards (see `detect_errors.recorder`); None until the first
    of them was, where the incident is that old."""
    first_seen: str = ""
    last_seen: str = ""
    log_group: str = ""
    log_stream: str = ""
    generation: int = 1
    """How many times this incident became NEW: 1, and one more for every regression after a fix, and for each
    heal that failed for good and was started over."""
    regressed_from: str = ""
    """The pull request whose merge had resolved the incident before it came back."""
    merge_sha: str = ""
    """What the merge put on the target branch."""
    merged_at: str = ""
    commit_sha: str = ""
    """What the pull request brings. While its branch is that, and nobody else's, it may be replaced."""
    follow_up: dict[str, Any] = field(default_factory=dict)
    """What the next heal is to mend in the pull request that is open: `{"why", "comment", "findings",
    "heard_before"}`; empty for a heal that begins with the error alone."""
    follow_ups: int = 0
    """How often that was tried."""
    heard_until: str = ""
    """When the latest remark on the pull request was made that was looked at."""
    checked_sha: str = ""
    """The commit of the pull request whose checks were acted on."""
    joined_to: str = ""
    """Of a JOINED one: the incident that is healed for it."""
    joined: tuple[str, ...] = ()
    """The incidents that joined this one."""
    fix_runs_since: str = ""
    """When it was first seen that what is deployed has the merge, "" while it has not."""
    fix_runs_why: str = ""
    """What says so."""
    execution_arn: str = ""
    approval_id: str = ""
    attempts: int = 0
    cost_usd: float = 0.0
    base_sha: str = ""
    patch_sha256: str = ""
    branch: str = ""
    pull_request_url: str = ""
    reason: str = ""
    next_action: str = ""
    higher_mode: str = ""
    """What the next higher mode would have done where the app's mode ended the heal."""
    held_until: int = 0
    """Of an incident that was held back, or whose heal ended at a budget: epoch seconds after which a
    sighting makes it NEW again."""
    waiting_since: str = ""
    """When it was held back first (ISO 8601); "" once its heal has begun."""
    by_hand: bool = False
    """Whether somebody started this heal over: it is no part of a storm."""
    redrivable_until: str = ""
    """Of a failed heal: when its execution can no longer be redriven."""
    updated_at: str = ""
    ttl: int = 0

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types, as the CLI's `--json` prints them."""
        return asdict(self) | {
            "frames": [asdict(frame) for frame in self.frames],
            "causes": [asdict(frame) for frame in self.causes],
        }

    @classmethod
    def from_item(cls, item: dict[str, Any]) -> Self:
        """Build from a DynamoDB item as boto3's resource API returns it (numbers are Decimal).

        Attributes that this version does not know are ignored, so that a rollback can still read the table.
        """
        known = {f.name for f in fields(cls)}
        values = {name: value for name, value in item.items() if name in known}
        values["status"] = Status(item["status"])
        values["error_class"] = ErrorClass(item.get("error_class", ErrorClass.CODE))
        for name in ("frames", "causes"):
            values[name] = tuple(frame_from_json(frame) for frame in item.get(name, ()))
        values["twins"] = {str(line): str(name) for line, name in item.get("twins", {}).items()}
        values["joined"] = tuple(item.get("joined", ()))
        values["follow_up"] = dict(item.get("follow_up", {}))
        for name in (
            *("occurrences", "counted_before", "generation", "attempts", "follow_ups"),
            *("held_until", "ttl"),
        ):
            if values.get(name) is not None:
                values[name] = int(values[name])
        if "cost_usd" in values:
            values["cost_usd"] = float(values["cost_usd"])
        return cls(**values)

    def is_over_for_good(self, now: str) -> bool:
        """Whether nothing goes on from here, so that a recurrence starts anew: it was resolved, or its heal
        failed and can no longer be redriven. now: ISO 8601 in UTC."""
        lapsed = self.status is Status.FAILED and bool(self.redrivable_until) and self.redrivable_until < now
        return lapsed or self.status is Status.RESOLVED

    def is_held_no_longer(self, now: float) -> bool:
        """Whether it was held back, and may be tried again by now. now: epoch seconds."""
        return self.status in (Status.SUPPRESSED, Status.ABSTAINED) and 0 < self.held_until <= now

    @property
    def is_never_healed(self) -> bool:
        """Whether its class or its app's settings keep it from being healed, and not only for a while."""
        return self.status is Status.SUPPRESSED and not self.held_until

    @property
    def branch_name(self) -> str:
        """The branch of this incident's heal. Derived, so that a second run finds the first one's branch."""
        suffix = f"-{self.generation}" if self.generation > 1 else ""
        return f"{BRANCH_PREFIX}{self.incident_id}{suffix}"


def frame_from_json(data: dict[str, Any]) -> Frame:
    """The inverse of `dataclasses.asdict` for a `Frame`; numbers may be Decimal."""
    line = data.get("line")
    return Frame(
        file=str(data["file"]),
        line=None if line is None else int(line),
        function=data.get("function"),
        code=data.get("code", ""),
        in_app=bool(data.get("in_app", False)),
        why=data.get("why", ""),
    )
