"""The registered apps as people manage them: looked at, paused, renamed, removed with all that is theirs."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from functions.core.approval.approvers import with_links
from functions.core.apps.app import App
from functions.core.apps.entries import BESIDE, note
from functions.core.aws.names import entry_of
from functions.core.incidents.incident import Incident
from functions.core.workflow.errors import AppInvalid
from infra.errors import Exit, UserError
from infra.registration import (
    check_name,
    claimed_by_others,
    of_its_own,
    put_entry,
    unsubscribe,
    write_entry,
)
from infra.target import Target

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient


def secrets(target: Target, name: str) -> tuple[str, ...]:
    """Parameters in which an app of this name may have secrets of its own, as `registration` writes them."""
    names, registry = target.names, target.registry
    return (
        registry.credentials_parameter(name),
        registry.signing_parameter(name),
        registry.deploy_key_parameter(name),
        registry.model_key_parameter(name),
        f"{names.webhooks}/{name}",
        f"{names.slack_signing}/{name}",
    )


def find(target: Target, name: str) -> App:
    """The app of this name. Raises UserError where there is none, or where its entry is broken."""
    entries = target.registry.entries()
    if name not in entries:
        raise target.unknown_app(name, f"register it: selfheal configure {name}{target.flag}")
    found = entries[name]
    if isinstance(found, AppInvalid):
        raise UserError(
            f"the entry of {name} is broken: {found}",
            f"mend it: selfheal configure {name} --file FILE{target.flag}, or remove it:"
            f" selfheal apps remove {name}{target.flag}",
        )
    return found


def pause(target: Target, app: App, paused: bool) -> App:
    """Record the app's errors and heal none; or heal them again. Raises UserError as `of_its_own`."""
    of_its_own(app, target.flag)
    app = replace(app, paused=paused)
    write_entry(target, app)
    return app


def under_way(target: Target, name: str) -> list[Incident]:
    """The app's incidents whose heals go on, or are about to."""
    return [incident for incident in target.incidents.every(name) if incident.status.goes_on]


def remove(target: Target, name: str) -> list[str]:
    """Remove an app with all that is its own, also one whose entry is broken; what was removed, in words.

    Its incidents stay, as the record. Safe to repeat: what is gone already is passed over. The subscriptions
    go first, so that nothing more is delivered for it; its entry last, so that a second run finds the rest.
    With a family all goes that was discovered for it. What was discovered is discovered again while its
    function is tagged.
    """
    ssm = target.session.client("ssm")
    tagged = [one for one in target.app_names() if one != entry_of(one) and name in (one, entry_of(one))]
    kept = [target.registry.discovered_parameter(one) for one in tagged]
    if name in tagged:
        return [f"parameter {parameter}" for parameter in kept if _delete(ssm, parameter)]
    groups, approvers = _own(target, name)
    done = [f"subscription of {group}" for group in groups if unsubscribe(target, group)]
    elsewhere = {
        one
        for other in target.registry.registered()
        if other.name != name
        for one in with_links(other.approvers)
    }
    done += _unsubscribe_persons(target, set(with_links(approvers)) - elsewhere)
    notes = (f"{target.names.registry}/{former}" for former in former_names(target, name))
    parameters = (*kept, *secrets(target, name), *notes, *_entries(target, name))
    return done + [f"parameter {parameter}" for parameter in parameters if _delete(ssm, parameter)]


def former_names(target: Target, name: str) -> list[str]:
    """What an app of this name was called before."""
    return [former for former, now in target.registry.renamed().items() if now == name]


def _entries(target: Target, name: str) -> tuple[str, ...]:
    """An app's entry, and before it the copy that is read in its place where it is gone."""
    entry = f"{target.names.registry}/{name}"
    return entry + BESIDE, entry


def _own(target: Target, name: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The log groups that are this app's alone, and its approvers, as far as its entry can be read."""
    with suppress(ValueError):
        entry: Any = json.loads(target.registry.text(name) or "")
        if isinstance(entry, dict):
            groups = tuple(map(str, entry.get("log_groups") or ()))
            others = claimed_by_others(target, name, groups)
            approvers = tuple(map(str, entry.get("approvers") or ()))
            return tuple(group for group in groups if group not in others), approvers
    return (), ()


def _unsubscribe_persons(target: Target, addresses: set[str]) -> list[str]:
    """End the mail subscriptions of people who approve nothing more."""
    if not addresses:
        return []
    sns = target.session.client("sns")
    pages = sns.get_paginator("list_subscriptions_by_topic").paginate(
        TopicArn=target.output("PersonalTopicArn")
    )
    done = []
    for row in (row for page in pages for row in page["Subscriptions"]):
        # One that was never confirmed has no ARN, and goes away by itself.
        if row["Endpoint"] in addresses and row["SubscriptionArn"].startswith("arn:"):
            sns.unsubscribe(SubscriptionArn=row["SubscriptionArn"])
            done.append(f"mails to {row['Endpoint']}")
    return done


def _delete(ssm: SSMClient, parameter: str) -> bool:
    try:
        ssm.delete_parameter(Name=parameter)
    except ssm.exceptions.ParameterNotFound:
        return False
    return True


def rename(target: Target, name: str, new: str) -> int:
    """Give an app another name: its entry, its secrets and its incidents; how many of these there were.

    Under its former name a note is left, by which it is found until it is removed; its incidents keep their
    ids, by which mails, pull requests and artifacts name them. Safe to repeat, also after it broke off.
    Raises UserError for a name that is taken or is none, and while heals of the app are under way; and as
    `of_its_own`.
    """
    if (app := to_rename(target, name, new)) is not None:
        _rename_entry(target, app, new)
    incidents = target.incidents.every(name)
    for incident in incidents:
        target.incidents.give(incident.incident_id, new)
    for parameter in secrets(target, name):
        _delete(target.session.client("ssm"), parameter)
    return len(incidents)


def to_rename(target: Target, name: str, new: str) -> App | None:
    """The app whose entry is to have another name; None where it has it already, and the rest is to follow.
    Raises as `rename`, and changes nothing."""
    if target.registry.renamed().get(name) == new:
        return None
    app = find(target, name)
    _renamed(target, app, new)
    return app


def _renamed(target: Target, app: App, name: str) -> App:
    """The app under its new name, without its credentials, which are not there yet. Raises as `rename`."""
    of_its_own(app, target.flag)
    # By the names that were its own, it may be called again.
    first = app.first_name or app.name
    entry = app.to_json() | {"credentials": "", "first_name": first if first != name else ""}
    try:
        renamed = App.from_json(name, entry)
    except AppInvalid as error:
        raise UserError(str(error), exit_code=Exit.USAGE) from error
    of_its_own(renamed, target.flag)
    if app.is_family:
        raise UserError(
            f"{app.name} is a family, after which what is discovered for it is named",
            f"register another: selfheal configure {name} --repository '{app.repository}'{target.flag}",
        )
    check_name(target, renamed)
    taken = target.registry.entries().get(name)
    if taken and not (isinstance(taken, App) and taken.log_groups == app.log_groups):
        raise UserError(
            f"there is an app {name!r} already", f"look at it: selfheal apps show {name}{target.flag}"
        )
    if going_on := under_way(target, app.name):
        raise UserError(
            f"heals of {app.name} are under way ({len(going_on)}), such as {going_on[0].incident_id}",
            f"wait for them, or decide them: selfheal incidents --app {app.name} --status open{target.flag}",
        )
    return renamed


def _rename_entry(target: Target, app: App, name: str) -> None:
    renamed = _renamed(target, app, name)
    ssm = target.session.client("ssm")
    for old, new in zip(secrets(target, app.name), secrets(target, name), strict=True):
        _copy_secret(target, ssm, old, new)
    if app.credentials:
        renamed = replace(renamed, credentials=target.registry.credentials_parameter(name))
    write_entry(target, renamed)
    for former in (*former_names(target, app.name), app.name):
        if former != name:
            put_entry(target, former, note(name))


def _copy_secret(target: Target, ssm: SSMClient, old: str, new: str) -> None:
    try:
        value = ssm.get_parameter(Name=old, WithDecryption=True)["Parameter"]["Value"]
    except ssm.exceptions.ParameterNotFound:
        return
    key = target.output("EntriesKeyArn")
    ssm.put_parameter(Name=new, Value=value, Type="SecureString", KeyId=key, Overwrite=True)
