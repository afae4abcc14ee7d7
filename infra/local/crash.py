"""Ways to make the sample service crash: real requests to its function, each hitting a different bug."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from functions.core.incidents.incident import Status
from infra.target import Target

SAMPLE_FUNCTION = "orders"


@dataclass(frozen=True, slots=True)
class CrashingRequest:
    """A request that crashes the service, and one that it answers (None: there is none). says: what it is."""

    says: str
    works: dict[str, Any] | None
    crashes: dict[str, Any]
    ends: Status = Status.AWAITING_APPROVAL
    """Where the built-in repair rules get with it."""


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
    "async": CrashingRequest(
        "the fill rate of a day without orders, within a coroutine",
        {"operation": "fill_rate", "body": {"orders": [{"shipped": True}]}},
        {"operation": "fill_rate", "body": {"orders": []}},
    ),
    "chained": CrashingRequest(
        "a line without a quantity, refused because of another error",
        {"operation": "import", "body": {"line": "ada-1 x 3"}},
        {"operation": "import", "body": {"line": "ada-1"}},
        Status.ABSTAINED,
    ),
    "configuration": CrashingRequest(
        "a setting that the deployment lacks",
        None,
        {"operation": "price", "body": {"amount": 3}},
        Status.SUPPRESSED,
    ),
    "refused": CrashingRequest(
        "a letter to a customer whom nobody knows, refused on purpose",
        {"operation": "letter", "body": {"customer_id": "c-1"}},
        {"operation": "letter", "body": {"customer_id": "c-9"}},
        Status.ABSTAINED,
    ),
}
ENDS = {
    Status.AWAITING_APPROVAL: "a question with a proven patch",
    Status.ABSTAINED: "a diagnosis and no patch: nobody should heal it",
    Status.SUPPRESSED: "a record and no heal: no code is wrong",
}
"""What each kind shows, in words."""
HEALED = tuple(name for name, crash in CRASHES.items() if crash.ends is Status.AWAITING_APPROVAL)


@dataclass(frozen=True, slots=True)
class ServiceAnswer:
    """What the function answered. `error` is its errorType, "" when it worked."""

    payload: Any
    error: str


def request(target: Target, event: Any, function: str = SAMPLE_FUNCTION) -> ServiceAnswer:
    """Invoke the sample service, or another function, once, as its callers do."""
    answer = target.session.client("lambda").invoke(FunctionName=function, Payload=json.dumps(event).encode())
    payload = json.loads(answer["Payload"].read())
    failed = answer.get("FunctionError")
    return ServiceAnswer(payload, str(payload.get("errorType", "Error")) if failed else "")
