"""Logging, tracing and metrics, the same for every function."""

from __future__ import annotations

import os
from functools import cache

from aws_lambda_powertools import Logger, Metrics, Tracer

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


def _service() -> str:
    return os.environ.get("POWERTOOLS_SERVICE_NAME", "self-heal")
