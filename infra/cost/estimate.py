"""A month's bill, line by line, for a load.

Cautious where it must assume: every error is delivered by itself, every heal starts every function anew,
and no free tier is taken off.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from functions.core.model.models import foundation_model
from functions.core.model.prices import LISTED, Usage
from infra.alarms import ALARMS, BAND, CHOSEN, COMPOSITES
from infra.catalog import FUNCTIONS, RUNNER
from infra.spec import Spec

_HERE = Path(__file__).parent
_HOURS = 730
_KEYS = 1
_SCHEDULED_AN_HOUR = 6
"""Runs of what tracks pull requests and of what reminds."""
_DETECTING = 10
"""Environments of `detect_errors`, each for an hour."""
_IMAGES_GB = 1.5
_KEPT_DAYS = 90
_FREE_DISK_MB = 512
_GB = 1024**3


RANKINGS = 3
"""Rules of Contributor Insights: two of fingerprints, and one of the incidents table's throttled keys."""


@dataclass(frozen=True, slots=True)
class Load:
    """What happens within a month. tokens: of each heal, in and out; apps: entries in the registry."""

    errors: int
    unique: int
    tokens_in: int
    tokens_out: int
    model: str
    apps: int = 1


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the bill. price: USD per unit."""

    service: str
    what: str
    quantity: float
    unit: str
    price: float

    @property
    def usd(self) -> float:
        return self.quantity * self.price


@dataclass(frozen=True, slots=True)
class Bill:
    """`lines` are those of the first year."""

    lines: tuple[Line, ...]
    prices_read: date
    measured: date
    region: str
    rotation_usd: float
    """What the first and the second yearly rotation of the key each add to all months from then on; later
    ones add nothing. https://aws.amazon.com/kms/pricing/"""

    @property
    def usd_by_year(self) -> tuple[float, float, float]:
        """A month in the first year, in the second, and in any from the third on."""
        return self.usd, self.usd + self.rotation_usd, self.usd + 2 * self.rotation_usd

    @property
    def usd(self) -> float:
        return sum(line.usd for line in self.lines)

    @property
    def models_usd(self) -> float:
        return sum(line.usd for line in self.lines if line.service == "Bedrock")


def bill(load: Load) -> Bill:
    """The bill for a load."""
    prices, measured = _facts("prices.toml"), _facts("measured.toml")
    lines = (
        *_models(load),
        *_functions(load, prices["lambda"], measured),
        *_workflow(load, prices, measured),
        *_storage(load, prices, measured),
        *_watching(load, prices, measured),
    )
    rotation = _KEYS * prices["kms"]["rotation_month"]
    return Bill(lines, prices["read"], measured["measured"], prices["region"], rotation)


@cache
def _facts(name: str) -> dict[str, Any]:
    return tomllib.loads((_HERE / name).read_text())


def _models(load: Load) -> Iterator[Line]:
    name = foundation_model(load.model)
    for what, tokens, usage in (
        ("tokens in", load.tokens_in, Usage(input=1_000_000)),
        ("tokens out", load.tokens_out, Usage(output=1_000_000)),
    ):
        price = LISTED.cost_usd(load.model, usage) / 1_000_000
        yield Line("Bedrock", f"{name}, {what}", load.unique * tokens, "token", price)


def _functions(load: Load, prices: dict[str, Any], measured: dict[str, Any]) -> Iterator[Line]:
    specs = {spec.folder: spec for spec in (*FUNCTIONS, RUNNER)}
    runs: list[tuple[Spec, float, float]] = [
        (specs["detect_errors"], load.errors, measured["delivery"]["seconds"]),
        (specs["track_pull_requests"], _HOURS * 4, 2.0),
        (specs["remind_approvers"], _HOURS * 2, 2.0),
        *(
            (
                specs[folder],
                load.unique,
                seconds + measured[f"start_seconds_{'image' if specs[folder].image else 'zip'}"],
            )
            for folder, seconds in measured["heal"]["seconds"].items()
        ),
    ]
    yield Line("Lambda", "requests", sum(times for _, times, _ in runs), "request", prices["request"])
    for kind, image in (("x86", True), ("arm", False)):
        used = sum(
            times * seconds * spec.memory / 1024 for spec, times, seconds in runs if spec.image is image
        )
        yield Line("Lambda", f"time, {kind}", used, "GB-s", prices[f"gb_second_{kind}"])
    disk = sum(times * seconds * (spec.disk - _FREE_DISK_MB) / 1024 for spec, times, seconds in runs)
    yield Line("Lambda", "storage beyond 512 MB", disk, "GB-s", prices["storage_gb_second"])


def _workflow(load: Load, prices: dict[str, Any], measured: dict[str, Any]) -> Iterator[Line]:
    heal, bus = measured["heal"], prices["eventbridge"]
    transitions = load.unique * heal["transitions"]
    yield Line(
        "Step Functions", "transitions", transitions, "transition", prices["step-functions"]["transition"]
    )
    told = load.unique * (1 + heal["status_changes"])
    yield Line("EventBridge", "pipes", told, "event", bus["pipe_request"])
    yield Line(
        "EventBridge", "events on the bus", load.unique * heal["status_changes"], "event", bus["event"]
    )
    runs = _HOURS * _SCHEDULED_AN_HOUR + 30 * len(FUNCTIONS)
    yield Line("EventBridge", "schedules", runs, "run", bus["schedule"])
    yield Line("SNS", "mails", load.unique * heal["mails"], "mail", prices["sns"]["email"])
    yield Line("SNS", "messages", load.unique * heal["mails"], "message", prices["sns"]["publish"])


def _storage(load: Load, prices: dict[str, Any], measured: dict[str, Any]) -> Iterator[Line]:
    table, bucket, keys = prices["dynamodb"], prices["s3"], prices["kms"]
    delivery, heal = measured["delivery"], measured["heal"]
    for what in ("write", "read"):
        units = load.errors * delivery[f"{what}_units"] + load.unique * heal[f"{what}_units"]
        yield Line("DynamoDB", f"{what}s", units, f"{what} unit", table[f"{what}_unit"])
    # Incidents are kept, 2 KB in the table and as much in its index and its backup.
    stored = load.unique * 2 * 2048 / _GB
    price = table["stored_gb_month"] + table["point_in_time_gb_month"]
    yield Line("DynamoDB", "storage", stored, "GB-month", price)
    yield Line("S3", "writes", load.unique * heal["s3_writes"], "request", bucket["write"])
    yield Line("S3", "reads", load.unique * heal["s3_reads"], "request", bucket["read"])
    kept = load.unique * heal["stored_bytes"] / _GB * _KEPT_DAYS / 30
    yield Line("S3", "storage", kept, "GB-month", bucket["stored_gb_month"])
    yield Line("KMS", "keys", _KEYS, "key-month", keys["key_month"])
    yield Line("KMS", "requests", load.unique * heal["kms_requests"], "request", keys["request"])
    # Whoever starts anew decrypts every entry, and then what changes.
    started = _HOURS * (_SCHEDULED_AN_HOUR + _DETECTING)
    yield Line("KMS", "entries decrypted", load.apps * started, "request", keys["request"])
    yield Line("ECR", "images", _IMAGES_GB, "GB-month", prices["ecr"]["stored_gb_month"])
    resolver = prices["route-53-resolver"]
    yield Line("Route 53", "names of the firewall", 2, "domain-month", resolver["domain_month"])


def _metrics(load: Load, counted: dict[str, Any]) -> float:
    """Metrics are paid for by the hour in which they come; heals come at random.

    https://aws.amazon.com/cloudwatch/pricing/, "All custom metrics charges are prorated by the hour".
    """
    an_hour = load.unique / _HOURS
    good, other = (1 - math.exp(-an_hour * share) for share in (1.0, counted["other_share"]))
    return float(counted["always"] + counted["heal"] * good + counted["other"] * other)


def _watching(load: Load, prices: dict[str, Any], measured: dict[str, Any]) -> Iterator[Line]:
    watch = prices["cloudwatch"]
    metrics = _metrics(load, measured["metrics"])
    yield Line("CloudWatch", "own metrics", metrics, "metric-month", watch["metric_month"])
    alarms = sum(len(alarm.metrics) for alarm in ALARMS if alarm.key not in CHOSEN)
    yield Line("CloudWatch", "alarms", alarms, "metric-month", watch["alarm_metric_month"])
    yield Line("CloudWatch", f"band of {BAND.name}", 1, "alarm-month", watch["anomaly_month"])
    yield Line("CloudWatch", "Contributor Insights", RANKINGS, "rule-month", watch["ranking_month"])
    yield Line("CloudWatch", "composite alarms", len(COMPOSITES), "alarm-month", watch["composite_month"])
    logged = (
        load.errors * measured["delivery"]["log_bytes"] + load.unique * measured["heal"]["log_bytes"]
    ) / _GB
    yield Line("CloudWatch", "logs, written", logged, "GB", watch["logs_gb"])
    kept = logged * _KEPT_DAYS / 30 * 0.15  # compressed
    yield Line("CloudWatch", "logs, kept", kept, "GB-month", watch["logs_stored_gb_month"])
    traces = (load.errors + load.unique * 15) * measured["traced"]
    yield Line("X-Ray", "traces", traces, "trace", prices["xray"]["trace"])
