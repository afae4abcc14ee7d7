"""Every alarm, as one table: what is watched, when it is too much, and what to do then.

No CDK here: `infra/observability.py` makes alarms of the rows, `.github/RUNBOOK.md` has a section for each
`section`, and tests compare the three with what the stack has.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum, auto

from infra.catalog import EVERY, FUNCTIONS, RUNNER, STEPS

DAY = 24 * 60


class Watched(StrEnum):
    """What an alarm looks at; `Alarm.key` says which one."""

    FUNCTION = auto()
    QUEUE = auto()
    TABLE = auto()
    PIPE = auto()
    STATE_MACHINE = auto()
    PAGE = auto()
    SCHEDULES = auto()
    RULE = auto()
    ACCOUNT = auto()
    """The account's share of Lambda, in percent of what it may use."""
    OURS = auto()
    """A metric of the functions' own; the key is the function that counts it."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """One row. It rings when the sum of `metrics`, by `statistic` over `minutes`, reaches `threshold`."""

    name: str
    """In camel case: the alarm's own name is this with hyphens behind the deployment's prefix."""
    watched: Watched
    key: str
    metrics: tuple[str, ...]
    threshold: float
    means: str
    """One clause, from the view of those who rely on the system."""
    answer: str
    """The command or page that answers it. Its last words, so that it can be copied."""
    minutes: int = 5
    statistic: str = "Sum"
    section: str = ""
    """Of the runbook, where it is not the alarm's own."""
    silent: bool = False
    """Rings nobody by itself: a composite does for several."""
    below: bool = False
    """Rings where there is less; then silence rings, too."""

    @property
    def runbook(self) -> str:
        return self.section or self.name


_FAILED = "selfheal incidents --status FAILED"
_REDRIVE = "selfheal redrive --failed --dry-run"

_OTHERS = {
    "detect_errors": ("errors of services may go unnoticed", "selfheal requeue"),
    "decide_approval": ("the approval page fails", "selfheal incidents --status AWAITING_APPROVAL"),
    "take_decision": (
        "decisions from the command line are not taken",
        "selfheal incidents --status AWAITING_APPROVAL",
    ),
    "report_failure": ("failed heals are not marked as failed, and nobody is told", "selfheal requeue"),
    "remind_approvers": ("nobody is reminded of questions", "selfheal incidents --status AWAITING_APPROVAL"),
    "track_pull_requests": ("merged fixes are not followed", "selfheal incidents --status PR_OPEN"),
    "canary": ("nobody looks whether a known error is healed", "selfheal doctor"),
    "sign_in": ("people cannot sign in to the approval page", "selfheal doctor"),
}


def _functions() -> Iterator[Alarm]:
    steps = {spec.folder for spec in (*STEPS, RUNNER)}
    for spec in EVERY:
        name = f"{spec.construct_id}Errors"
        if spec.folder in steps:
            means = f"{spec.folder} raises errors, which the workflow retries"
            yield Alarm(
                name,
                Watched.FUNCTION,
                spec.folder,
                ("Errors",),
                1,
                means,
                _FAILED,
                section="StepErrors",
                silent=True,
            )
        else:
            yield Alarm(name, Watched.FUNCTION, spec.folder, ("Errors",), 1, *_OTHERS[spec.folder])
    for folder, threshold in (("detect_errors", 100), ("decide_approval", 1)):
        means = f"more comes in than {folder} has concurrency for"
        construct_id = next(spec.construct_id for spec in EVERY if spec.folder == folder)
        yield Alarm(
            f"{construct_id}Throttled",
            Watched.FUNCTION,
            folder,
            ("Throttles",),
            threshold,
            means,
            "selfheal incidents --sort occurrences",
        )


def _queues() -> Iterator[Alarm]:
    visible, age = ("ApproximateNumberOfMessagesVisible",), ("ApproximateAgeOfOldestMessage",)
    for key, means in (
        ("FailedDetections", "log deliveries that detect_errors gave up on"),
        ("UnstartedHeals", "incidents whose heal never started"),
        ("UnreportedFailures", "failures that nobody was told of"),
    ):
        answer = "selfheal requeue"
        yield Alarm(key, Watched.QUEUE, key, visible, 1, f"there are {means}", answer, statistic="Maximum")
        yield Alarm(
            f"{key}Old",
            Watched.QUEUE,
            key,
            age,
            10 * 24 * 3600,
            f"in four days, what is queued longest of the {means} is lost",
            answer,
            minutes=60,
            statistic="Maximum",
            section=key,
        )
    yield Alarm(
        "FailedDetectionsMany",
        Watched.QUEUE,
        "FailedDetections",
        visible,
        100,
        "a hundred log deliveries or more could not be counted",
        "selfheal requeue",
        statistic="Maximum",
        section="FailedDetections",
    )


ALARMS: tuple[Alarm, ...] = (
    *_functions(),
    *_queues(),
    *(
        Alarm(
            f"{key}Throttled",
            Watched.TABLE,
            key,
            ("WriteThrottleEvents",),
            10,
            f"DynamoDB refuses requests to the table {key}",
            "selfheal incidents --sort occurrences",
            section="TableThrottled",
        )
        for key in ("Incidents", "Deliveries", "Approvals")
    ),
    Alarm(
        "PipeFailed",
        Watched.PIPE,
        "workflow",
        ("ExecutionFailed",),
        1,
        "the pipe could not start heals",
        "selfheal requeue",
    ),
    Alarm(
        "LifeEventsFailed",
        Watched.PIPE,
        "life_events",
        ("ExecutionFailed",),
        1,
        "events of incidents do not get onto the bus",
        "selfheal doctor",
    ),
    Alarm(
        "HealsFailed",
        Watched.STATE_MACHINE,
        "",
        ("ExecutionsFailed",),
        1,
        "heals failed, and wait for a redrive",
        _REDRIVE,
    ),
    Alarm(
        "HealsFailedMany",
        Watched.STATE_MACHINE,
        "",
        ("ExecutionsFailed",),
        10,
        "ten heals failed within an hour: something is down that all of them need",
        _REDRIVE,
        minutes=60,
        section="HealsFailed",
    ),
    Alarm(
        "HealsTimedOut",
        Watched.STATE_MACHINE,
        "",
        ("ExecutionsTimedOut",),
        1,
        "heals took too long, or nobody decided in time",
        _REDRIVE,
    ),
    Alarm(
        "HealsAborted",
        Watched.STATE_MACHINE,
        "",
        ("ExecutionsAborted",),
        1,
        "somebody stopped heals",
        _REDRIVE,
    ),
    Alarm(
        "HealsThrottled",
        Watched.STATE_MACHINE,
        "",
        ("ExecutionThrottled",),
        100,
        "Step Functions slows heals down",
        "selfheal incidents --status HEALING",
    ),
    Alarm(
        "PageFails",
        Watched.PAGE,
        "decide_approval",
        ("Url5xxCount",),
        1,
        "the approval page answered with an error",
        "selfheal incidents --status AWAITING_APPROVAL",
    ),
    Alarm(
        "SchedulesFailed",
        Watched.SCHEDULES,
        "",
        ("TargetErrorCount", "InvocationDroppedCount"),
        3,
        "what runs on a schedule could not be invoked",
        "selfheal doctor",
        minutes=60,
    ),
    *(
        Alarm(
            f"{name}Silent",
            Watched.FUNCTION,
            folder,
            ("Invocations",),
            1,
            f"{folder} has not run for {60 * hours} minutes",
            "selfheal doctor",
            minutes=hours * 60,
            section="ScheduleSilent",
            below=True,
        )
        for name, folder, hours in (
            ("TrackPullRequests", "track_pull_requests", 1),
            ("RemindApprovers", "remind_approvers", 2),
        )
    ),
    Alarm(
        "FailuresUnheard",
        Watched.RULE,
        "report_failure",
        ("FailedInvocations",),
        1,
        "EventBridge could not tell report_failure of a failed heal",
        "selfheal requeue",
    ),
    Alarm(
        "ForgeUnheard",
        Watched.RULE,
        "track_pull_requests",
        ("FailedInvocations",),
        1,
        "EventBridge could not pass on what the forge told; the schedule still looks",
        "selfheal doctor",
    ),
    Alarm(
        "EndsUnheard",
        Watched.RULE,
        "ended_heals",
        ("FailedInvocations",),
        1,
        "EventBridge could not tell track_pull_requests that a heal has ended; the schedule still looks",
        "selfheal doctor",
        section="ForgeUnheard",
    ),
    *(
        Alarm(
            name,
            Watched.ACCOUNT,
            "",
            ("ConcurrentExecutions",),
            percent,
            f"Lambda runs {percent} % of what this account may at once; at 100 %, all functions suffer",
            "selfheal incidents --status HEALING",
            statistic="Maximum",
            section="AccountConcurrency",
        )
        for name, percent in (("AccountConcurrency", 70), ("AccountConcurrencyHigh", 90))
    ),
    *(
        Alarm(
            name,
            Watched.OURS,
            "propose_patch",
            ("ModelSpend",),
            usd,
            f"models have cost ${usd} or more within a day",
            "selfheal incidents --sort last",
            minutes=DAY,
            section="ModelSpend",
        )
        for name, usd in (("ModelSpend", 25), ("ModelSpendHigh", 100))
    ),
    Alarm(
        "CanaryFailed",
        Watched.OURS,
        "canary",
        ("CanaryFailed",),
        1,
        "the canary's error was logged, and within an hour no patch for it was proven",
        "selfheal incidents --sort last",
        minutes=60,
    ),
    Alarm(
        "QuestionWaits",
        Watched.OURS,
        "remind_approvers",
        ("OldestQuestionShare",),
        75,
        "a question has three quarters of its time behind it, and nobody has decided",
        "selfheal incidents --status AWAITING_APPROVAL",
        minutes=60,
        statistic="Maximum",
    ),
)
"""All alarms on one metric each. Beside them: the band below, and the composites."""

CHOSEN = {spec.folder for spec in EVERY} - {spec.folder for spec in (*FUNCTIONS, RUNNER)}
"""Keys of alarms that only a deployment has which was given such a function."""

BAND = Alarm(
    "ErrorsUnusual",
    Watched.OURS,
    "detect_errors",
    ("Errors",),
    3,
    "services log far more errors than at this time of other weeks",
    "selfheal incidents --sort occurrences",
    minutes=15,
)
"""Learns what is usual; its threshold is the width of the band in standard deviations.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Anomaly_Detection.html"""


@dataclass(frozen=True, slots=True)
class Composite:
    """Rings once, when any of several alarms does. hushed_by: a composite during which this one is quiet."""

    name: str
    of: tuple[str, ...]
    means: str
    answer: str
    hushed_by: str = ""

    @property
    def runbook(self) -> str:
        return self.name


STORM = Composite(
    "Storm",
    ("DetectErrorsThrottled", "FailedDetectionsMany", "HealsFailedMany", "ErrorsUnusual"),
    "a storm: one cause makes many things ring",
    "selfheal stop --reason storm",
)
COMPOSITES = (
    STORM,
    Composite(
        "StepErrors",
        tuple(alarm.name for alarm in ALARMS if alarm.silent),
        "steps of heals raise errors, which the workflow retries",
        _FAILED,
        hushed_by=STORM.name,
    ),
)
