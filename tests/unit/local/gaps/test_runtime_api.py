"""The runtime API that drives an environment: whose turn it is, and what is refused."""

from __future__ import annotations

import http.client
import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from infra.local.gaps.runtime_api import Invocation, InvocationResult, RuntimeApi

RUNTIME = "/2018-06-01/runtime"
NEXT = f"{RUNTIME}/invocation/next"
INVOCATION = Invocation("id-1", b'{"a": 1}', "arn:function", 1_700_000_000.5, "Root=1", "blue")


class Environment:
    """An API, the emulator's side and the runtime's."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        self.host, self.port = self.address = listener.getsockname()
        self.api = RuntimeApi(listener)
        self.pool = pool

    def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any, dict[str, str]]:
        connection = http.client.HTTPConnection(self.host, self.port, timeout=20)
        connection.request(method, path, None if body is None else json.dumps(body))
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, json.loads(content), dict(answer.headers)

    def asks(self) -> Future[tuple[int, Any, dict[str, str]]]:
        """A `next` that waits; returns once it is there."""
        asked = self.pool.submit(self.call, "GET", NEXT)
        while not self.api._asked and not asked.done():
            time.sleep(0.001)
        return asked

    def invoked(self, invocation: Invocation = INVOCATION, seconds: float = 20) -> Future[InvocationResult]:
        """An invocation that the runtime has taken."""
        asked = self.asks()
        answer = self.pool.submit(self.api.invoke, invocation, seconds)
        assert asked.result()[0] == 200
        return answer


@pytest.fixture
def environment() -> Iterator[Environment]:
    with ThreadPoolExecutor(4) as pool:
        made = Environment(pool)
        yield made
        made.api.close()


def test_the_runtime_is_told_what_to_do(environment: Environment) -> None:
    asked = environment.asks()
    answer = environment.pool.submit(environment.api.invoke, INVOCATION, 20)
    status, event, headers = asked.result()
    assert (status, event) == (200, {"a": 1})
    assert (
        headers.items()
        >= {
            "Lambda-Runtime-Aws-Request-Id": "id-1",
            "Lambda-Runtime-Deadline-Ms": "1700000000500",
            "Lambda-Runtime-Invoked-Function-Arn": "arn:function",
            "Lambda-Runtime-Trace-Id": "Root=1",
            "Lambda-Runtime-Aws-Tenant-Id": "blue",
        }.items()
    )
    assert environment.call("POST", f"{RUNTIME}/invocation/id-1/response", {"done": True})[0] == 202
    assert answer.result() == InvocationResult("response", {"done": True})


def test_an_error_is_told_as_one(environment: Environment) -> None:
    answer = environment.invoked()
    assert environment.call("POST", f"{RUNTIME}/invocation/id-1/error", {"errorType": "E"})[0] == 202
    assert answer.result() == InvocationResult("error", {"errorType": "E"})


def test_while_an_invocation_runs_nobody_gets_the_next(environment: Environment) -> None:
    answer = environment.invoked()
    status, body, _ = environment.call("GET", NEXT)
    assert (status, body["errorType"]) == (403, "InvalidStateTransition")
    assert environment.call("POST", f"{RUNTIME}/invocation/id-1/response", 1)[0] == 202
    assert answer.result() == InvocationResult("response", 1)


def test_while_the_runtime_waits_for_the_next_nobody_else_may(environment: Environment) -> None:
    asked = environment.asks()
    assert environment.call("GET", NEXT)[0] == 403
    answer = environment.pool.submit(environment.api.invoke, INVOCATION, 20)
    assert asked.result()[0] == 200
    environment.api.ended(1)
    assert answer.result() == InvocationResult("ended", 1)


@pytest.mark.parametrize("request_id", ["id-2", "", "next", "id-1%00", "../id-1", "ID-1", "id-1 "])
@pytest.mark.parametrize("kind", ["response", "error"])
def test_without_the_request_id_nothing_can_be_answered(
    environment: Environment, request_id: str, kind: str
) -> None:
    answer = environment.invoked()
    path = f"{RUNTIME}/invocation/{request_id.replace(' ', '%20')}/{kind}"
    assert environment.call("POST", path, "forged")[0] in {400, 404}
    assert environment.call("POST", f"{RUNTIME}/invocation/id-1/response", "honest")[0] == 202
    assert answer.result() == InvocationResult("response", "honest")


def test_the_first_answer_counts(environment: Environment) -> None:
    answer = environment.invoked()
    path = f"{RUNTIME}/invocation/id-1/response"
    assert [environment.call("POST", path, i)[0] for i in range(2)] == [202, 400]
    assert answer.result() == InvocationResult("response", 0)


def test_a_runtime_that_has_started_cannot_fail_to_start(environment: Environment) -> None:
    answer = environment.invoked()
    assert environment.call("POST", f"{RUNTIME}/init/error", {"errorType": "forged"})[0] == 403
    assert environment.call("POST", f"{RUNTIME}/invocation/id-1/response", 1)[0] == 202
    assert answer.result() == InvocationResult("response", 1)


def test_a_runtime_that_does_not_start_says_why(environment: Environment) -> None:
    assert environment.call("POST", f"{RUNTIME}/init/error", {"errorType": "E"})[0] == 202
    assert environment.api.invoke(INVOCATION, 20) == InvocationResult("init", {"errorType": "E"})


def test_too_large_an_answer_fails_the_invocation(environment: Environment) -> None:
    answer = environment.invoked()
    status, body, _ = environment.call("POST", f"{RUNTIME}/invocation/id-1/response", "x" * (7 << 20))
    assert (status, body["errorType"]) == (413, "RequestEntityTooLarge")
    assert answer.result().body["errorType"] == "Function.ResponseSizeTooLarge"


def test_no_answer_in_time_is_a_time_out(environment: Environment) -> None:
    assert environment.invoked(seconds=0.05).result() == InvocationResult("timeout")


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\0" * 100,
        b"GET\r\n\r\n",
        b"POST " + NEXT.encode() + b" HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST " + NEXT.encode() + b" HTTP/1.1\r\nContent-Length: 5\r\n\r\nnojso",
        b"POST " + NEXT.encode() + b" HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET " + b"a" * 70000 + b" HTTP/1.1\r\n\r\n",
        b"DELETE " + NEXT.encode() + b" HTTP/1.1\r\n\r\n",
    ],
)
def test_what_is_no_request_harms_nobody(environment: Environment, raw: bytes) -> None:
    with socket.create_connection(environment.address, 20) as client:
        client.sendall(raw)
        client.shutdown(socket.SHUT_WR)
        assert b" 200 " not in client.recv(65536).split(b"\r\n")[0]
    answer = environment.invoked()
    assert environment.call("POST", f"{RUNTIME}/invocation/id-1/response", 1)[0] == 202
    assert answer.result() == InvocationResult("response", 1)


def test_many_who_hold_their_connection_open_are_turned_away(environment: Environment) -> None:
    held = [socket.create_connection(environment.address, 20) for _ in range(40)]
    for client in held[32:]:
        client.settimeout(20)
        assert client.recv(1) == b""
    for client in held:
        client.close()
