"""EventBridge Pipes from a DynamoDB stream to a state machine or a bus: filter, batch size, template, retry
limits and the dead-letter queue.

MiniStack drops SourceParameters and TargetParameters, starts one execution with all new records, and delivers
nothing to a bus.
Rules: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-event-filtering.html,
.../eb-pipes-input-transformation.html and .../eb-pipes-batching-concurrency.html
"""

from __future__ import annotations

import json
import logging
import re
import time
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

from infra.local.gaps import restart
from infra.local.gaps.patching import Response, replace, service

logger = logging.getLogger(__name__)
pipes = service("services.pipes")
dynamodb = service("services.dynamodb")
eventbridge = service("services.eventbridge")

POLL_SECONDS = 0.1
RETRY_SECONDS = 0.5
"""Pause between two attempts to deliver a batch; AWS backs off longer."""

Pipe = dict[str, Any]
PARAMETERS = ("SourceParameters", "TargetParameters")
_given: ContextVar[dict[str, Any] | None] = ContextVar("given", default=None)
_failures: dict[str, tuple[int, float]] = {}
"""Pipe ARN → failed attempts for the batch at its head, and when to try again."""


def fill() -> None:
    formation = service("services.cloudformation.provisioners")
    handlers = formation._RESOURCE_HANDLERS["AWS::Pipes::Pipe"]
    handlers["create"] = keeping(formation._pipes_pipe_create, properties=1)
    handlers["update"] = keeping(formation._pipes_pipe_update, properties=2)
    replace(formation, _pipes_pipe_create=handlers["create"])
    replace(
        pipes,
        register_pipe=registering(pipes.register_pipe),
        _create_pipe=keeping(pipes._create_pipe, properties=1),
        _update_pipe=updating(pipes._update_pipe),
        _describe_response=describing(pipes._describe_response),
        _poll_loop=poll_loop,
        _poll_pipe=poll,
    )


def keeping(function: Any, properties: int) -> Any:
    """Remember the parameters in argument number `properties` while `function` makes or updates a pipe."""

    def call(*args: Any, **kwargs: Any) -> Any:
        reset = _given.set({key: args[properties].get(key) or {} for key in PARAMETERS})
        try:
            return function(*args, **kwargs)
        finally:
            _given.reset(reset)

    return call


def registering(register: Any) -> Any:
    """Register a pipe with its parameters; it starts only when they are there."""

    def call(**kwargs: Any) -> Pipe:
        given = _given.get() or {key: {} for key in PARAMETERS}
        stream = given["SourceParameters"].get("DynamoDBStreamParameters", {})
        wanted = kwargs.pop("desired_state", "RUNNING")
        kwargs["starting_position"] = stream.get("StartingPosition", "LATEST")
        pipe: Pipe = register(**kwargs, desired_state="STOPPED")
        pipe.update(given, DesiredState=wanted, CurrentState=wanted)
        return pipe

    return call


def updating(update: Any) -> Any:
    def call(name: str, body: dict[str, Any]) -> Response:
        response: Response = update(name, body)
        if response[0] == 200:
            given = _given.get() or {key: body[key] for key in PARAMETERS if key in body}
            pipes._pipes[name].update(given)
        return response

    return call


def describing(describe: Any) -> Any:
    def call(pipe: Pipe) -> dict[str, Any]:
        return {**describe(pipe), **{key: pipe[key] for key in PARAMETERS if pipe.get(key)}}

    return call


def poll_loop() -> None:
    while True:
        try:
            pipes._poll_once()
        except Exception:
            logger.exception("polling the pipes failed")
        time.sleep(POLL_SECONDS)


def poll(_dynamodb: Any, pipe: Pipe, account: str) -> None:
    """Deliver what is new on one pipe's stream, in order. A batch that fails stays at the head."""
    source = pipes._dynamodb_stream_source(pipe["Source"])
    if pipe["CurrentState"] != "RUNNING" or source is None or source[0].account_id != account:
        return
    spec, table = source
    scope = {"account_id": account, "region": spec.region}
    arn = pipe["Arn"]
    size = _stream_parameters(pipe).get("BatchSize", 100)
    while True:
        position = max(pipes._positions.get(arn, 0), dynamodb.stream_start_position(table, **scope))
        records = dynamodb.stream_records_since(table, position, size, **scope)
        if not records or time.monotonic() < _failures.get(arn, (0, 0.0))[1]:
            return
        wanted = [record for record in records if matches(pipe, record)]
        if wanted and not _delivered(pipe, wanted):
            return
        if wanted:
            # Before the record counts as read: it is kept no longer then, and what it started would be lost.
            restart.save_executions()
        _failures.pop(arn, None)
        pipes._positions[arn] = position + len(records)


def _stream_parameters(pipe: Pipe) -> dict[str, Any]:
    parameters: dict[str, Any] = pipe["SourceParameters"].get("DynamoDBStreamParameters", {})
    return parameters


def matches(pipe: Pipe, record: dict[str, Any]) -> bool:
    """Whether any filter of the pipe matches; a pipe without filters takes every record."""
    filters = pipe["SourceParameters"].get("FilterCriteria", {}).get("Filters", [])
    return not filters or any(_matches(item["Pattern"], record) for item in filters)


def _matches(pattern: str, record: dict[str, Any]) -> bool:
    alternatives = eventbridge._compiled_pattern(pattern)
    return any(eventbridge._matches_detail(record, alternative) for alternative in alternatives or ())


def _delivered(pipe: Pipe, records: list[dict[str, Any]]) -> bool:
    """True when the batch is done with: delivered, or given up and reported to the dead-letter queue."""
    arn = pipe["Arn"]
    try:
        template = pipe["TargetParameters"].get("InputTemplate")
        payload = [json.loads(render(template, record)) for record in records] if template else records
        delivered = _deliver(pipe, payload)
    except ValueError:
        logger.exception("the input template of %s gave no JSON", arn)
        delivered = False
    if delivered:
        return True
    attempts = _failures.get(arn, (0, 0.0))[0] + 1
    _failures[arn] = (attempts, time.monotonic() + RETRY_SECONDS)
    parameters = _stream_parameters(pipe)
    limit = parameters.get("MaximumRetryAttempts", -1)
    max_age = parameters.get("MaximumRecordAgeInSeconds", -1)
    age = time.time() - records[0]["dynamodb"]["ApproximateCreationDateTime"]
    if 0 <= limit < attempts:
        condition = "RetryAttemptsExhausted"
    elif 0 <= max_age < age:
        condition = "MaximumRecordAgeExceeded"
    else:
        return False
    if queue := parameters.get("DeadLetterConfig", {}).get("Arn"):
        _send_to_queue(queue, dead_letter(pipe, records, condition))
    return True


def _deliver(pipe: Pipe, payload: list[dict[str, Any]]) -> bool:
    bus = pipe["TargetParameters"].get("EventBridgeEventBusParameters")
    if not bus:
        return bool(pipes._deliver_batch(pipe, payload))
    about = {
        "EventBusName": pipe["Target"],
        "Source": bus.get("Source", f"Pipe {pipe['Name']}"),
        "DetailType": bus.get("DetailType", "Event from aws:dynamodb"),
        "Resources": bus.get("Resources", []),
    }
    entries = [about | {"Detail": json.dumps(detail)} for detail in payload]
    status, _, body = eventbridge._put_events({"Entries": entries})
    return bool(status == 200) and not json.loads(body)["FailedEntryCount"]


def dead_letter(pipe: Pipe, records: list[dict[str, Any]], condition: str) -> dict[str, Any]:
    """What the queue receives: where the records are on the stream, never the records."""
    first, last = records[0]["dynamodb"], records[-1]["dynamodb"]
    return {
        "context": {"partnerResourceArn": pipe["Arn"], "condition": condition},
        "version": "1.0",
        "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "DDBStreamBatchInfo": {
            "shardId": "shardId-00000000000000000000-00000000",
            "startSequenceNumber": first["SequenceNumber"],
            "endSequenceNumber": last["SequenceNumber"],
            "approximateArrivalOfFirstRecord": _iso(first["ApproximateCreationDateTime"]),
            "approximateArrivalOfLastRecord": _iso(last["ApproximateCreationDateTime"]),
            "batchSize": len(records),
            "streamArn": pipe["Source"],
        },
    }


def _iso(epoch: float) -> str:
    return datetime.fromtimestamp(epoch, UTC).isoformat().replace("+00:00", "Z")


def _send_to_queue(arn: str, message: dict[str, Any]) -> None:
    spec = service("core.arn").parse_arn(arn)
    eventbridge._dispatch_to_sqs(spec, json.dumps(message))


_PLACEHOLDER = re.compile(r"<(\$[^>]*)>")
_TOKEN = re.compile(r'"(?:\\.|[^"\\])*"|<\$[^>]*>')


def render(template: str, record: dict[str, Any]) -> str:
    """An input template for one record.

    Inside a JSON string a value is put in as it is, without escaping; elsewhere it is put in as JSON. A path
    that does not exist gives an empty string.
    """

    def bare(match: re.Match[str]) -> str:
        token = match.group()
        if token.startswith("<"):
            return json.dumps(_resolve(token[1:-1], record))
        return _PLACEHOLDER.sub(lambda inner: _text(_resolve(inner.group(1), record)), token)

    return _TOKEN.sub(bare, template)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _resolve(path: str, record: dict[str, Any]) -> Any:
    value: Any = record
    for name in path.removeprefix("$").strip(".").split("."):
        if not isinstance(value, dict) or name not in value:
            return ""
        value = value[name]
    return value
