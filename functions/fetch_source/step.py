"""FetchSource within a heal: once per heal, whatever is retried or redriven."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from functions.core.apps.deployed import told_by_function
from functions.core.aws.deployment import Deployment
from functions.core.forge.connect import connect
from functions.core.forge.git_remote import Remote
from functions.core.workflow.artifacts import Artifact
from functions.core.workflow.state import HealState, SourceState
from functions.core.workflow.validation_context import ValidationContext
from functions.fetch_source.earlier import earlier
from functions.fetch_source.image import python_of_uri
from functions.fetch_source.origin import deployed_before
from functions.fetch_source.runtime import runtime_of_function
from functions.fetch_source.source import fetch_source


def run(state: HealState, deployment: Deployment) -> SourceState:
    """Writes `source.tar.gz`, the origin, the validation context, and last `source.json`: while it is there,
    the heal keeps the commit it began with, even if the branch moves on.
    Raises what `fetch_source`, `told_by_function` and `runtime_of_function` do, AppNotRegistered, AppInvalid
    and IncidentNotFound.
    """
    heal = state.heal
    artifacts = deployment.artifacts_of(heal)
    done = artifacts.find_json(heal.key(Artifact.SOURCE_TOLD))
    if done is None:
        app = deployment.registry.app(heal.app)
        incident = deployment.incidents.get(heal.incident_id)
        token, key = deployment.token_of(app), deployment.deploy_key(app)
        forge = connect(app, token)
        functions, image = deployment.session.client("lambda"), partial(python_of_uri, client=deployment.ecr)
        source = fetch_source(
            app,
            Remote.of(app, "" if key else token, key),
            forge,
            logged=incident.revision,
            function=partial(told_by_function, functions, incident, app.revision_from_environment),
            runtime=partial(runtime_of_function, functions, incident, image),
            pythons=deployment.setting("pythons").split(),
            frames=incident.frames,
        )
        told_names = {"qualified": source.named.qualified, "twins": dict(source.named.twins)}
        # None where another execution has the incident by now: then the names are that one's to tell.
        incidents = deployment.incidents
        incident = incidents.advance(heal.incident_id, incident.execution_arn, **told_names) or incident
        if source.origin:
            origin = replace(source.origin, deployed_at=deployed_before(functions, incident))
            artifacts.put_json(heal.key(Artifact.ORIGIN), origin.to_json())
        told = earlier(incident, forge)
        context = ValidationContext(incident, app, source.reason, source.submodules, source.python)
        done = {
            "key": artifacts.put(heal.key(Artifact.SOURCE), source.archive, "application/gzip"),
            "facts": context.save(artifacts, heal),
            "deployed_sha": source.sha,
            **source.head.keep(artifacts, heal),
            "earlier_key": artifacts.put_json(heal.key(Artifact.EARLIER), told) if told else "",
            "revision_from": source.revision_from,
            "reason": source.reason,
            "files": source.files,
            "bytes": source.bytes,
            "submodules_left_out": list(source.left_out),
            "python": source.python.to_json(),
            "committed": source.committed,
        }
        artifacts.put_json(heal.key(Artifact.SOURCE_TOLD), done)
    return SourceState.from_json(done)
