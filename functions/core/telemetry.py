"""Logging, tracing and metrics, the same for every function."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger, Metrics, Tracer, single_metric
from aws_lambda_powertools.metrics import MetricUnit

NAMESPACE = "SelfHealingCode"


@cache
def logger() -> Logger:
    """The function's structured logger. Its service name is the function's folder name."""
    return Logger(service=_service())


@cache
def tracer() -> Tracer:
    """X-Ray tracing; a no-op wherever the Lambda runtime is not the one running us."""
    return Tracer(service=_service())


@cache
def metrics() -> Metrics:
    """CloudWatch metrics in embedded metric format: no API call on the hot path."""
    return Metrics(namespace=NAMESPACE, service=_service())


def measure(name: str, unit: MetricUnit, value: float, ids: Mapping[str, Any]) -> None:
    """One number of this function, by its name alone: alarms are on it.

    ids: what it is of. They are properties, which logs can be searched by, and never dimensions: each value
    of a dimension is a metric of its own, which is paid for, and there is no end of incidents.
    """
    with single_metric(name, unit, value, NAMESPACE, default_dimensions={"service": _service()}) as metric:
        _describe(metric, ids)


def mark(**facts: Any) -> None:
    """Tell X-Ray, and the invocation's own metric, what it is about.

    Traces can be searched by `annotation.incident_id = "..."`.
    """
    _describe(metrics(), facts)
    name = os.environ.get("AWS_LAMBDA_FUNCTION_NAME", "")
    facts["deployment"] = name.removesuffix("-" + _service().replace("_", "-"))
    if "incident_id" in facts:
        facts["fingerprint"] = _fingerprint(facts["incident_id"])
    for key, value in facts.items():
        tracer().put_annotation(key, value if isinstance(value, bool | int | float) else str(value))


def _describe(metric: Any, facts: Mapping[str, Any]) -> None:
    for key, value in facts.items():
        if key not in ("outcome", "error"):  # its dimensions
            metric.add_metadata(key=key, value=value)
    if "incident_id" in facts:
        metric.add_metadata(key="fingerprint", value=_fingerprint(facts["incident_id"]))


def _fingerprint(incident_id: str) -> str:
    """`orders-v1-0123` → `v1-0123`."""
    return "-".join(incident_id.rsplit("-", 2)[-2:])


def _service() -> str:
    return os.environ.get("POWERTOOLS_SERVICE_NAME", "self-heal")
