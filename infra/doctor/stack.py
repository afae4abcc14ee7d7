"""What may be wrong with the stack itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from functions.core.notify.counts import counted
from infra.doctor.checks import Check, Fault

LEAST_CONCURRENCY = 200
"""Lambda's reservations here, and the 100 that it keeps unreserved, fit into an account with so many."""
MORE_CONCURRENCY = (
    "aws service-quotas request-service-quota-increase --service-code lambda"
    " --quota-code L-B99A9384 --desired-value 1000"
)
_SKEW_SECONDS = 300
"""AWS refuses requests that are signed more than five minutes off.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html"""


@dataclass(frozen=True, slots=True)
class AccountPolicy:
    """A subscription policy of the account: where to, what of it, and of which log groups."""

    destination: str
    pattern: str
    selection: str


class StackSeen(Protocol):
    """What the checks below look at."""

    @property
    def flag(self) -> str: ...
    @property
    def status(self) -> str:
        """CloudFormation's."""

    @property
    def missing_outputs(self) -> Sequence[str]:
        """Outputs that this version of the command reads and the stack does not have."""

    @property
    def topic_arn(self) -> str: ...
    @property
    def subscribers(self) -> Mapping[str, int]:
        """`confirmed` and `pending` subscriptions of the team's topic."""

    @property
    def has_link_key(self) -> bool: ...
    @property
    def stopped(self) -> str:
        """Who stopped all healing, "" where nobody did."""

    @property
    def queued(self) -> Mapping[str, int]:
        """Messages in each failure queue."""

    @property
    def pipe(self) -> str:
        """Its name."""

    @property
    def pipe_state(self) -> str: ...
    @property
    def rule_states(self) -> Mapping[str, str]:
        """The stack's rules: name → ENABLED or DISABLED."""

    @property
    def concurrency(self) -> int:
        """The account's limit of Lambda executions at once."""

    @property
    def sleeping(self) -> Sequence[str]:
        """Functions of ours that are not Active."""

    @property
    def skew_seconds(self) -> float:
        """How far this machine's clock is from AWS's."""

    @property
    def account_policy(self) -> AccountPolicy | None:
        """By which all log groups are delivered; None where it is gone. Raises Moot without such a one."""

    @property
    def wanted_policy(self) -> AccountPolicy:
        """As this version of the command would have it."""

    @property
    def apps(self) -> Mapping[str, str]:
        """Registered apps: name → what is wrong with the entry, "" where nothing is."""

    @property
    def not_encrypted(self) -> Sequence[str]:
        """Apps whose entries lie in plain text."""


def stack_is_deployed(seen: StackSeen) -> Fault | None:
    """The last deployment succeeded, and is over."""
    if seen.status.endswith("_COMPLETE") and "ROLLBACK" not in seen.status:
        return None
    return Fault(f"the stack is {seen.status}", f"selfheal deploy{seen.flag}")


def stack_is_as_new_as_this_command(seen: StackSeen) -> Fault | None:
    """It has the outputs that commands ask for."""
    missing = ", ".join(seen.missing_outputs)
    return Fault(f"the stack has no output {missing}", f"selfheal deploy{seen.flag}") if missing else None


def somebody_is_told(seen: StackSeen) -> Fault | None:
    """The team's topic has a confirmed subscription."""
    if seen.subscribers["confirmed"]:
        return None
    pending = seen.subscribers["pending"]
    detail = (
        f"{counted(pending, 'subscription waits', 'subscriptions wait')} to be confirmed"
        if pending
        else "the topic has no subscription"
    )
    return Fault(
        detail,
        f"aws sns subscribe --topic-arn {seen.topic_arn} --protocol email --notification-endpoint ADDRESS",
    )


def links_can_be_signed(seen: StackSeen) -> Fault | None:
    """The key that signs approval links exists; registering any app makes it."""
    if seen.has_link_key:
        return None
    name = next(iter(seen.apps), "NAME")
    return Fault("there is no key that signs approval links", f"selfheal configure {name}{seen.flag}")


def healing_is_on(seen: StackSeen) -> Fault | None:
    """Nobody threw the switch."""
    return Fault(seen.stopped, f"selfheal start{seen.flag}") if seen.stopped else None


def failure_queues_are_empty(seen: StackSeen) -> Fault | None:
    """There are no deliveries, heals or failure reports that could not be processed."""
    queued = {name: count for name, count in seen.queued.items() if count}
    if not queued:
        return None
    return Fault(
        ", ".join(f"{count} in {name}" for name, count in queued.items()), f"selfheal requeue{seen.flag}"
    )


def heals_are_started(seen: StackSeen) -> Fault | None:
    """The pipe from the incidents' stream runs."""
    if seen.pipe_state == "RUNNING":
        return None
    return Fault(f"the pipe is {seen.pipe_state}", f"aws pipes start-pipe --name {seen.pipe}")


def failures_are_reported(seen: StackSeen) -> Fault | None:
    """No rule of the stack is disabled."""
    for name, state in seen.rule_states.items():
        if state != "ENABLED":
            return Fault(f"the rule {name} is {state}", f"aws events enable-rule --name {name}")
    return None


def account_policy_delivers_all_but_our_own_logs(seen: StackSeen) -> Fault | None:
    """It is there, and leaves out every log group of ours: else this system would react to itself."""
    if seen.account_policy == seen.wanted_policy:
        return None
    what = "has been changed" if seen.account_policy else "is gone"
    mend = f"selfheal deploy -c subscribe=account{seen.flag}"
    return Fault(f"the policy that delivers all log groups {what}", mend)


def account_has_enough_concurrency(seen: StackSeen) -> Fault | None:
    """A new account may run few functions at once; then reservations and storms starve everything."""
    if seen.concurrency >= LEAST_CONCURRENCY:
        return None
    return Fault(
        f"the account may run {seen.concurrency} functions at once; {LEAST_CONCURRENCY} are needed",
        MORE_CONCURRENCY,
    )


def functions_are_active(seen: StackSeen) -> Fault | None:
    """Functions that are not Active refuse their first calls."""
    if not seen.sleeping:
        return None
    return Fault(f"not active: {', '.join(seen.sleeping)}", f"selfheal smoke{seen.flag}")


def clock_is_right(seen: StackSeen) -> Fault | None:
    """This machine's clock is not so far off that AWS refuses what it signs."""
    if abs(seen.skew_seconds) < _SKEW_SECONDS:
        return None
    return Fault(f"this machine's clock is {seen.skew_seconds:.0f} s off", "sudo timedatectl set-ntp true")


def an_app_is_registered(seen: StackSeen) -> Fault | None:
    """Without one nothing is watched."""
    if seen.apps:
        return None
    return Fault(
        "no app is registered",
        f"selfheal configure NAME --log-group GROUP --repository URL --token-file -{seen.flag}",
    )


def entries_are_valid(seen: StackSeen) -> Fault | None:
    """Errors of an app whose entry breaks a rule are not even recorded."""
    for name, why in seen.apps.items():
        if why:
            return Fault(f"{name}: {why}", f"selfheal configure {name} --file FILE{seen.flag}")
    return None


def entries_are_encrypted(seen: StackSeen) -> Fault | None:
    """Each is a SecureString under this deployment's key, as they are written now."""
    names = ", ".join(seen.not_encrypted)
    return (
        Fault(f"in plain text, or on the way to be encrypted: {names}", f"selfheal apps encrypt{seen.flag}")
        if names
        else None
    )


CHECKS: tuple[Check[StackSeen], ...] = (
    stack_is_deployed,
    stack_is_as_new_as_this_command,
    clock_is_right,
    healing_is_on,
    somebody_is_told,
    links_can_be_signed,
    failure_queues_are_empty,
    heals_are_started,
    failures_are_reported,
    account_policy_delivers_all_but_our_own_logs,
    account_has_enough_concurrency,
    functions_are_active,
    an_app_is_registered,
    entries_are_valid,
    entries_are_encrypted,
)
