"""Each check finds the fault that it is for, finds nothing in health, and says a command that exists."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import boto3
import pytest

from functions.core.apps.app import App
from functions.core.forge.deploy_key import DeployKey
from functions.core.workflow.switch import Switch
from infra.cli.doctor import all_parts_run
from infra.doctor import app as of_app
from infra.doctor import forge as of_forge
from infra.doctor import stack as of_stack
from infra.doctor.app import SubscriptionFilter
from infra.doctor.checks import Fault, examine
from infra.doctor.forge import ForgeSeen, look
from infra.names import DEFAULT
from infra.subscription import FILTER_PATTERN, selection_criteria
from tests.fakes.ssh import SshServer, new_key
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
    deploy_key=True,
    signed_commits=True,
    commit_author="Shop Bot <bot@shop.example>",
    approvers=("ana@example.com", "slack:U1"),
    slack_buttons=True,
    reviewers=("ben",),
    revision="a" * 40,
    codebuild_project="self-heal-orders",
    python="3.12",
)


POLICY = of_stack.AccountPolicy(DETECT, FILTER_PATTERN, selection_criteria(DEFAULT))


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
    account_policy: of_stack.AccountPolicy | None = POLICY
    wanted_policy: of_stack.AccountPolicy = POLICY
    apps: dict[str, str] = field(default_factory=lambda: {"orders": ""})
    not_encrypted: tuple[str, ...] = ()


@dataclass(frozen=True)
class Seen:
    """An app in health."""

    app: App = APP
    flag: str = ""
    filter_name: str = DEFAULT.filter
    all_are_subscribed: bool = False
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


FORGE = ForgeSeen(APP, by_key="")
STALE = SubscriptionFilter(DEFAULT.filter, DETECT + "-old", FILTER_PATTERN)
OTHERS = (SubscriptionFilter("a", "arn:a", ""), SubscriptionFilter("b", "arn:b", ""))

SEEDED: list[tuple[Callable[[Any], Fault | None], Any, str]] = [
    (of_stack.stack_is_deployed, Stack(status="UPDATE_ROLLBACK_COMPLETE"), "UPDATE_ROLLBACK_COMPLETE"),
    (of_stack.stack_is_deployed, Stack(status="UPDATE_IN_PROGRESS"), "UPDATE_IN_PROGRESS"),
    (of_stack.stack_is_as_new_as_this_command, Stack(missing_outputs=("TopicArn",)), "TopicArn"),
    (of_stack.somebody_is_told, Stack(subscribers={"confirmed": 0, "pending": 0}), "no subscription"),
    (of_stack.somebody_is_told, Stack(subscribers={"confirmed": 0, "pending": 2}), "2 subscriptions wait"),
    (of_stack.links_can_be_signed, Stack(has_link_key=False), "no key"),
    (of_stack.healing_is_on, Stack(stopped="healing was stopped by ana"), "stopped by ana"),
    (of_stack.failure_queues_are_empty, Stack(queued={"heals": 3}), "3 in heals"),
    (of_stack.heals_are_started, Stack(pipe_state="STOPPED"), "the pipe is STOPPED"),
    (of_stack.failures_are_reported, Stack(rule_states={"r": "DISABLED"}), "r is DISABLED"),
    (of_stack.account_policy_delivers_all_but_our_own_logs, Stack(account_policy=None), "is gone"),
    (
        of_stack.account_policy_delivers_all_but_our_own_logs,
        Stack(account_policy=replace(POLICY, selection="")),
        "has been changed",
    ),
    (of_stack.account_has_enough_concurrency, Stack(concurrency=10), "10 functions at once"),
    (of_stack.functions_are_active, Stack(sleeping=("self-heal-detect-errors",)), "self-heal-detect-errors"),
    (of_stack.clock_is_right, Stack(skew_seconds=-400.0), "-400 s off"),
    (of_stack.an_app_is_registered, Stack(apps={}), "no app"),
    (of_stack.entries_are_valid, Stack(apps={"orders": "'mode' must be"}), "orders: 'mode' must be"),
    (of_stack.entries_are_encrypted, Stack(not_encrypted=("orders",)), "encrypted: orders"),
    (of_app.app_is_active, app(paused=True), "paused"),
    (of_app.log_group_exists, Seen(filters={GROUP: None}), "does not exist"),
    (of_app.log_group_has_room_for_a_subscription, group(*OTHERS), "two filters already: a, b"),
    (of_app.log_group_is_subscribed, group(), "no subscription of ours"),
    (of_app.log_group_is_subscribed, group(OTHERS[0], STALE), "leads to arn"),
    (of_app.log_group_is_subscribed, Seen(all_are_subscribed=True), "delivered twice"),
    (of_app.subscription_is_as_new_as_this_command, group(replace(OURS, pattern="?X")), "another version"),
    (of_app.log_group_is_of_one_app, Seen(claimed_by_others={GROUP: "billing"}), "belongs to billing"),
    (of_app.there_is_a_token, app(credentials=""), "no token for github.com"),
    (of_app.token_can_be_used, Seen(token_problem="the token is for gitlab.com"), "gitlab.com"),
    (of_app.there_is_a_token, app(credentials="", deploy_key=True), "opens no pull request"),
    (of_app.deploy_key_can_be_used, Seen(deploy_key_problem="it is for gitlab.com"), "gitlab.com"),
    (of_app.signing_key_can_be_used, Seen(signing_key_problem="cannot read the key"), "cannot read"),
    (of_app.signatures_are_of_an_account, app(commit_author=""), "not called verified"),
    (of_app.model_can_be_asked, Seen(model_notes=("x: is LEGACY",)), "LEGACY"),
    (of_app.interpreter_is_there, app(python="3.8"), "3.8 is none of 3.11, 3.12"),
    (of_app.build_project_exists, Seen(project_exists=False), "no CodeBuild project"),
    (of_app.there_is_a_budget, app(daily_budget_usd=0.0), "its daily budget is 0"),
    (of_app.there_is_a_budget, app(monthly_budget_usd=0.0), "its monthly budget is 0"),
    (of_app.classes_exist, app(heal_classes=("code", "network")), "network"),
    (of_app.approvers_confirmed_their_mail, Seen(unconfirmed=("ana@example.com",)), "ana@example.com"),
    (of_app.approvers_in_slack_have_buttons, app(slack_buttons=False), "slack:U1 can never decide"),
    (of_app.approvers_exist, Seen(missing_identities=("arn:aws:iam::1:user/x",)), "user/x"),
    (of_forge.forge_can_be_reached, replace(FORGE, unreachable="not reachable"), "not reachable"),
    (of_forge.token_is_accepted, replace(FORGE, refused="credentials refused (401)"), "401"),
    (of_forge.repository_can_be_seen, replace(FORGE, hidden="not found, or hidden"), "hidden"),
    (of_forge.token_may_push, replace(FORGE, may_push=False), "may not push"),
    (of_forge.token_may_do_no_more_than_needed, replace(FORGE, administers=True), "administers"),
    (of_forge.deploy_key_may_push, replace(FORGE, by_key="access refused"), "access refused"),
    (of_forge.repository_takes_changes, replace(FORGE, archived=True), "archived"),
    (of_forge.repository_is_small_enough, replace(FORGE, kilobytes=900_000), "878 MiB"),
    (of_forge.branch_exists, replace(FORGE, has_branch=False), "no branch main"),
    (of_forge.branch_is_protected, replace(FORGE, protected=False), "without a review"),
    (
        of_forge.revision_exists,
        replace(FORGE, has_revision=False),
        f"no commit {'a' * 40}",
    ),
    (of_forge.reviewers_are_collaborators, replace(FORGE, strangers=("bob",)), "bob"),
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


def test_where_all_log_groups_are_subscribed_none_needs_a_filter_or_room_for_one() -> None:
    seen = replace(group(*OTHERS), all_are_subscribed=True)
    findings = list(examine(of_app.CHECKS, seen))

    assert [found for found in findings if not found.passed] == []
    assert "log group has room for a subscription" not in {found.check for found in findings}


def test_what_an_entry_does_not_name_neither_holds_nor_fails() -> None:
    bare = replace(
        APP,
        credentials="",
        deploy_key=False,
        signed_commits=False,
        python="",
        codebuild_project="",
        approvers=(),
        revision="",
        reviewers=(),
    )

    said = {found.check for found in examine(of_app.CHECKS, Seen(app=bare, filters={GROUP: None}))}

    assert said == {
        "app is active",
        "log group exists",
        "log group is of one app",
        "there is a token",
        "model can be asked",
        "there is a budget",
        "classes exist",
        "approvers confirmed their mail",
        "approvers exist",
    }
    at_forge = {found.check for found in examine(of_forge.CHECKS, replace(FORGE, app=bare))}
    assert not at_forge & {"revision exists", "reviewers are collaborators"}


def test_a_check_that_may_not_look_says_so_and_the_others_go_on(aws: None) -> None:
    def asks_for_what_is_not_there(seen: Any) -> Fault | None:
        boto3.client("sqs").get_queue_attributes(QueueUrl="https://sqs/none", AttributeNames=["All"])
        return None

    first, second = examine((asks_for_what_is_not_there, of_app.app_is_active), Seen())
    assert (first.passed, "could not look whether" in first.detail) == (False, True)
    assert second.passed


@pytest.mark.parametrize(
    ("token", "fields", "found"),
    [
        ("forge-token", {}, {"branch is protected"}),
        ("stolen", {}, {"token is accepted"}),
        ("forge-token", {"branch": "release"}, {"branch exists"}),
        ("forge-token", {"revision": "a" * 40}, {"branch is protected", "revision exists"}),
        ("forge-token", {"reviewers": ("nobody",)}, {"branch is protected", "reviewers are collaborators"}),
        ("", {}, {"repository can be seen"}),
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
        asked = App.from_json("orders", {**hosted.app.to_json(), **entry})
        seen = look(asked, "forge-token", "", DeployKey.of(asked, key))
    assert seen.by_key is not None
    assert (said in seen.by_key, bool(seen.by_key)) == (True, read_only)
    assert "self-heal" not in hosted.git("branch", "--list"), "nothing was pushed"


def test_a_forge_that_is_down_is_one_fault(hosted: Hosted) -> None:
    hosted.forge.stop()
    seen = look(hosted.app, "forge-token", "")
    (fault,) = examine(of_forge.CHECKS, seen)  # and nothing is said to hold that nobody looked at
    assert (fault.check, fault.passed) == ("forge can be reached", False)
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


@pytest.mark.parametrize(
    ("dead", "detail"), [((), ""), (("model",), "down: model"), (("model", "aws"), "model and aws")]
)
def test_of_the_embedded_run_what_is_down_is_named(dead: tuple[str, ...], detail: str) -> None:
    run: Any = SimpleNamespace(dead=dead)
    fault = all_parts_run(run)
    assert (fault.mend if fault else "") == ("selfheal up" if detail else "")
    assert detail in (fault.detail if fault else "")
