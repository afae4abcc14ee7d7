"""CommitPatch's Lambda entry point."""

from __future__ import annotations

from typing import Any

import boto3

from functions.commit_patch.commit import Commit, check, commit
from functions.commit_patch.message import commit_message
from functions.commit_patch.record import confirmed, sent_by_hand
from functions.core.approval.approvals import Approvals
from functions.core.apps.registry import Registry
from functions.core.aws.edge import step
from functions.core.aws.settings import Settings
from functions.core.forge.git_remote import Remote
from functions.core.forge.installation import token_of
from functions.core.incidents.table import Incidents
from functions.core.workflow.heal import Heal
from functions.core.workflow.proposal import Proposal
from functions.core.workflow.scoped import artifacts_of
from functions.core.workflow.switch import refuse_when_stopped


@step
def handler(event: dict[str, Any]) -> dict[str, Any]:
    """State input with `validation` and `decision` → its `commit` part: see functions/core/heal.py."""
    heal = Heal.from_state(event)
    settings = Settings.from_environment()
    refuse_when_stopped(settings)
    artifacts = artifacts_of(heal, settings)
    dynamodb = boto3.resource("dynamodb")
    approvals = Approvals(dynamodb.Table(settings.require("approvals_table")))
    approval_id = event["decision"]["approval_id"]
    approved = confirmed(approvals.get(approval_id), event) if approval_id else sent_by_hand(event)
    validation = event["validation"]
    patch = artifacts.get(validation["patch_key"])
    check(patch, validation["patch_sha256"], event["source"]["base_sha"], approved)

    incidents = Incidents(dynamodb.Table(settings.require("incidents_table")))
    registry = Registry(settings.require("registry_path"))
    app = registry.app(heal.app)
    incident = incidents.get(heal.incident_id)
    proposal = Proposal.from_json(artifacts.get_json(event["proposal"]["key"]))
    message = commit_message(incident, proposal, approved_by=approved.by, patch_sha256=approved.patch_sha256)
    remote = Remote.of(app, token_of(registry, app))
    made = commit(
        app,
        remote,
        patch,
        approved,
        incident.branch_name,
        message,
        replaces=incident.commit_sha if event.get("follow_up") else "",
        deployed_sha=event["source"].get("deployed_sha", ""),
        may_move=bool(event.get("may_move")),
    )
    return made.to_json() if isinstance(made, Commit) else {"moved": made.keep(artifacts, heal)}
