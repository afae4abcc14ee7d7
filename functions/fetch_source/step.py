"""FetchSource within a heal: once per heal, whatever is retried or redriven."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from functions.core.apps.deployed import told_by_function
from functions.core.apps.registry import Registry
from functions.core.forge.connect import connect
from functions.core.forge.git_remote import Remote
from functions.core.forge.installation import token_of
from functions.core.incidents.table import Incidents
from functions.core.workflow.artifacts import Artifacts
from functions.core.workflow.heal import Heal
from functions.core.workflow.origin import ORIGIN
from functions.core.workflow.validation_context import ValidationContext
from functions.fetch_source.earlier import earlier
from functions.fetch_source.image import python_of_uri
from functions.fetch_source.origin import deployed_before
from functions.fetch_source.runtime import runtime_of_function
from functions.fetch_source.source import fetch_source
from functions.harness.interpreters import VERSIONS

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient
    from mypy_boto3_lambda import LambdaClient

ARCHIVE, METADATA, EARLIER = "source.tar.gz", "source.json", "earlier.json"
_TOLD = (
    *("key", "facts", "deployed_sha", "base_sha", "head_key", "history_key"),
    *("earlier_key", "revision_from", "python", "committed"),
)


def fetch_for(
    heal: Heal,
    artifacts: Artifacts,
    incidents: Incidents,
    registry: Registry,
    lambda_: LambdaClient,
    ecr: Callable[[str], ECRClient],
    pythons: Sequence[str] = VERSIONS,
) -> dict[str, Any]:
    """The `source` part of the state: see functions/core/heal.py.

    ecr: a region's client, made when it is needed; pythons: what the runner has, oldest first.

    Writes `source.tar.gz`, where the error comes from, the validation context, and last `source.json`:
    while that is there, the heal keeps the commit it began with, even if the branch moves on.
    Raises what `fetch_source`, `told_by_function` and `runtime_of_function` do, AppNotRegistered, AppInvalid
    and IncidentNotFound.
    """
    done = artifacts.find_json(heal.key(METADATA))
    if done is None:
        app = registry.app(heal.app)
        incident = incidents.get(heal.incident_id)
        token = token_of(registry, app)
        forge = connect(app, token)
        source = fetch_source(
            app,
            Remote.of(app, token),
            forge,
            logged=incident.revision,
            function=partial(told_by_function, lambda_, incident, app.revision_from_environment),
            runtime=partial(runtime_of_function, lambda_, incident, partial(python_of_uri, client=ecr)),
            pythons=pythons,
            frames=incident.frames,
        )
        told_names = {"qualified": source.named.qualified, "twins": dict(source.named.twins)}
        # None where another execution has the incident by now: then the names are that one's to tell.
        incident = incidents.advance(heal.incident_id, incident.execution_arn, **told_names) or incident
        if source.origin:
            origin = replace(source.origin, deployed_at=deployed_before(lambda_, incident))
            artifacts.put_json(heal.key(ORIGIN), origin.to_json())
        context = ValidationContext(incident, app, source.reason, source.submodules, source.python)
        done = {
            "key": artifacts.put(heal.key(ARCHIVE), source.archive, "application/gzip"),
            "facts": context.save(artifacts, heal),
            "deployed_sha": source.sha,
            **source.head.keep(artifacts, heal),
            "earlier_key": artifacts.put_json(heal.key(EARLIER), told)
            if (told := earlier(incident, forge))
            else "",
            "revision_from": source.revision_from,
            "reason": source.reason,
            "files": source.files,
            "bytes": source.bytes,
            "submodules_left_out": list(source.left_out),
            "python": source.python.to_json(),
            "committed": source.committed,
        }
        artifacts.put_json(heal.key(METADATA), done)
    return {name: done[name] for name in _TOLD if name in done}
