"""Lambda functions in Python: environments behind a wall in place of MiniStack's own workers.

MiniStack reports every exception as Runtime.HandlerError, logs each line of a traceback as an event of its
own in a format that no Lambda runtime prints, hands its whole environment to functions, and starts an
interpreter per worker, which may do what this user may. Here a function runs as on Lambda: under its
refusals, as its user, with nothing writable but `/tmp`, driven through the runtime API; see
`infra.local.guest`.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from infra.local.gaps import image, tenancy
from infra.local.gaps.endpoint import Endpoint
from infra.local.gaps.environment import environment_of, log_group
from infra.local.gaps.guest_log import GuestLog
from infra.local.gaps.packages import ahead, unpacked
from infra.local.gaps.patching import replace, service
from infra.local.gaps.runtime_api import Invocation, InvocationResult, RuntimeApi
from infra.local.guest.bootstrap import LAYERS, TASK_ROOT
from infra.local.guest.fork_server import Specification

runtime = service("core.lambda_runtime")
lambda_svc = service("services.lambda_svc")
logs = service("services.cloudwatch_logs")

MAX_EVENT_CHARACTERS = 262_144
START_SECONDS = 30.0
"""How long an environment may take to be set up."""

_finished: dict[str, tuple[str, list[dict[str, Any]]]] = {}
"""Request id → log stream and log events, between the end of an invocation and the writing of its log."""


def fill() -> None:
    replace(
        runtime,
        _worker_class_for=class_for(runtime._worker_class_for),
    )
    replace(
        lambda_svc,
        _execute_function_warm=execute,
        _emit_lambda_logs=emit_logs,
        _fetch_code_from_s3=deploying(lambda_svc._fetch_code_from_s3),
    )
    ahead(image.places)


def deploying(fetch: Callable[..., bytes | None]) -> Callable[..., bytes | None]:
    """Reading a package that a function is deployed with, which lays it out for its first call."""

    def fetched(*given: Any, **named: Any) -> bytes | None:
        package = fetch(*given, **named)
        if package is not None:
            ahead(unpacked, package)
        return package

    return fetched


def class_for(other: Any) -> Any:
    return lambda config: Worker if config["Runtime"].startswith("python") else other(config)


class ForkServer:
    """The process that forks environments."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._control: socket.socket | None = None

    def _ask(self, message: bytes, descriptors: tuple[int, ...] = ()) -> bytes:
        with self._lock:
            if self._control is None:
                self._control = self._start()
            socket.send_fds(self._control, [message], list(descriptors))
            answer = self._control.recv(1024)
        if not answer:
            raise RuntimeError(
                "the process that forks Lambda's environments has ended; see the emulator's log"
            )
        return answer

    def _start(self) -> socket.socket:
        ours, theirs = socket.socketpair()
        with theirs:
            # Nothing of the emulator's own environment: this process forks what strangers' code runs in.
            kept = {name: os.environ[name] for name in ("LANG", "LD_LIBRARY_PATH") if name in os.environ}
            own = {"PYTHONPATH": str(Path(__file__).parents[3])}
            subprocess.Popen(
                [sys.executable, "-s", "-P", "-m", "infra.local.guest.fork_server", str(theirs.fileno())],
                env=kept | own,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
            )
        return ours

    def fork(self, log: int, specification: Specification, channel: int) -> int:
        """Start an environment; its process 1. Raises RuntimeError where it cannot be walled in."""
        with os.fdopen(os.memfd_create("specification"), "w+b") as file:
            file.write(json.dumps(specification).encode())
            file.seek(0)
            answer = self._ask(b"fork", (log, file.fileno(), channel)).decode()
        if answer.startswith("!"):
            raise RuntimeError(f"no wall for a Lambda function: {answer[1:]}")
        return int(answer)

    def kill(self, pid: int) -> None:
        """End an environment and all inside. Safe to call for one that has ended."""
        self._ask(b"kill%d" % pid)


_fork_server = ForkServer()


class Worker:
    """One execution environment: a walled process, its runtime API and its log stream.

    MiniStack leases workers (`in_use`, `last_used`, `config`) and ends idle ones in batches: it takes
    `_proc`, signals it, waits for it, and calls `_discard_tmpdir`.
    """

    def __init__(self, name: str, config: dict[str, Any], package: bytes) -> None:
        self.config = config
        self.in_use = False
        self.last_used = time.time()
        self._package = package
        self._lock = threading.Lock()
        self._pid: int | None = None

    def _spawn(self) -> None:
        version = self.config.get("Version", "$LATEST")
        self._stream = f"{datetime.now(UTC):%Y/%m/%d}/[{version}]{uuid.uuid4().hex}"
        channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._log = GuestLog()
        with theirs:
            self._pid = _fork_server.fork(self._log.writable, self._specification(), theirs.fileno())
        channel.settimeout(START_SECONDS)
        said, descriptors, _, _ = socket.recv_fds(channel, 1024, 2)
        if said != b"ready":
            channel.close()
            _fork_server.kill(self._pid)
            self._pid = None
            self._log.close()
            raise RuntimeError(f"no wall for a Lambda function: {said.decode(errors='replace')}")
        listener, *rest = (socket.socket(fileno=descriptor) for descriptor in descriptors)
        self._api = RuntimeApi(listener)
        self._endpoints = [Endpoint(each, self.config) for each in rest]
        threading.Thread(target=_watch, args=(channel, self._api), daemon=True).start()

    def _specification(self) -> Specification:
        placed = {TASK_ROOT: str(unpacked(self._package))}
        if layers := _layers(self.config):
            placed[LAYERS] = str(unpacked(*layers))
        isolated = tenancy.isolates(self.config)
        environment = environment_of(self.config, self._stream)
        if isolated:
            placed |= image.places()
            environment |= image.ENVIRONMENT
        return {
            "environment": environment,
            "placed": placed,
            "tmp_bytes": self.config.get("EphemeralStorage", {}).get("Size", 512) * 1024 * 1024,
            "isolated": isolated,
            "endpoint_port": int(os.environ["GATEWAY_PORT"]) if isolated else 0,
        }

    def invoke(self, event: Any, request_id: str, **call: Any) -> dict[str, Any]:
        """Run one invocation. Returns `{"result": …}` or `{"error": payload}`; its log is in `_finished`."""
        with self._lock:
            if self._pid is not None and not self._api.alive:
                self.close()  # It ended after its last answer, which is nothing to this invocation.
            if self._pid is None:
                self._spawn()
            seconds = self.config.get("Timeout", 3)
            invocation = Invocation(
                request_id=request_id,
                event=json.dumps(event).encode(),
                arn=call["invoked_function_arn"],
                deadline=time.time() + seconds,
                trace_id=call["trace_id"] or "",
                tenant=call.get("tenant", ""),
            )
            answer = self._api.invoke(invocation, seconds)
            if answer.kind in ("init", "ended", "timeout"):
                self._end()
            result, said = self._result(answer, request_id, seconds)
            events = [*self._log.until_now(), *said]
            if self._pid is None:
                self._log.close()
            now = int(time.time() * 1000)
            _finished[request_id] = (
                self._stream,
                [{"timestamp": now, "message": event[:MAX_EVENT_CHARACTERS]} for event in events],
            )
            return result

    def _result(
        self, answer: InvocationResult, request_id: str, seconds: int
    ) -> tuple[dict[str, Any], list[str]]:
        """What the caller gets, and what the platform logs where the runtime itself did not end it."""
        if answer.kind == "response":
            return {"result": answer.body}, []
        if answer.kind == "timeout":
            text = f"Task timed out after {seconds}.00 seconds"
            now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
            message = f"RequestId: {request_id} Error: {text}"
            failure = {"errorType": "Sandbox.Timedout", "errorMessage": message}
            return {"error": failure}, [f"{now} {request_id} {text}"]
        if answer.kind == "ended":
            how = f"with error: {_status(answer.body)}" if answer.body else "without providing a reason"
            message = f"RequestId: {request_id} Error: Runtime exited {how}"
            failure = {"errorType": "Runtime.ExitError", "errorMessage": message}
            return {"error": failure}, [f"{message}\nRuntime.ExitError"]
        return {"error": answer.body | {"requestId": request_id}}, []

    def close(self) -> None:
        """End the environment; the next invocation starts another."""
        if self._pid is not None:
            self._end()
            self._log.close()

    def _end(self) -> None:
        pid, self._pid = self._pid, None
        assert pid is not None  # noqa: S101 (for the type checker)
        _fork_server.kill(pid)
        self._api.close()
        for endpoint in self._endpoints:
            endpoint.close()

    @property
    def _proc(self) -> Worker | None:
        return self if self._pid is not None else None

    @_proc.setter
    def _proc(self, value: None) -> None:
        """MiniStack forgets the process before it signals it; the worker forgets it when it has ended."""

    def poll(self) -> int | None:
        return None if self._pid is not None else 0

    def terminate(self) -> None:
        self.close()

    def wait(self, timeout: float) -> int:
        return 0

    def _discard_tmpdir(self) -> None:
        """Its files were in memory."""


def _watch(channel: socket.socket, api: RuntimeApi) -> None:
    """Tell the API when the runtime has ended, by itself or with its environment."""
    channel.settimeout(None)
    with channel:
        try:
            said = channel.recv(64)
        except OSError:
            said = b""
    api.ended(int(said.removeprefix(b"ended") or 128 + 9))


def _status(code: int) -> str:
    return (
        f"signal: {signal.strsignal(code - 128) or code - 128}".lower()
        if code > 128
        else f"exit status {code}"
    )


def _layers(config: dict[str, Any]) -> list[bytes]:
    """Packages of the layers that the emulator holds. Another account's public layer (Powertools) has no
    content here; the interpreter's own packages stand in for it."""
    contents = (lambda_svc._resolve_layer_zip(layer) for layer in config.get("Layers", []))
    return [content for content in contents if content]


def execute(function: dict[str, Any], event: Any, request_id: str) -> dict[str, Any]:
    """Run a zip function on a worker. Answers as MiniStack does: `body`, `log`, and `error` if it failed."""
    config = function["config"]
    lambda_svc._ensure_reaper_thread()
    try:
        tenant = tenancy.current(config)
    except tenancy.TenantRefused as refused:  # By a service that calls functions without Invoke.
        failure = {"errorType": "InvalidParameterValueException", "errorMessage": str(refused)}
        return {"body": failure, "error": True, "log": ""}
    call = {
        "invoked_function_arn": config.get("FunctionArn", ""),
        "trace_id": lambda_svc._xray_trace_id_for_invocation(config),
        "tenant": tenant,
    }
    with _leased(function) as worker:
        answer = worker.invoke(event, request_id, **call)
    log = "\n".join(entry["message"] for entry in _finished[request_id][1])
    if "error" in answer:
        return {"body": answer["error"], "error": True, "log": log}
    return {"body": answer["result"], "log": log}


@contextlib.contextmanager
def _leased(function: dict[str, Any]) -> Iterator[Worker]:
    """An environment for one invocation; with tenant isolation one that nobody else ever has."""
    config, package = function["config"], function["code_zip"]
    if tenancy.isolates(config):
        worker = Worker(config["FunctionName"], config, package)
        try:
            yield worker
        finally:
            worker.close()
        return
    qualifier = config.get("Version", "$LATEST")
    worker, _ = runtime.acquire_worker(config["FunctionName"], config, package, qualifier=qualifier)
    try:
        yield worker
    finally:
        runtime.release_worker(worker)


def emit_logs(
    function: dict[str, Any], request_id: str, log_text: str, error: bool, duration: int, **_: Any
) -> None:
    """Write an invocation's log to CloudWatch Logs, in the stream of its execution environment."""
    config = function["config"]
    version = config.get("Version", "$LATEST")
    fallback: tuple[str, list[dict[str, Any]]] = (f"{datetime.now(UTC):%Y/%m/%d}/[{version}]{request_id}", [])
    stream_name, events = _finished.pop(request_id, fallback)
    memory = config.get("MemorySize", 128)
    now = int(time.time() * 1000)
    start = {"timestamp": now - duration, "message": f"START RequestId: {request_id} Version: {version}"}
    report = f"REPORT RequestId: {request_id}\tDuration: {duration}.00 ms\tBilled Duration: {duration} ms\t"
    report += f"Memory Size: {memory} MB\tMax Memory Used: {memory} MB\t"
    ending = [{"timestamp": now, "message": text} for text in (f"END RequestId: {request_id}", report)]
    group = log_group(config)
    logs._create_log_group({"logGroupName": group})
    logs._create_log_stream({"logGroupName": group, "logStreamName": stream_name})
    entries = [start, *events, *ending]
    logs._put_log_events({"logGroupName": group, "logStreamName": stream_name, "logEvents": entries})
