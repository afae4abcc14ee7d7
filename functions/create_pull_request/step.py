"""CreatePullRequest within a heal: the approved commit, with everything that a reviewer needs."""

from __future__ import annotations

from dataclasses import replace

from functions.core.aws.deployment import Deployment
from functions.core.aws.telemetry import logger
from functions.core.untrusted.inert import inert_line
from functions.core.workflow.evidence import Evidence
from functions.core.workflow.joined import MOST_NAMED
from functions.core.workflow.proposal import Proposal
from functions.core.workflow.review import read_review
from functions.core.workflow.state import HealState, PullRequestState
from functions.create_pull_request.body import render
from functions.create_pull_request.pull_request import ApprovedCommit, open_pull_request
from functions.create_pull_request.reviewers import reviewers


def run(state: HealState, deployment: Deployment) -> PullRequestState:
    """Raises what `open_pull_request` raises."""
    artifacts, decision, made = deployment.artifacts_of(state.heal), state.decision, state.commit
    incident = deployment.incidents.get(state.incident_id)
    evidence = Evidence.from_json(artifacts.get_json(state.validation.evidence_key))
    seen = Evidence.from_json(artifacts.get_json(made.carried_from)) if made.carried_from else evidence
    app = deployment.registry.app(state.app)
    proposal = Proposal.from_json(artifacts.get_json(state.proposal.key))
    forge, base_sha = deployment.forge(app), made.base_sha or decision.base_sha
    patch = artifacts.get(state.validation.patch_key)
    asked = reviewers(forge, app, patch, base_sha, logger().warning)
    joined = deployment.incidents.joined_with(incident, MOST_NAMED)
    body = render(
        replace(incident, joined=tuple(other.incident_id for other in joined)),
        proposal,
        evidence,
        decision,
        read_review(artifacts, state.review.key),
        made.base_sha,
        asked,
        patch.decode(errors="replace"),
        since=evidence.joined_since(seen),
        commands=deployment.commands,
    )
    pull = open_pull_request(
        forge,
        app,
        ApprovedCommit(
            made.branch,
            made.sha,
            base_sha,
            not evidence.not_proven,
            incident.commit_sha if state.follow_up else "",
        ),
        title=inert_line(proposal.title) or "Fix a crash",
        body=body,
        asked=asked,
        warn=logger().warning,
    )
    return PullRequestState(pull.number, pull.url)
