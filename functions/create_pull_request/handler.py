"""CreatePullRequest's Lambda entry point."""

from __future__ import annotations

from typing import Any

import boto3

from functions.core.apps.registry import Registry
from functions.core.aws.edge import step
from functions.core.aws.settings import Settings
from functions.core.aws.telemetry import logger
from functions.core.forge.connect import connect
from functions.core.forge.installation import token_of
from functions.core.incidents.table import Incidents
from functions.core.untrusted.inert import inert_line
from functions.core.workflow.evidence import Evidence
from functions.core.workflow.heal import Heal
from functions.core.workflow.proposal import Proposal
from functions.core.workflow.review import read_review
from functions.core.workflow.scoped import artifacts_of
from functions.core.workflow.switch import refuse_when_stopped
from functions.create_pull_request.body import Approval, render
from functions.create_pull_request.pull_request import Approved, open_pull_request, to_state


@step
def handler(event: dict[str, Any]) -> dict[str, Any]:
    """State input with `commit` and `decision` → the `pull_request` part: {"number", "url"}."""
    heal = Heal.from_state(event)
    settings = Settings.from_environment()
    refuse_when_stopped(settings)
    artifacts = artifacts_of(heal, settings)
    incidents = Incidents(boto3.resource("dynamodb").Table(settings.require("incidents_table")))
    registry = Registry(settings.require("registry_path"))
    app = registry.app(heal.app)
    proposal = Proposal.from_json(artifacts.get_json(event["proposal"]["key"]))
    evidence = Evidence.from_json(artifacts.get_json(event["validation"]["evidence_key"]))
    decision, made = event["decision"], event["commit"]
    incident = incidents.get(heal.incident_id)
    body = render(
        incident,
        proposal,
        evidence,
        Approval(
            decision["by"],
            decision["comment"],
            decision["patch_sha256"],
            decision["base_sha"],
            made.get("base_sha", ""),
        ),
        read_review(artifacts, event.get("review", {}).get("key", "")),
    )
    return to_state(
        open_pull_request(
            connect(app, token_of(registry, app)),
            app,
            Approved(
                made["branch"],
                made["sha"],
                made.get("base_sha") or decision["base_sha"],
                not evidence.not_proven,
                incident.commit_sha if event.get("follow_up") else "",
            ),
            title=inert_line(proposal.title) or "Fix a crash",
            body=body,
            warn=logger().warning,
        )
    )
