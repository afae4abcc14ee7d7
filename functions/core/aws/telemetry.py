"""Logging, tracing and metrics, the same for every function."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger, Tracer, single_metric
from aws_lambda_powertools.metrics import MetricUnit


@cache
def logger() -> Logger:
    """The function's structured logger. Its service name is the function's folder name."""
    return Logger(service=_service())


@cache
def tracer() -> Tracer:
    """X-Ray tracing; a no-op wherever the Lambda runtime is not the one running us."""
    return Tracer(service=_service())


def measure(name: str, unit: MetricUnit, value: float, ids: Mapping[str, Any], **dimensions: str) -> None:
    """One number, in embedded metric format: a log line, and no API call on the hot path.

    ids: what it is of. They are properties, which logs can be searched by, and never dimensions: each value
    of a dimension is a metric of its own, which is paid for, and there is no end of incidents.
    """
    by = {"service": _service(), **dimensions}
    with single_metric(name, unit, value, namespace=_namespace(), default_dimensions=by) as metric:
        for key, value_of in _known(ids).items():
            metric.add_metadata(key=key, value=value_of)


def count(name: str, ids: Mapping[str, Any], number: int = 1, **dimensions: str) -> None:
    """How often something happened. dimensions: each only ever one of a few words."""
    measure(name, MetricUnit.Count, number, ids, **dimensions)


def came_of_it(outcome: str, ids: Mapping[str, Any], number: int = 1) -> None:
    """What a function made of what it was given."""
    count("Outcomes", ids, number, outcome=outcome)


def mark(**facts: Any) -> None:
    """Tell X-Ray what the invocation is about: `annotation.incident_id = "..."` finds its trace."""
    name = os.environ.get("AWS_LAMBDA_FUNCTION_NAME", "")
    facts["deployment"] = name.removesuffix("-" + _service().replace("_", "-"))
    for key, value in _known(facts).items():
        plain = value if isinstance(value, bool | int | float) else str(value)
        tracer().put_annotation(key, plain)  # type: ignore[arg-type] # typed as Number, which is one of these


def _known(facts: Mapping[str, Any]) -> dict[str, Any]:
    if "incident_id" not in facts:
        return dict(facts)
    return {**facts, "fingerprint": _fingerprint(facts["incident_id"])}


def _fingerprint(incident_id: str) -> str:
    """`orders-v1-0123` → `v1-0123`."""
    return "-".join(incident_id.rsplit("-", 2)[-2:])


def _service() -> str:
    return os.environ.get("POWERTOOLS_SERVICE_NAME", "self-heal")


def _namespace() -> str:
    """Of the deployment's metrics: several stages must not ring each other's alarms."""
    return os.environ.get("POWERTOOLS_METRICS_NAMESPACE", "self-heal")
