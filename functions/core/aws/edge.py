"""The AWS edge that every handler shares: log context, tracing, metrics, and one log line per outcome.

step(run)    of a Task: `run(state, deployment)` → its part of the state
event(run)   of what AWS starts otherwise: `run(event, deployment)` → a result as JSON
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache
from typing import Any, Protocol

from aws_lambda_powertools.metrics import MetricUnit

from functions.core.aws.deployment import Deployment, deployment
from functions.core.aws.names import PING
from functions.core.aws.telemetry import came_of_it, logger, mark, measure, tracer
from functions.core.model.time_left import TimeLeft
from functions.core.workflow.state import HealState

# Parts of the state input that make a log line findable. Nothing else of an event or a result is ever logged:
# the rest may hold source, prompts, or what a stranger wrote.
_IDS = ("incident_id", "app", "heal_id", "attempt")
_OUTCOMES = ("outcome", "verdict", "claimed", "revision_from", "decision")
# Numbers in a result that are counted besides: the metric of each, and its unit.
_MEASURES = {
    "errors": ("Errors", MetricUnit.Count),
    "cost_usd": ("ModelSpend", MetricUnit.NoUnit),
    "questions_waiting": ("QuestionsWaiting", MetricUnit.Count),
    "oldest_question_share": ("OldestQuestionShare", MetricUnit.Percent),
    "canary_failed": ("CanaryFailed", MetricUnit.Count),
}


class _Part(Protocol):
    def to_state(self) -> dict[str, Any]: ...


Event = dict[str, Any]
Handler = Callable[[Event, Any], Event]


def step(run: Callable[[HealState, Deployment], _Part], *, even_stopped: bool = False) -> Handler:
    """The Lambda handler of a Task. While all healing is stopped it raises HealingStopped, before anything is
    done; even_stopped: of a step that only writes down what has happened."""

    def asked(event: Event, context: Any) -> Event:
        deployment().time = TimeLeft(context.get_remaining_time_in_millis() / 1_000)
        if not even_stopped:
            deployment().switch.check()
        return run(HealState.from_json(event), deployment()).to_state()

    return _handler(asked)


def event(run: Callable[[Event, Deployment], Event]) -> Handler:
    """The Lambda handler of a function that a service of AWS calls."""
    return _handler(lambda event, _: run(event, deployment()))


def _handler(function: Handler) -> Handler:
    """An exception is counted, logged by its class name, and raised again as it is: Step Functions matches
    the bare class name. Nothing happens at import; logger, tracer and metrics are made at the first
    invocation. A PING is answered here and reaches nothing.
    """

    def observed(event: Event, context: Any) -> Event:
        ids = {name: event[name] for name in _IDS if name in event}
        logger().append_keys(**ids)
        mark(**ids)
        started = time.monotonic()
        try:
            result = function(event, context)
        except Exception as error:
            measure("Failures", MetricUnit.Count, 1, ids, error=type(error).__name__)
            mark(failed=True, error=type(error).__name__)
            logger().error("step failed", extra={"error": type(error).__name__, "seconds": _since(started)})
            raise
        outcome = next((str(result[name]) for name in _OUTCOMES if name in result), "done")
        if outcome != "done":  # Lambda counts by itself how often a function ran
            came_of_it(outcome, ids)
        mark(failed=False, outcome=outcome)
        for name in _MEASURES.keys() & result.keys():
            measure(*_MEASURES[name], float(result[name]), ids)
        logger().info("step finished", extra={"outcome": outcome, "seconds": _since(started)})
        return result

    @cache
    def instrumented() -> Handler:
        # What a step returns or is given never goes into a trace.
        traced = tracer().capture_lambda_handler(observed, capture_response=False)
        return logger().inject_lambda_context(traced, clear_state=True)

    def handler(event: Event, context: Any) -> Event:
        if event == PING:
            return {"outcome": "awake"}
        return instrumented()(event, context)

    return handler


def _since(started: float) -> float:
    return round(time.monotonic() - started, 3)
