"""What an emulator that was killed has when it is started again: all of it, and its executions go on.

MiniStack saves its state when it is ended in order, and then fails the executions that ran. Here every change
of a table is written before it is answered, everything else within moments; and an execution goes on with the
state in which it was: what was under way is done again, as the steps of a workflow must allow anyway.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

from infra.local.gaps import states
from infra.local.gaps.patching import Response, replace, service

logger = logging.getLogger(__name__)
persistence = service("core.persistence")
dynamodb = service("services.dynamodb")
pipes = service("services.pipes")
sfn = states.sfn

# Everything is looked at this often (s); where that takes long, so seldom that it takes a twentieth of a CPU.
_SECONDS, _SHARE = 0.5, 20
_TRIES = 50
_READS = ("Get", "Query", "Scan", "BatchGet", "Describe", "List", "TransactGet")

_written: dict[str, bytes] = {}
"""Service → digest of the state that its file holds."""
_saving = threading.Lock()


def fill() -> None:
    if not persistence.PERSIST_STATE:
        return
    replace(
        dynamodb,
        handle_request=writing_through(dynamodb.handle_request),
        get_state=with_streams(dynamodb.get_state),
        load_persisted_state=restoring_streams(dynamodb.load_persisted_state),
    )
    replace(sfn, _restore_state=restoring(sfn._restore_state))
    threading.Thread(target=keep, daemon=True, name="keep-state").start()


def writing_through(handle_request: Any) -> Any:
    async def call(method: str, path: str, headers: dict[str, str], body: bytes, query: Any) -> Response:
        answer: Response = await handle_request(method, path, headers, body, query)
        if not headers.get("x-amz-target", "").partition(".")[2].startswith(_READS):
            save("dynamodb", dynamodb.get_state)
        return answer

    return call


def with_streams(get_state: Callable[[], dict[str, Any]]) -> Callable[[], dict[str, Any]]:
    """The tables' streams as well, from the first record on that some pipe has not delivered: MiniStack keeps
    how far pipes have read and not what they read, and so they would wait for ever."""

    def call() -> dict[str, Any]:
        streams = type(dynamodb._stream_records)()
        for (account, region, table), records in dynamodb._stream_records.all_items():
            begin = dynamodb._stream_trimmed.get_scoped(account, region, table, 0)
            read = max(begin, min(_heads(account, region, table), default=begin + len(records)))
            streams.set_scoped(account, region, table, {"begin": read, "records": records[read - begin :]})
        return {**get_state(), "streams": streams}

    return call


def _heads(account: str, region: str, table: str) -> list[int]:
    """How far each pipe of a table has come."""
    return [
        pipes._positions.get_scoped(account, region, pipe["Arn"], 0)
        for of_account, of_region, pipe in pipes._iter_all_pipes()
        if (of_account, of_region) == (account, region)
        and (source := pipes._dynamodb_stream_source(pipe["Source"]))
        and source[1] == table
    ]


def restoring_streams(restore: Callable[[Any], None]) -> Callable[[Any], None]:
    def call(data: dict[str, Any] | None) -> None:
        restore(data)
        streams: dict[Any, Any] = data["streams"]._data if data and "streams" in data else {}
        for (account, region, table), stream in streams.items():
            dynamodb._stream_records.set_scoped(account, region, table, stream["records"])
            dynamodb._stream_trimmed.set_scoped(account, region, table, stream["begin"])

    return call


def restoring(restore: Callable[[Any], None]) -> Callable[[Any], None]:
    """Executions that ran are restored as what they were, and go on."""

    def call(data: dict[str, Any] | None) -> None:
        saved = ((data or {}).get("executions") or type(sfn._executions)())._data
        ran = [(*key, dict(one)) for key, one in saved.items() if one.get("status") == "RUNNING"]
        restore(data)
        for account, region, arn, execution in ran:
            execution.pop("waiting", None)
            with service("core.responses").request_scope(account, region):
                sfn._executions[arn] = execution
            threading.Thread(target=_go_on, args=(account, region, arn), daemon=True).start()

    return call


def _go_on(account: str, region: str, arn: str) -> None:
    """Walk an execution from where it stands, once the emulator serves those whom its steps call."""
    _await_start()
    with service("core.responses").request_scope(account, region):
        states.run(arn)


def _await_start() -> None:
    """Return once the emulator serves, and so has loaded what was kept."""
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", int(os.environ["GATEWAY_PORT"]))) == 0:
                return
        time.sleep(0.1)


def keep() -> None:
    """Write whatever has changed, for as long as this process lives."""
    _await_start()
    app, took = service("app"), 0.0
    while True:
        time.sleep(max(_SECONDS, _SHARE * took))
        began = time.thread_time()
        for name, get_state in app._build_persistence_save_dict().items():
            save(name, get_state)
        took = time.thread_time() - began


def save_executions() -> None:
    """Write what runs, at once."""
    for _ in range(_TRIES if persistence.PERSIST_STATE else 0):
        if save("stepfunctions", sfn.get_state):
            return
        time.sleep(0.02)


def save(name: str, get_state: Callable[[], Any]) -> bool:
    """Write a service's state, unless its file holds it already. Whether it does now."""
    with _saving:
        try:
            state = get_state()
            text = json.dumps(state, default=persistence._json_default)
        except (RuntimeError, TypeError, ValueError) as error:
            # Somebody changed it meanwhile: the next round has it.
            logger.debug("the state of %s is written later: %s", name, error)
            return False
        digest = hashlib.sha256(text.encode()).digest()
        if state is not None and _written.get(name) != digest:
            persistence.save_state(name, state)
            _written[name] = digest
        return True
