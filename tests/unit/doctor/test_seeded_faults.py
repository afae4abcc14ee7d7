"""Each check finds the fault that it is for, finds nothing in health, and says a command that exists."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import boto3
import pytest

from functions.core.apps.app import App
from functions.core.forge.deploy_key import DeployKey
from functions.core.workflow.switch import Switch
from infra.doctor import app as of_app
from infra.doctor import forge as of_forge
from infra.doctor import stack as of_stack
from infra.doctor.app import SubscriptionFilter
from infra.doctor.checks import Fault, examine
from infra.doctor.forge import ForgeSeen, look
from infra.names import DEFAULT
from infra.subscription import FILTER_PATTERN
from tests.ssh import SshServer, new_key
from tests.unit.cli.test_pasted import problem
from tests.unit.conftest import Hosted

DETECT = "arn:aws:lambda:us-east-1:111122223333:function:self-heal-detect-errors:live"
GROUP = "/aws/lambda/orders"
OURS = SubscriptionFilter(DEFAULT.filter, DETECT, FILTER_PATTERN)
APP = App(
    name="orders",
    log_groups=(GROUP,),
    repository="https://github.com/shop/orders.git",
    credentials="/self-heal/credentials/orders",
    approvers=("ana@example.com",),
    python="3.12",
)


@dataclass(frozen=True)
class Stack:
    """A deployment in health."""

    flag: str = ""
    status: str = "UPDATE_COMPLETE"
    missing_outputs: tuple[str, ...] = ()
    topic_arn: str = "arn:aws:sns:us-east-1:111122223333:topic"
    subscribers: dict[str, int] = field(default_factory=lambda: {"confirmed": 1, "pending": 0})
    has_link_key: bool = True
    stopped: str = ""
    queued: dict[str, int] = field(default_factory=lambda: {"heals": 0})
    pipe: str = DEFAULT.workflow
    pipe_state: str = "RUNNING"
    rule_states: dict[str, str] = field(default_factory=lambda: {"SelfHealingCode-Rule": "ENABLED"})
    concurrency: int = 1000
    sleeping: tuple[str, ...] = ()
    skew_seconds: float = 1.5
    apps: dict[str, str] = field(default_factory=lambda: {"orders": ""})


@dataclass(frozen=True)
class Seen:
    """An app in health."""

    app: App = APP
    flag: str = ""
    filter_name: str = DEFAULT.filter
    detect_errors: str = DETECT
    filters: dict[str, list[SubscriptionFilter] | None] = field(default_factory=lambda: {GROUP: [OURS]})
    claimed_by_others: dict[str, str] = field(default_factory=dict)
    token_problem: str = ""
    deploy_key_problem: str = ""
    signing_key_problem: str = ""
    model_notes: tuple[str, ...] = ()
    pythons: tuple[str, ...] = ("3.11", "3.12")
    project_exists: bool = True
    unconfirmed: tuple[str, ...] = ()
    missing_identities: tuple[str, ...] = ()


def app(**fields: Any) -> Seen:
    return Seen(app=replace(APP, **fields))


def group(*filters: SubscriptionFilter) -> Seen:
    return Seen(filters={GROUP: list(filters)})


FORGE = ForgeSeen(APP)
STALE = SubscriptionFilter(DEFAULT.filter, DETECT + "-old", FILTER_PATTERN)
OTHERS = (SubscriptionFilter("a", "arn:a", ""), SubscriptionFilter("b", "arn:b", ""))

SEEDED: list[tuple[Callable[[Any], Fault | None], Any, str]] = [
    (of_stack.stack_is_half_deployed, Stack(status="UPDATE_ROLLBACK_COMPLETE"), "UPDATE_ROLLBACK_COMPLETE"),
    (of_stack.stack_is_half_deployed, Stack(status="UPDATE_IN_PROGRESS"), "UPDATE_IN_PROGRESS"),
    (of_stack.stack_is_older_than_this_command, Stack(missing_outputs=("TopicArn",)), "TopicArn"),
    (of_stack.nobody_is_told, Stack(subscribers={"confirmed": 0, "pending": 0}), "no subscription"),
    (of_stack.nobody_is_told, Stack(subscribers={"confirmed": 0, "pending": 2}), "2 subscriptions wait"),
    (of_stack.links_cannot_be_signed, Stack(has_link_key=False), "no key"),
    (of_stack.healing_is_stopped, Stack(stopped="healing was stopped by ana"), "stopped by ana"),
    (of_stack.something_lies_in_a_failure_queue, Stack(queued={"heals": 3}), "3 in heals"),
    (of_stack.heals_are_not_started, Stack(pipe_state="STOPPED"), "the pipe is STOPPED"),
    (of_stack.failures_are_not_reported, Stack(rule_states={"r": "DISABLED"}), "r is DISABLED"),
    (of_stack.account_has_too_little_concurrency, Stack(concurrency=10), "10 functions at once"),
    (of_stack.functions_are_asleep, Stack(sleeping=("self-heal-detect-errors",)), "self-heal-detect-errors"),
    (of_stack.clock_is_wrong, Stack(skew_seconds=-400.0), "-400 s off"),
    (of_stack.no_app_is_registered, Stack(apps={}), "no app"),
    (of_stack.entries_are_broken, Stack(apps={"orders": "'mode' must be"}), "orders: 'mode' must be"),
    (of_app.app_is_paused, app(paused=True), "paused"),
    (of_app.log_group_is_gone, Seen(filters={GROUP: None}), "does not exist"),
    (of_app.log_group_has_no_room, group(*OTHERS), "two filters already: a, b"),
    (of_app.log_group_is_not_subscribed, group(), "no subscription of ours"),
    (of_app.log_group_is_not_subscribed, group(OTHERS[0], STALE), "leads to arn"),
    (of_app.subscription_is_older_than_this_command, group(replace(OURS, pattern="?X")), "another version"),
    (of_app.log_group_is_claimed_twice, Seen(claimed_by_others={GROUP: "billing"}), "belongs to billing"),
    (of_app.there_is_no_token, app(credentials=""), "no token for github.com"),
    (of_app.token_cannot_be_used, Seen(token_problem="the token is for gitlab.com"), "gitlab.com"),
    (of_app.there_is_no_token, app(credentials="", deploy_key=True), "opens no pull request"),
    (of_app.deploy_key_cannot_be_used, Seen(deploy_key_problem="it is for gitlab.com"), "gitlab.com"),
    (of_app.signing_key_cannot_be_used, Seen(signing_key_problem="cannot read the key"), "cannot read"),
    (of_app.signatures_are_of_nobody, app(signed_commits=True), "not called verified"),
    (of_app.model_cannot_be_asked, Seen(model_notes=("x: is LEGACY",)), "LEGACY"),
    (of_app.interpreter_is_missing, app(python="3.8"), "3.8 is none of 3.11, 3.12"),
    (of_app.build_project_is_missing, Seen(project_exists=False), "no CodeBuild project"),
    (of_app.budget_is_nothing, app(daily_budget_usd=0.0), "budget is 0"),
    (of_app.class_does_not_exist, app(heal_classes=("code", "network")), "network"),
    (of_app.approver_never_confirmed, Seen(unconfirmed=("ana@example.com",)), "ana@example.com"),
    (of_app.approver_cannot_press_buttons, app(approvers=("slack:U1",)), "slack:U1 can never decide"),
    (of_app.approver_does_not_exist, Seen(missing_identities=("arn:aws:iam::1:user/x",)), "user/x"),
    (of_forge.forge_cannot_be_reached, replace(FORGE, unreachable="not reachable"), "not reachable"),
    (of_forge.token_is_refused, replace(FORGE, refused="credentials refused (401)"), "401"),
    (of_forge.repository_is_hidden, replace(FORGE, hidden="not found, or hidden"), "hidden"),
    (of_forge.token_is_too_weak, replace(FORGE, may_push=False), "may not push"),
    (of_forge.token_is_too_strong, replace(FORGE, administers=True), "administers"),
    (of_forge.deploy_key_is_refused, replace(FORGE, by_key="access refused"), "access refused"),
    (of_forge.repository_is_archived, replace(FORGE, archived=True), "archived"),
    (of_forge.repository_is_too_large, replace(FORGE, kilobytes=900_000), "878 MiB"),
    (of_forge.branch_is_missing, replace(FORGE, has_branch=False), "no branch main"),
    (of_forge.branch_is_not_protected, replace(FORGE, protected=False), "without a review"),
    (
        of_forge.revision_is_unknown,
        ForgeSeen(replace(APP, revision="a" * 40), has_revision=False),
        f"no commit {'a' * 40}",
    ),
    (of_forge.reviewer_is_a_stranger, replace(FORGE, strangers=("bob",)), "bob"),
]
EVERY: Sequence[Any] = (*of_stack.CHECKS, *of_app.CHECKS, *of_forge.CHECKS)
FOREIGN = ("aws", "cdk", "gh", "curl", "sudo")
"""Whose commands some faults need."""


@pytest.mark.parametrize(("check", "seen", "said"), SEEDED, ids=lambda value: getattr(value, "__name__", ""))
def test_a_seeded_fault_is_found_and_the_command_that_mends_it_exists(
    check: Callable[[Any], Fault | None], seen: Any, said: str
) -> None:
    fault = check(seen)

    assert fault
    assert said in fault.detail
    program, *words = shlex.split(fault.mend)
    assert program in ("selfheal", *FOREIGN)
    assert program != "selfheal" or problem(words) == ""


def test_every_check_has_a_seeded_fault_and_there_are_many() -> None:
    assert {check for check, _, _ in SEEDED} == set(EVERY)
    assert len(EVERY) >= 20


def test_nothing_is_found_in_health() -> None:
    findings = [
        *examine(of_stack.CHECKS, Stack()),
        *examine(of_app.CHECKS, Seen()),
        *examine(of_forge.CHECKS, FORGE),
    ]
    assert [found for found in findings if not found.passed] == []
    assert len(findings) == len(EVERY)


def test_a_check_that_may_not_look_says_so_and_the_others_go_on(aws: None) -> None:
    def asks_for_what_is_not_there(seen: Any) -> Fault | None:
        boto3.client("sqs").get_queue_attributes(QueueUrl="https://sqs/none", AttributeNames=["All"])
        return None

    first, second = examine((asks_for_what_is_not_there, of_app.app_is_paused), Seen())
    assert (first.passed, "could not look" in first.detail) == (False, True)
    assert second.passed


@pytest.mark.parametrize(
    ("token", "fields", "found"),
    [
        ("forge-token", {}, {"branch is not protected"}),
        ("stolen", {}, {"token is refused"}),
        ("forge-token", {"branch": "release"}, {"branch is missing"}),
        ("forge-token", {"revision": "a" * 40}, {"branch is not protected", "revision is unknown"}),
        ("forge-token", {"reviewers": ("nobody",)}, {"branch is not protected", "reviewer is a stranger"}),
        ("", {}, {"repository is hidden"}),
    ],
)
def test_a_real_forge_is_asked(token: str, fields: dict[str, Any], found: set[str], hosted: Hosted) -> None:
    seen = look(replace(hosted.app, **fields), token, "")
    assert {one.check for one in examine(of_forge.CHECKS, seen) if not one.passed} == found


@pytest.mark.parametrize(("read_only", "said"), [(False, ""), (True, "with write access")])
def test_the_forge_is_asked_whether_the_deploy_key_may_push(
    hosted: Hosted, read_only: bool, said: str
) -> None:
    key = new_key()
    with SshServer(hosted.bare.parents[1], key, read_only=read_only).running() as server:
        entry = {"ssh_port": server.port, "ssh_host_keys": [server.host_key], "deploy_key": True}
        app = App.from_json("orders", {**hosted.app.to_json(), **entry})
        seen = look(app, "forge-token", "", DeployKey.of(app, key))
    assert (said in seen.by_key, bool(seen.by_key)) == (True, read_only)
    assert "self-heal" not in hosted.git("branch", "--list"), "nothing was pushed"


def test_a_forge_that_is_down_is_one_fault(hosted: Hosted) -> None:
    hosted.forge.stop()
    seen = look(hosted.app, "forge-token", "")
    (fault,) = [one for one in examine(of_forge.CHECKS, seen) if not one.passed]
    assert fault.check == "forge cannot be reached"
    assert fault.mend.startswith("curl")


def test_the_switch_reads_back_who_threw_it_and_anything_by_hand_stops(aws: None) -> None:
    switch = Switch("/t/stopped", boto3.client("ssm"))
    assert switch.stopped() == ""
    assert not switch.start()
    switch.stop("ana", "2026-11-20T10:00:00", "a bad model")
    assert switch.stopped() == "healing was stopped by ana at 2026-11-20T10:00 UTC (a bad model)"
    boto3.client("ssm").put_parameter(Name="/t/stopped", Value="STOP!", Type="String", Overwrite=True)
    assert "by hand" in switch.stopped()
    assert switch.start()
    assert switch.stopped() == ""
