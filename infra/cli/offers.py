"""What `configure` offers when it has changed an entry: to start over what the change may help."""

from __future__ import annotations

import dataclasses

from functions.core.apps.app import App
from functions.core.incidents.incident import Status
from functions.core.notify.counts import counted
from functions.core.workflow.errors import AppInvalid
from infra.cli.console import hint
from infra.target import Target

_FIELDS = frozenset(one.name for one in dataclasses.fields(App))
_MODES = frozenset({"mode", "class_modes"})
_HELD_BY = _MODES | {
    *("heal_classes", "paused", "min_occurrences", "max_heals_at_once", "max_open_pull_requests"),
    *("max_heals_per_day", "max_heals_per_hour", "storm_after", "daily_budget_usd", "monthly_budget_usd"),
}
_AFTER_A_PATCH = frozenset(
    {
        *("approvers", "approvals_needed", "reviewers", "time_zone", "quiet_hours", "slack_buttons"),
        *("signed_commits", "commit_author", "prices", "log_groups", "log_tags", "first_name"),
        *("deployed_within_hours", "gone_after_hours", "max_open_pull_requests", "storm_after"),
    }
)
_HELPED_BY = {
    Status.SUPPRESSED: _HELD_BY,
    Status.DIAGNOSED: _MODES,
    Status.PROPOSED: _MODES,
    Status.ABSTAINED: _FIELDS - _AFTER_A_PATCH,
}
"""How a heal ended without a fix → the fields that may lead another one further. What people rejected is not
among them."""
_LISTED = 5


def changed_fields(before: App | AppInvalid | None, app: App) -> frozenset[str]:
    """The fields in which an app's entry is another than before."""
    if not isinstance(before, App):
        return _FIELDS
    return frozenset(field for field in _FIELDS if getattr(before, field) != getattr(app, field))


def offer(target: Target, app: App, changed: frozenset[str]) -> None:
    """Say how that goes on which ended without a fix, where a field has changed that can matter to it."""
    every = list(target.incidents.every(app.name))
    over = [
        incident
        for incident in every
        if changed & _HELPED_BY.get(incident.status, frozenset()) and incident.error_class in app.heal_classes
    ]
    if over:
        which = " ".join(incident.incident_id for incident in over)
        if len(over) > _LISTED:
            statuses = sorted({incident.status for incident in over})
            which = f"--app {app.name}" + "".join(f" --status {status}" for status in statuses)
        command = f"selfheal retry {which}{target.flag}"
        hint(f"{counted(len(over), 'incident')} ended without a fix. To start over: {command}", "dim")
    if failed := sum(incident.status is Status.FAILED for incident in every):
        command = f"selfheal redrive --failed --app {app.name}{target.flag}"
        hint(f"{counted(failed, 'incident')} failed. To go on: {command}", "dim")
