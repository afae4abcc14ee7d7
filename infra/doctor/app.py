"""What may be wrong with an app's entry, and with what it names in the AWS account."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from functions.core.apps.app import App
from functions.core.incidents.incident import ErrorClass
from infra.doctor.checks import Check, Fault, Moot
from infra.subscription import FILTER_PATTERN, MOST_FILTERS


@dataclass(frozen=True, slots=True)
class SubscriptionFilter:
    """A subscription filter of a log group."""

    name: str
    destination: str
    pattern: str


class AppSeen(Protocol):
    """What the checks below look at."""

    @property
    def app(self) -> App: ...
    @property
    def flag(self) -> str: ...
    @property
    def filter_name(self) -> str:
        """Of our subscription filters."""

    @property
    def all_are_subscribed(self) -> bool:
        """Whether a policy of the account delivers every log group."""

    @property
    def detect_errors(self) -> str:
        """ARN that log groups are to be subscribed to."""

    @property
    def filters(self) -> Mapping[str, Sequence[SubscriptionFilter] | None]:
        """The app's log groups and their filters; None for a group that does not exist."""

    @property
    def claimed_by_others(self) -> Mapping[str, str]: ...
    @property
    def token_problem(self) -> str:
        """Why its token cannot be used, "" where it can, or there is none."""

    @property
    def deploy_key_problem(self) -> str:
        """Why git cannot use its deploy key, "" where it can, or there is none; and so the next one."""

    @property
    def signing_key_problem(self) -> str: ...
    @property
    def model_notes(self) -> Sequence[str]: ...
    @property
    def pythons(self) -> Sequence[str]: ...
    @property
    def project_exists(self) -> bool:
        """Its CodeBuild project."""

    @property
    def unconfirmed(self) -> Sequence[str]:
        """Approvers with a mail address who have not confirmed that they want mails."""

    @property
    def missing_identities(self) -> Sequence[str]:
        """Approvers that are IAM users or roles of this account and do not exist."""


def app_is_active(seen: AppSeen) -> Fault | None:
    """Errors of a paused one are recorded, and none is healed."""
    name = seen.app.name
    return Fault(f"{name} is paused", f"selfheal apps resume {name}{seen.flag}") if seen.app.paused else None


def log_group_exists(seen: AppSeen) -> Fault | None:
    """In this account and region."""
    for group, filters in seen.filters.items():
        if filters is None:
            return Fault(
                f"log group {group} does not exist here",
                f"selfheal configure {seen.app.name} --log-group GROUP{seen.flag}",
            )
    return None


def log_group_has_room_for_a_subscription(seen: AppSeen) -> Fault | None:
    """Its two subscription filters are not both others'."""
    if seen.all_are_subscribed:
        raise Moot
    for group, filters in _existing(seen).items():
        names = [one.name for one in filters]
        if seen.filter_name not in names and len(names) >= MOST_FILTERS:
            return Fault(
                f"log group {group} has two filters already: {', '.join(names)}",
                f"aws logs delete-subscription-filter --log-group-name {group} --filter-name {names[0]}",
            )
    return None


def _existing(seen: AppSeen) -> Mapping[str, Sequence[SubscriptionFilter]]:
    """Filters of the groups that exist. Raises Moot without one."""
    found = {group: filters for group, filters in seen.filters.items() if filters is not None}
    if not found:
        raise Moot
    return found


def log_group_is_subscribed(seen: AppSeen) -> Fault | None:
    """Its errors reach somebody, once: a filter of ours leads here, or a policy of the account."""
    for group, filters in _existing(seen).items():
        own = [one for one in filters if one.name == seen.filter_name]
        if seen.all_are_subscribed and own:
            return Fault(
                f"log group {group} is delivered twice, by its own filter, too",
                f"selfheal configure {seen.app.name}{seen.flag}",
            )
        if seen.all_are_subscribed:
            continue
        if not own or own[0].destination != seen.detect_errors:
            where = f"leads to {own[0].destination}" if own else "has no subscription of ours"
            return Fault(f"log group {group} {where}", f"selfheal configure {seen.app.name}{seen.flag}")
    return None


def subscription_is_as_new_as_this_command(seen: AppSeen) -> Fault | None:
    """Its filter does not let through what an earlier version took for errors."""
    for group, filters in _existing(seen).items():
        own = [one for one in filters if one.name == seen.filter_name]
        if not own:
            raise Moot
        if own[0].pattern != FILTER_PATTERN:
            return Fault(
                f"the filter of {group} is of another version",
                f"selfheal configure {seen.app.name}{seen.flag}",
            )
    return None


def log_group_is_of_one_app(seen: AppSeen) -> Fault | None:
    """Where two claim it, which one gets an error is chance."""
    for group, other in seen.claimed_by_others.items():
        return Fault(f"log group {group} belongs to {other}, too", f"selfheal apps remove {other}{seen.flag}")
    return None


def there_is_a_token(seen: AppSeen) -> Fault | None:
    """Without one a private repository cannot be read, and no pull request can be opened, whatever keys there
    are."""
    if seen.app.credentials:
        return None
    key = ": its deploy key pushes, and opens no pull request" if seen.app.deploy_key else ""
    return Fault(
        f"{seen.app.name} has no token for {seen.app.host}{key}",
        f"selfheal configure {seen.app.name} --token-file FILE{seen.flag}",
    )


def token_can_be_used(seen: AppSeen) -> Fault | None:
    """It is there, and is for this host."""
    if not seen.app.credentials:
        raise Moot
    if not seen.token_problem:
        return None
    return Fault(seen.token_problem, f"selfheal configure {seen.app.name} --token-file FILE{seen.flag}")


def deploy_key_can_be_used(seen: AppSeen) -> Fault | None:
    """It is there, for the repository's host, and a key."""
    if not seen.app.deploy_key:
        raise Moot
    if not seen.deploy_key_problem:
        return None
    return Fault(
        seen.deploy_key_problem, f"selfheal configure {seen.app.name} --deploy-key-file FILE{seen.flag}"
    )


def signing_key_can_be_used(seen: AppSeen) -> Fault | None:
    """It is there, and one that commits can be signed by: else nothing that is approved can be committed."""
    if not seen.app.signed_commits:
        raise Moot
    if not seen.signing_key_problem:
        return None
    return Fault(
        seen.signing_key_problem, f"selfheal configure {seen.app.name} --signing-key-file FILE{seen.flag}"
    )


def signatures_are_of_an_account(seen: AppSeen) -> Fault | None:
    """A forge calls a commit verified where key and committer's address are of one account."""
    if not seen.app.signed_commits:
        raise Moot
    if seen.app.commit_author:
        return None
    return Fault(
        f"{seen.app.name} signs its commits, but by no account's address, so they are not called verified",
        f"selfheal configure {seen.app.name} --set 'commit_author=NAME <MAIL>'{seen.flag}",
    )


def model_can_be_asked(seen: AppSeen) -> Fault | None:
    """It is enabled, in the region and not legacy, has the maker's form, and its price is known."""
    notes = "; ".join(seen.model_notes)
    return Fault(notes, f"selfheal configure {seen.app.name} --model MODEL{seen.flag}") if notes else None


def interpreter_is_there(seen: AppSeen) -> Fault | None:
    """The Python that the entry names is one on which tests run."""
    if not seen.app.python:
        raise Moot
    if seen.app.python in seen.pythons:
        return None
    return Fault(
        f"Python {seen.app.python} is none of {', '.join(seen.pythons)}",
        f"selfheal configure {seen.app.name} --python {seen.pythons[-1]}{seen.flag}",
    )


def build_project_exists(seen: AppSeen) -> Fault | None:
    """The CodeBuild project in which its tests run."""
    if not seen.app.codebuild_project:
        raise Moot
    if seen.project_exists:
        return None
    return Fault(
        f"there is no CodeBuild project {seen.app.codebuild_project}",
        f"selfheal configure {seen.app.name} --set codebuild_project={seen.flag}",
    )


def there_is_a_budget(seen: AppSeen) -> Fault | None:
    """Without one no model may be asked: each heal ends with that."""
    app = seen.app
    budgets = (("daily", app.daily_budget_usd, 10), ("monthly", app.monthly_budget_usd, 100))
    none = [(period, enough) for period, usd, enough in budgets if usd <= 0]
    if not none:
        return None
    said = " and ".join(f"its {period} budget is 0" for period, _ in none)
    fields = "".join(f" --set {period}_budget_usd={enough}" for period, enough in none)
    return Fault(said, f"selfheal configure {app.name}{fields}{seen.flag}")


def classes_exist(seen: AppSeen) -> Fault | None:
    """`heal_classes` names classes of errors that there are."""
    wrong = [name for name in seen.app.heal_classes if name not in list(ErrorClass)]
    if not wrong:
        return None
    return Fault(
        f"{', '.join(wrong)}: there is no such class of errors",
        f"selfheal configure {seen.app.name} --set 'heal_classes=[\"code\"]'{seen.flag}",
    )


def approvers_confirmed_their_mail(seen: AppSeen) -> Fault | None:
    """A person who gets no mails never has a link, and so can never decide."""
    if not seen.unconfirmed:
        return None
    return Fault(
        f"not confirmed: {', '.join(seen.unconfirmed)}; AWS sends them the question again with this, and they"
        " follow its link",
        f"selfheal configure {seen.app.name}{seen.flag}",
    )


def approvers_in_slack_have_buttons(seen: AppSeen) -> Fault | None:
    """Slack users decide with buttons, which need the signing secret of the Slack app."""
    slack = [one for one in seen.app.approvers if one.startswith("slack:")]
    if not slack:
        raise Moot
    if seen.app.slack_buttons:
        return None
    return Fault(
        f"{', '.join(slack)} can never decide: questions in Slack have no buttons",
        f"selfheal configure {seen.app.name} --slack-signing-secret-file FILE{seen.flag}",
    )


def approvers_exist(seen: AppSeen) -> Fault | None:
    """An IAM user or role that is not there can never decide."""
    if not seen.missing_identities:
        return None
    return Fault(
        f"{', '.join(seen.missing_identities)} can never decide: there is no such user or role",
        f"selfheal configure {seen.app.name} --file FILE{seen.flag}",
    )


CHECKS: tuple[Check[AppSeen], ...] = (
    app_is_active,
    log_group_exists,
    log_group_has_room_for_a_subscription,
    log_group_is_subscribed,
    subscription_is_as_new_as_this_command,
    log_group_is_of_one_app,
    there_is_a_token,
    token_can_be_used,
    deploy_key_can_be_used,
    signing_key_can_be_used,
    signatures_are_of_an_account,
    model_can_be_asked,
    interpreter_is_there,
    build_project_exists,
    there_is_a_budget,
    classes_exist,
    approvers_confirmed_their_mail,
    approvers_in_slack_have_buttons,
    approvers_exist,
)
