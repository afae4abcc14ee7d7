"""Lambda functions in Python: forked workers in place of MiniStack's own.

MiniStack reports every exception as Runtime.HandlerError, logs each line of a traceback as an event of its
own in a format that no Lambda runtime prints, hands its whole environment to functions, and starts an
interpreter per worker. See zygote.py for what runs in a worker.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import queue
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from infra.local.gaps import zygote
from infra.local.gaps.patching import replace, service

runtime = service("core.lambda_runtime")
lambda_svc = service("services.lambda_svc")
logs = service("services.cloudwatch_logs")

MARK = zygote.MARK
MAX_EVENT_CHARACTERS = 262_144

_finished: dict[str, tuple[str, list[dict[str, Any]]]] = {}
"""Request id → log stream and log events, between the end of an invocation and the writing of its log."""


def fill() -> None:
    replace(
        runtime,
        _worker_class_for=class_for(runtime._worker_class_for),
    )
    replace(lambda_svc, _execute_function_warm=execute, _emit_lambda_logs=emit_logs)


def class_for(other: Any) -> Any:
    return lambda config: Worker if config["Runtime"].startswith("python") else other(config)


class Zygote:
    """The process that forks workers."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._control: socket.socket | None = None

    def _ask(self, message: bytes, descriptors: tuple[int, ...] = ()) -> bytes:
        with self._lock:
            if self._control is None:
                self._control, theirs = socket.socketpair()
                with theirs:
                    command = [sys.executable, "-I", zygote.__file__, str(theirs.fileno())]
                    subprocess.Popen(command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL)
            socket.send_fds(self._control, [message], list(descriptors))
            answer = self._control.recv(64)
        if not answer:
            raise RuntimeError("the process that forks Lambda workers has ended; see the emulator's log")
        return answer

    def fork(self, requests: int, responses: int, log: int) -> int:
        return int(self._ask(b"fork", (requests, responses, log)))

    def kill(self, pid: int) -> None:
        """Kill a worker and all that it started. Safe to call for one that has ended."""
        self._ask(b"kill%d" % pid)


_zygote = Zygote()


class Worker:
    """One execution environment: a forked process, its pipes and its log stream.

    MiniStack leases workers (`in_use`, `last_used`, `config`) and ends idle ones in batches: it takes
    `_proc`, signals it, waits for it, and calls `_discard_tmpdir`.
    """

    def __init__(self, name: str, config: dict[str, Any], package: bytes) -> None:
        self.config = config
        self.in_use = False
        self.last_used = time.time()
        self._name = name
        self._package = package
        self._lock = threading.Lock()
        self._pid: int | None = None
        self._scratch = ""

    def _spawn(self) -> None:
        code, layers = _unpacked(self._package), _layers(self.config)
        self._discard_tmpdir()
        self._scratch = tempfile.mkdtemp(prefix=f"{self._name}-")
        version = self.config.get("Version", "$LATEST")
        self._stream = f"{datetime.now(UTC):%Y/%m/%d}/[{version}]{uuid.uuid4().hex}"
        pipes = [os.pipe() for _ in range(3)]
        (read_requests, requests), (responses, write_responses), (log, write_log) = pipes
        try:
            self._pid = _zygote.fork(read_requests, write_responses, write_log)
        finally:
            for descriptor in (read_requests, write_responses, write_log):
                os.close(descriptor)
        self._requests = os.fdopen(requests, "w", encoding="utf-8", buffering=1)
        self._responses: queue.Queue[str] = queue.Queue()
        self._log: queue.Queue[dict[str, Any]] = queue.Queue()
        for target, descriptor in ((self._read_responses, responses), (self._read_log, log)):
            stream = os.fdopen(descriptor, encoding="utf-8", errors="replace")
            threading.Thread(target=target, args=(stream,), daemon=True).start()
        environment = _environment(self.config, code, self._scratch, self._stream)
        spec = {
            "code": str(code),
            "layers": layers,
            "handler": self.config["Handler"],
            "environment": environment,
        }
        self._send(spec)

    def _send(self, message: dict[str, Any]) -> None:
        # A worker that has died is noticed when it does not answer.
        with contextlib.suppress(BrokenPipeError):
            self._requests.write(json.dumps(message) + "\n")

    def _read_responses(self, stream: TextIO) -> None:
        answers = self._responses
        with stream:
            for line in stream:
                answers.put(line)
        answers.put("")

    def _read_log(self, stream: TextIO) -> None:
        events = self._log
        with stream:
            for line in stream:
                message = line.rstrip("\n")
                if message.startswith(MARK):
                    events.put(json.loads(message[len(MARK) :]))
                elif message:
                    events.put({"event": message})
        events.put({"end": None})

    def invoke(self, event: Any, request_id: str, **call: Any) -> dict[str, Any]:
        """Run one invocation. Returns `{"result": …}` or `{"error": payload}`; its log is in `_finished`."""
        with self._lock:
            if self._pid is None:
                self._spawn()
            seconds = self.config.get("Timeout", 3)
            arn = call["invoked_function_arn"]
            context = _context(self.config, request_id, arn, self._stream)
            deadline = time.time() + seconds
            trace = call["trace_id"] or ""
            self._send({"event": event, "context": context, "deadline": deadline, "trace_id": trace})
            try:
                line = self._responses.get(timeout=seconds)
            except queue.Empty:
                answer = self._timed_out(request_id, seconds)
            else:
                answer = json.loads(line) if line else self._died(request_id)
                if answer.get("ended"):
                    self.close()
            _finished[request_id] = (self._stream, self._drain(request_id))
            return answer

    def _timed_out(self, request_id: str, seconds: int) -> dict[str, Any]:
        self.close()
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        self._log.put({"event": f"{now} {request_id} Task timed out after {seconds}.00 seconds"})
        self._log.put({"end": request_id})
        message = f"RequestId: {request_id} Error: Task timed out after {seconds}.00 seconds"
        return {"error": {"errorType": "Sandbox.Timedout", "errorMessage": message}}

    def _died(self, request_id: str) -> dict[str, Any]:
        self.close()
        message = f"RequestId: {request_id} Error: Runtime exited without providing a reason"
        self._log.put({"event": f"{message}\nRuntime.ExitError"})
        self._log.put({"end": request_id})
        return {"error": {"errorType": "Runtime.ExitError", "errorMessage": message}}

    def _drain(self, request_id: str) -> list[dict[str, Any]]:
        """The events up to the end of this invocation."""
        events = []
        with contextlib.suppress(queue.Empty):
            while "event" in (item := self._log.get(timeout=1)) or item["end"] != request_id:
                if "event" in item:
                    message = item["event"][:MAX_EVENT_CHARACTERS]
                    events.append({"timestamp": int(time.time() * 1000), "message": message})
        return events

    def close(self) -> None:
        """End the process; the next invocation forks another."""
        if self._pid is not None:
            pid, self._pid = self._pid, None
            self._requests.close()
            _zygote.kill(pid)

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
        if self._scratch:
            shutil.rmtree(self._scratch, ignore_errors=True)


def _home() -> Path:
    return Path(tempfile.gettempdir())


def _unpacked(package: bytes) -> Path:
    """The directory with the package's files; unpacked once, shared by its workers and read only by them."""
    directory = _home() / "code" / hashlib.sha256(package).hexdigest()[:16]
    if not directory.exists():
        scratch = Path(tempfile.mkdtemp(dir=_home()))
        with zipfile.ZipFile(io.BytesIO(package)) as archive:
            for info in archive.infolist():
                path = Path(archive.extract(info, scratch))
                if path.is_file():
                    path.chmod(info.external_attr >> 16 & 0o777 or 0o644)
        directory.parent.mkdir(exist_ok=True)
        with contextlib.suppress(OSError):  # Another worker of the same package was faster.
            scratch.rename(directory)
        shutil.rmtree(scratch, ignore_errors=True)
    return directory


def _layers(config: dict[str, Any]) -> list[str]:
    """`python` directories of the layers that the emulator holds. Another account's public layer (Powertools)
    has no content here; the interpreter's own packages stand in for it."""
    contents = [lambda_svc._resolve_layer_zip(layer) for layer in config.get("Layers", [])]
    return [str(_unpacked(content) / "python") for content in contents if content]


def _environment(config: dict[str, Any], code: Path, scratch: str, stream: str) -> dict[str, str]:
    """What a function sees in os.environ: https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html

    Nothing of the emulator's own environment but PATH. HOME names a directory that does not exist, as on
    Lambda, so that no configuration of this machine's user is read.
    """
    region = runtime._account_region_from_function_config(config)[1]
    name = config["FunctionName"]
    return {
        **config.get("Environment", {}).get("Variables", {}),
        **runtime.execution_credentials(config),
        "AWS_DEFAULT_REGION": region,
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{os.environ['GATEWAY_PORT']}",
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{config['Runtime']}",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(config.get("MemorySize", 128)),
        "AWS_LAMBDA_FUNCTION_NAME": name,
        "AWS_LAMBDA_FUNCTION_VERSION": config.get("Version", "$LATEST"),
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": _log_group(config),
        "AWS_LAMBDA_LOG_STREAM_NAME": stream,
        "AWS_REGION": region,
        "HOME": f"{scratch}/home",
        "LAMBDA_TASK_ROOT": str(code),
        "LANG": "en_US.UTF-8",
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(code),
        "TMPDIR": scratch,
        "TZ": ":UTC",
        "_HANDLER": config["Handler"],
    }


def _context(config: dict[str, Any], request_id: str, arn: str, stream: str) -> dict[str, Any]:
    return {
        "aws_request_id": request_id,
        "function_name": config["FunctionName"],
        "function_version": config.get("Version", "$LATEST"),
        "invoked_function_arn": arn,
        "log_group_name": _log_group(config),
        "log_stream_name": stream,
        "memory_limit_in_mb": str(config.get("MemorySize", 128)),
    }


def _log_group(config: dict[str, Any]) -> str:
    group: str = (config.get("LoggingConfig") or {}).get(
        "LogGroup"
    ) or f"/aws/lambda/{config['FunctionName']}"
    return group


def execute(function: dict[str, Any], event: Any, request_id: str) -> dict[str, Any]:
    """Run a zip function on a worker. Answers as MiniStack does: `body`, `log`, and `error` if it failed."""
    config = function["config"]
    lambda_svc._ensure_reaper_thread()
    qualifier = config.get("Version", "$LATEST")
    worker, _ = runtime.acquire_worker(
        config["FunctionName"], config, function["code_zip"], qualifier=qualifier
    )
    try:
        arn = config.get("FunctionArn", "")
        trace = lambda_svc._xray_trace_id_for_invocation(config)
        answer = worker.invoke(event, request_id, invoked_function_arn=arn, trace_id=trace)
    finally:
        runtime.release_worker(worker)
    log = "\n".join(entry["message"] for entry in _finished[request_id][1])
    if "error" in answer:
        return {"body": answer["error"], "error": True, "log": log}
    return {"body": answer["result"], "log": log}


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
    group = _log_group(config)
    logs._create_log_group({"logGroupName": group})
    logs._create_log_stream({"logGroupName": group, "logStreamName": stream_name})
    entries = [start, *events, *ending]
    logs._put_log_events({"logGroupName": group, "logStreamName": stream_name, "logEvents": entries})
