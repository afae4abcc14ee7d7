"""Forks the workers that run Lambda functions, and is their Python runtime. Run as a script, never imported.

Starting Python and importing boto3 takes a second and tens of megabytes for each function. This process does
it once; a worker is a fork of it, which starts in milliseconds and shares those pages. It has one thread and
holds no client, so a fork is safe. Apart from what is imported, a worker resembles a Lambda environment: only
the function's own variables, its code first on `sys.path`, frames under /var/task, and the log lines of
Lambda's runtime interface client: https://github.com/aws/aws-lambda-python-runtime-interface-client

Protocol on the inherited socket (file descriptor in argv[1]), one message each way:
    b"fork" + 3 file descriptors (requests, responses, log)  →  the worker's process id as text
    b"kill" + process id                                     →  b"ok", once the worker's group is gone
Worker: `requests` and `responses` carry one JSON object per line. The log carries plain lines, and lines that
start with MARK and hold JSON: {"event": text} is one event of several lines, {"end": id} ends an invocation.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import importlib.machinery
import importlib.util
import json
import linecache
import logging
import os
import signal
import socket
import sys
import time
import traceback
from types import CodeType
from typing import Any

MARK = "\x1e"
TASK_ROOT = "/var/task"
PRELOADED = (
    "boto3.session",
    "botocore.auth",
    "botocore.client",
    "botocore.endpoint",
    "botocore.handlers",
    "botocore.httpsession",
    "botocore.parsers",
    "botocore.retryhandler",
    "botocore.signers",
    "aws_lambda_powertools.logging",
    "aws_lambda_powertools.metrics",
    "aws_lambda_powertools.utilities.data_classes",
)
"""Imported once for all workers. Nothing that reads a function's environment when it is imported."""


def serve(control: socket.socket) -> None:
    """Fork and kill workers until the emulator closes the socket, then end them all."""
    for name in PRELOADED:
        importlib.import_module(name)
    gc.freeze()  # Keeps the collector from touching, and so copying, the shared pages.
    workers: set[int] = set()
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, 64, 3)
        if message == b"fork":
            pid = os.fork()
            if pid == 0:
                control.close()
                _become_worker(*descriptors)
            workers.add(pid)
            for descriptor in descriptors:
                os.close(descriptor)
            control.send(str(pid).encode())
        elif message.startswith(b"kill"):
            _kill(int(message[4:]), workers)
            control.send(b"ok")
        else:
            for pid in list(workers):
                _kill(pid, workers)
            return


def _kill(pid: int, workers: set[int]) -> None:
    """Kill a worker and what it has started. A worker that has ended is reaped here and nowhere else, so that
    its id cannot belong to another process by now."""
    if pid in workers:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)  # In case it had no time to lead its own group.
        os.waitpid(pid, 0)
        workers.discard(pid)


def _become_worker(requests: int, responses: int, log: int) -> None:
    os.setpgid(0, 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    status = 1
    try:
        sys.stdout = open(1, "w", encoding="utf-8", buffering=1, closefd=False)  # noqa: SIM115 (for its whole life)
        sys.stderr = open(2, "w", encoding="utf-8", buffering=1, closefd=False)  # noqa: SIM115 (the same)
        work(open(requests, encoding="utf-8"), open(responses, "w", encoding="utf-8", buffering=1))  # noqa: SIM115
        status = 0
    finally:
        os._exit(status)


def work(requests: Any, responses: Any) -> None:
    """Load the handler that the first request names, then answer the others until there are no more."""
    spec = json.loads(requests.readline())
    _enter(spec)
    handler, failure = _load(spec["handler"])
    for line in requests:
        call = json.loads(line)
        request_id = call["context"]["aws_request_id"]
        answer = failure and dict(failure, requestId=request_id)
        if not answer:
            try:
                answer = _run(handler, call)
            except SystemExit as exit_:
                code = exit_.code if isinstance(exit_.code, int) else 0 if exit_.code is None else 1
                message = f"RequestId: {request_id} Error: Runtime exited with error: exit status {code}"
                answer = {"errorType": "Runtime.ExitError", "errorMessage": message}
                _log_event(f"{message}\nRuntime.ExitError")
                failure = answer
        _mark({"end": request_id})
        if "result" not in answer:
            answer = {"error": answer, "ended": failure is not None}
        responses.write(json.dumps(answer) + "\n")
        if failure:
            return


def _enter(spec: dict[str, Any]) -> None:
    os.environ.clear()
    os.environ.update(spec["environment"])
    time.tzset()
    os.chdir(spec["code"])
    # The standard library and installed packages stay; a development install of this project does not, so
    # that what a deployment package lacks is missed here as it would be on AWS.
    prefixes = {os.path.realpath(prefix) for prefix in (sys.prefix, sys.base_prefix)}
    kept = [
        path
        for path in sys.path
        if any(os.path.realpath(path).startswith(prefix + os.sep) for prefix in prefixes)
    ]
    sys.path[:] = [spec["code"], *spec["layers"], *kept]
    TaskLoader.code = spec["code"]
    details = (TaskLoader, importlib.machinery.SOURCE_SUFFIXES)
    extensions = (importlib.machinery.ExtensionFileLoader, importlib.machinery.EXTENSION_SUFFIXES)
    hook = importlib.machinery.FileFinder.path_hook(extensions, details)

    def only_task(path: str) -> Any:
        if path != spec["code"] and not path.startswith(spec["code"] + os.sep):
            raise ImportError
        return hook(path)

    sys.path_hooks.insert(0, only_task)
    sys.path_importer_cache.clear()
    logging.getLogger().addHandler(_Handler())


class TaskLoader(importlib.machinery.SourceFileLoader):
    """Compiles a function's modules as files below /var/task: tracebacks read as they do on Lambda."""

    code = ""

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        shown = TASK_ROOT + path.removeprefix(self.code)
        data = self.get_data(path)
        # The file does not exist under that name: give the traceback module its lines.
        text = importlib.util.decode_source(data)
        linecache.cache[shown] = (len(text), None, text.splitlines(keepends=True), shown)
        return compile(data, shown, "exec", dont_inherit=True)


class _Handler(logging.Handler):
    """Lambda's handler on the root logger: one log event per record, however many lines it has."""

    def __init__(self) -> None:
        super().__init__()
        self.request_id = ""
        self.setFormatter(
            logging.Formatter("[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(request)s\t%(message)s")
        )
        assert self.formatter  # noqa: S101 (for the type checker)
        self.formatter.converter = time.gmtime
        self.formatter.datefmt = "%Y-%m-%dT%H:%M:%S"

    def emit(self, record: logging.LogRecord) -> None:
        record.request = _Context.current
        _log_event(self.format(record))


def _load(name: str) -> tuple[Any, dict[str, Any] | None]:
    """The handler, or the error that Lambda reports for every invocation when it cannot be loaded."""
    module_name, _, function = name.rpartition(".")
    try:
        module = importlib.import_module(module_name.replace("/", "."))
    except ImportError as error:
        return None, _report(
            "Runtime.ImportModuleError", f"Unable to import module '{module_name}': {error}", []
        )
    except SyntaxError as error:
        message = f"Syntax error in module '{module_name}': {error}"
        where = [f'  File "{error.filename}" Line {error.lineno}\n    {error.text}']
        return None, _report("Runtime.UserCodeSyntaxError", message, where)
    except Exception as error:  # noqa: BLE001 (reported to the caller, as Lambda does)
        return None, _report(type(error).__name__, str(error), _frames(error))
    handler = getattr(module, function, None)
    if handler is None:
        message = f"Handler '{function}' missing on module '{module_name}'"
        return None, _report("Runtime.HandlerNotFound", message, [])
    return handler, None


class _Context:
    """What a handler gets as `context`: https://docs.aws.amazon.com/lambda/latest/dg/python-context.html"""

    current = ""
    """Request id of the running invocation, for log lines."""

    def __init__(self, values: dict[str, Any], deadline: float) -> None:
        self.__dict__.update(values, identity=None, client_context=None)
        self._deadline = deadline

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int((self._deadline - time.time()) * 1000))


def _run(handler: Any, call: dict[str, Any]) -> dict[str, Any]:
    context = call["context"]
    _Context.current = context["aws_request_id"]
    os.environ["_X_AMZN_TRACE_ID"] = call["trace_id"]
    try:
        result = handler(call["event"], _Context(context, call["deadline"]))
    except Exception as error:  # noqa: BLE001 (reported to the caller, as Lambda does)
        return _report(type(error).__name__, str(error), _frames(error), _Context.current)
    try:
        json.dumps(result)
    except (TypeError, ValueError) as error:
        message = f"Unable to marshal response: {error}"
        return _report("Runtime.MarshalError", message, [], _Context.current)
    return {"result": result}


def _frames(error: BaseException) -> list[str]:
    """The traceback of the last exception alone, without this file's frames and without markers below the
    source lines: so does Lambda."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename != __file__]
    return traceback.format_list(
        [traceback.FrameSummary(f.filename, f.lineno or 0, f.name, line=f.line) for f in frames]
    )


def _report(error_type: str, message: str, frames: list[str], request_id: str = "") -> dict[str, Any]:
    """Log an error as Lambda does in text mode (indented with no-break spaces) and return its payload."""
    lines = [f"[ERROR] {error_type}: {message}" if message else f"[ERROR] {error_type}"]
    lines.append("Traceback (most recent call last):")
    for frame in frames:
        for line in frame.splitlines():
            content = line.lstrip(" ")
            lines.append("\u00a0" * (len(line) - len(content)) + content)
    _log_event("\n".join(lines))
    return {"errorMessage": message, "errorType": error_type, "requestId": request_id, "stackTrace": frames}


def _log_event(text: str) -> None:
    _mark({"event": text})


def _mark(message: dict[str, Any]) -> None:
    with contextlib.suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
        os.write(2, f"{MARK}{json.dumps(message)}\n".encode())


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as inherited:
        serve(inherited)
