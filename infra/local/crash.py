"""Ways to make the sample service crash: real requests to its function, each hitting a different bug."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from infra.target import Target

SAMPLE_FUNCTION = "orders"


@dataclass(frozen=True, slots=True)
class CrashingRequest:
    """A request that the service answers, and one that crashes it."""

    says: str
    works: dict[str, Any]
    crashes: dict[str, Any]


_ORDER = {"number": "17", "name": "Ada", "street": "Main St 1", "city": "Bonn"}

CRASHES = {
    "quote": CrashingRequest(
        "a quote for a country without a rate of its own",
        {"operation": "quote", "body": {"country": "FR", "weight_kg": 1.2}},
        {"operation": "quote", "body": {"country": "NZ", "weight_kg": 1.2}},
    ),
    "report": CrashingRequest(
        "the report of a day without orders",
        {"operation": "report", "body": {"orders": [{"amount": 10}]}},
        {"operation": "report", "body": {"orders": []}},
    ),
    "label": CrashingRequest(
        "a label for an order whose number is not text",
        {"operation": "label", "body": {"order": _ORDER}},
        {"operation": "label", "body": {"order": _ORDER | {"number": 17}}},
    ),
    "receipt": CrashingRequest(
        "a receipt for a customer whom nobody knows",
        {"operation": "receipt", "body": {"customer_id": "c-1"}},
        {"operation": "receipt", "body": {"customer_id": "c-9"}},
    ),
}


@dataclass(frozen=True, slots=True)
class ServiceAnswer:
    """What the function answered. `error` is its errorType, "" when it worked."""

    payload: Any
    error: str


def request(target: Target, event: dict[str, Any]) -> ServiceAnswer:
    """Invoke the sample service once, as its callers do."""
    answer = target.session.client("lambda").invoke(
        FunctionName=SAMPLE_FUNCTION, Payload=json.dumps(event).encode()
    )
    payload = json.loads(answer["Payload"].read())
    return ServiceAnswer(
        payload, str(payload.get("errorType", "Error")) if answer.get("FunctionError") else ""
    )
