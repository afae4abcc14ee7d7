"""The Python runtime of a Lambda environment: asks for invocations, runs the handler, answers.

Speaks the runtime API (https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html) and prints the log
lines of Lambda's own client (https://github.com/aws/aws-lambda-python-runtime-interface-client). The log
carries plain lines, and lines that start with MARK and hold JSON: {"event": text} is one event of several
lines, {"end": id} ends an invocation.
"""

from __future__ import annotations

import contextlib
import http.client
import importlib
import json
import logging
import os
import sys
import time
import traceback
from email.message import Message
from typing import Any, NoReturn

MARK = "\x1e"
TASK_ROOT = "/var/task"
LAYERS = "/opt"
_VERSION = "/2018-06-01/runtime"


def run(environment: dict[str, str]) -> NoReturn:
    """Load the handler that the environment names, then answer invocations for ever.

    Raises SystemExit when the handler cannot be loaded, and when it ends the process.
    """
    _enter(environment)
    api = environment["AWS_LAMBDA_RUNTIME_API"]
    handler, failure = _load(environment["_HANDLER"])
    if failure:
        _mark({"end": ""})
        _call(api, "POST", f"{_VERSION}/init/error", failure)
        raise SystemExit(1)
    while True:
        headers, event = _call(api, "GET", f"{_VERSION}/invocation/next")
        request_id = headers["Lambda-Runtime-Aws-Request-Id"]
        outcome, answer = _run(handler, json.loads(event), headers)
        _mark({"end": request_id})
        _call(api, "POST", f"{_VERSION}/invocation/{request_id}/{outcome}", answer)


def _call(api: str, method: str, path: str, body: Any = None) -> tuple[Message, bytes]:
    """One request. Raises SystemExit where the platform takes none, as when it ends the environment."""
    connection = http.client.HTTPConnection(api)
    with contextlib.closing(connection):
        try:
            connection.request(method, path, None if body is None else json.dumps(body).encode())
            answer = connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException):
            raise SystemExit(1) from None
    if answer.status >= 400 and answer.status != 413:  # Too large: the platform has failed the invocation.
        sys.stderr.write(f"the runtime API refused {path}: {content.decode(errors='replace')}\n")
        raise SystemExit(1)
    return answer.headers, content


def _enter(environment: dict[str, str]) -> None:
    # The standard library and installed packages stay. This project does not, so that what a deployment
    # package lacks is missed here as it would be on AWS.
    own = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    kept = [path for path in sys.path if path and path not in own]
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    os.chdir(TASK_ROOT)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    sys.path[:] = [TASK_ROOT, f"{LAYERS}/python/lib/{version}/site-packages", f"{LAYERS}/python", *kept]
    sys.path_importer_cache.clear()
    logging.getLogger().addHandler(_Handler())


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

    def __init__(self, headers: Message) -> None:
        self.aws_request_id = headers["Lambda-Runtime-Aws-Request-Id"]
        self.invoked_function_arn = headers["Lambda-Runtime-Invoked-Function-Arn"]
        self.tenant_id = headers["Lambda-Runtime-Aws-Tenant-Id"]
        self.function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        self.function_version = os.environ["AWS_LAMBDA_FUNCTION_VERSION"]
        self.log_group_name = os.environ["AWS_LAMBDA_LOG_GROUP_NAME"]
        self.log_stream_name = os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]
        self.memory_limit_in_mb = os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.identity = None
        self.client_context = None
        self._deadline = int(headers["Lambda-Runtime-Deadline-Ms"])

    def get_remaining_time_in_millis(self) -> int:
        return max(0, self._deadline - int(time.time() * 1000))


def _run(handler: Any, event: Any, headers: Message) -> tuple[str, Any]:
    """`response` and what the handler returned, or `error` and what is reported."""
    context = _Context(headers)
    _Context.current = context.aws_request_id
    os.environ["_X_AMZN_TRACE_ID"] = headers["Lambda-Runtime-Trace-Id"] or ""
    try:
        result = handler(event, context)
    except Exception as error:  # noqa: BLE001 (reported to the caller, as Lambda does)
        return "error", _report(type(error).__name__, str(error), _frames(error), _Context.current)
    try:
        json.dumps(result)
    except (TypeError, ValueError) as error:
        message = f"Unable to marshal response: {error}"
        return "error", _report("Runtime.MarshalError", message, [], _Context.current)
    return "response", result


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
