"""A deployed stack, on AWS or on this machine, as the commands and the embedded run reach it."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING

import boto3

from functions.core.apps.app import App
from functions.core.aws.deployment import Deployment
from functions.core.aws.settings import Settings
from functions.core.notify.counts import counted
from functions.core.workflow.errors import IncidentNotFound
from infra.errors import Exit, UserError
from infra.names import ACCOUNT_POLICY, DEFAULT, Names
from infra.nearest import nearest, unknown

if TYPE_CHECKING:
    from collections.abc import Iterable

    from functions.core.incidents.incident import Incident


_ID = re.compile(r"(.+)-(v\d+-[0-9a-f]{4,})$")
"""An incident's id: its app's first name, and its fingerprint."""

OUTPUTS = (
    *("StateMachineArn", "IncidentsTable", "DeliveriesTable", "ApprovalsTable", "ArtifactsBucket"),
    *("TopicArn", "PersonalTopicArn", "ApprovalUrl", "DetectErrorsArn", "TakeDecisionArn", "DataKeyArn"),
    # By the name of which it is told that the functions read encrypted entries.
    "EntriesKeyArn",
    *("FailedDetectionsUrl", "UnstartedHealsUrl", "UnreportedFailuresUrl"),
)
"""The stack outputs that commands read."""


_SETTINGS = {
    "incidents_table": "IncidentsTable",
    "deliveries_table": "DeliveriesTable",
    "approvals_table": "ApprovalsTable",
    "artifacts_bucket": "ArtifactsBucket",
    "topic_arn": "TopicArn",
    "personal_topic_arn": "PersonalTopicArn",
    "approval_url": "ApprovalUrl",
}
"""Setting of the functions → the output that says the same."""


class Target(Deployment):
    """A deployed stack and how to reach it; `outputs` are the stack's CloudFormation outputs.

    answered_by: what really answers as every model, where that is not the model of the name: the embedded
    run's; costs_nothing: whether what really answers is free.
    """

    def __init__(
        self,
        session: boto3.Session,
        outputs: dict[str, str],
        local: bool = False,
        answered_by: str = "",
        costs_nothing: bool = False,
        names: Names = DEFAULT,
    ) -> None:
        settings = Settings(registry_path=names.registry, switch_parameter=names.switch)
        super().__init__(settings, session=session)
        self.outputs = outputs
        self.local = local
        self.answered_by = answered_by
        self.costs_nothing = costs_nothing
        self.names = names

    @property
    def flag(self) -> str:
        """What a suggested command must carry to act on this target again."""
        return (" --local" if self.local else "") + self.names.flag

    def output(self, name: str) -> str:
        """A stack output. Raises UserError when the deployed stack is too old to have it."""
        if name not in self.outputs:
            raise UserError(
                f"stack {self.names.stack} has no output {name}",
                f"deploy the stack again with this version: selfheal deploy{self.flag}",
                exit_code=Exit.BROKEN,
            )
        return self.outputs[name]

    @property
    def subscribes_to_all(self) -> bool:
        """Whether the stack has one subscription for all log groups of the account."""
        return ACCOUNT_POLICY in self.outputs

    def setting(self, name: str) -> str:
        """From the stack's outputs, as `output`, where it is one of those."""
        found = _SETTINGS.get(name)
        return self.output(found) if found else super().setting(name)

    def app_names(self) -> list[str]:
        """The names of all registered apps, those with a broken entry included."""
        return sorted(self.registry.entries())

    def unknown_app(self, name: str, otherwise: str, same: str = "") -> UserError:
        """The error for a name that no app has: with the one that it has now, or that was probably meant.

        same: how what was asked is asked of the name of now, `{}`; without, that app is to be looked at.
        """
        if now := self.registry.renamed().get(name):
            return UserError(
                f"no app {name!r}: it was renamed to {now}",
                same.format(now) if same else f"name that one: selfheal apps show {now}{self.flag}",
                exit_code=Exit.USAGE,
            )
        return unknown("app", name, self.app_names(), otherwise)

    def incident(self, prefix: str) -> Incident:
        """The incident whose id is, or uniquely starts with, `prefix`. Raises UserError."""
        if not prefix:
            raise UserError(
                "which incident?", f"list them with: selfheal incidents{self.flag}", exit_code=Exit.USAGE
            )
        with suppress(IncidentNotFound):
            return self.incidents.get(prefix)
        ids = self.incidents.ids()
        found = [one for one in ids if one.startswith(prefix)]
        if not found:
            if other := self._by_another_name(prefix, ids):
                return other
            raise self._unknown_incident(prefix, ids)
        if len(found) > 1:
            names = ", ".join(sorted(found)[:5])
            raise UserError(
                f"{prefix!r} means {counted(len(found), 'incident')}: {names}",
                "give more characters",
                exit_code=Exit.USAGE,
            )
        return self.incidents.get(found[0])

    def _unknown_incident(self, prefix: str, ids: Iterable[str]) -> UserError:
        """The error for what no id begins with: with the ids whose beginnings, as long, are nearest to it."""
        listed = f"list them with: selfheal incidents{self.flag}"
        beginnings: dict[str, list[str]] = {}
        for one in sorted(ids):
            beginnings.setdefault(one[: len(prefix)], []).append(one)
        near = nearest(prefix, beginnings)
        meant = [one for beginning in near for one in beginnings[beginning]][:3]
        then = f"did you mean {' or '.join(meant)}?" if meant else listed
        return UserError(f"no incident {prefix!r}", then, exit_code=Exit.USAGE)

    def _by_another_name(self, prefix: str, ids: Iterable[str]) -> Incident | None:
        """What is meant by the name that its app has now. Raises UserError for what only others have."""
        parts = _ID.match(prefix)
        if not parts:
            return None
        app = self.registry.entries().get(parts[1])
        if isinstance(app, App) and app.first_name:
            return self.incident(app.incident_id(parts[2]))
        if others := sorted(one for one in ids if f"-{parts[2]}" in one):
            raise UserError(
                f"no incident {prefix!r}; with its error there are, of other apps: {', '.join(others[:5])}",
                f"look at it: selfheal show {others[0]}{self.flag}",
                exit_code=Exit.USAGE,
            )
        return None
