"""What kind of trouble an error is, why we think so, and what a human should do next.

Only `code` starts a heal by itself. The table is tried from the top; the first rule that applies decides.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from functions.core.incident import ErrorClass
from functions.detect_errors.in_app import AppRules
from functions.detect_errors.model import Raised

NEXT_ACTION = {
    ErrorClass.CODE: "A heal starts by itself; follow it in the Step Functions console.",
    ErrorClass.DEPENDENCY: "Compare the installed packages with the lock file of the deployed revision.",
    ErrorClass.CONFIGURATION: "Set the missing or wrong setting in the deployment, then retry.",
    ErrorClass.PERMISSION: "Grant the named action to the role (or fix the file mode), then retry.",
    ErrorClass.THROTTLING: "Lower the request rate, add backoff, or ask for a higher quota.",
    ErrorClass.TIMEOUT: "Look at the durations and at what the call waits for; raise the limit only then.",
    ErrorClass.MEMORY: "Compare the memory used with the limit; raise the limit or reduce the working set.",
    ErrorClass.EXTERNAL: "Check the health of the service that was called, and the network path to it.",
    ErrorClass.EXPECTED: "Nothing to do: the program noticed it and went on.",
}


@dataclass(frozen=True, slots=True)
class Judgement:
    """A class, and one sentence that says why."""

    error_class: ErrorClass
    reason: str


_AWS_CODE = re.compile(r"An error occurred \(([\w.]{1,80})\) when calling the (\w{1,80})")
# Error codes as documented under "Common errors" of the AWS APIs and of S3, DynamoDB, EC2 and Lambda.
_THROTTLED = re.compile(
    r"Throttl|TooManyRequests|SlowDown|ProvisionedThroughputExceeded|RequestLimitExceeded|LimitExceeded"
    r"|QuotaExceeded|BandwidthLimit|TransactionInProgress|PriorRequestNotComplete|RateExceeded"
)
_DENIED = re.compile(
    r"AccessDenied|Unauthorized|NotAuthorized|Forbidden|AuthFailure|AllAccessDisabled|OptInRequired|^40[13]$"
    r"|InvalidClientTokenId|UnrecognizedClient|ExpiredToken|SignatureDoesNotMatch|InvalidAccessKeyId"
)
_UNAVAILABLE = re.compile(
    r"InternalServer|InternalError|InternalFailure|ServiceUnavailable|ServiceFailure|^5\d\d$"
)

_TYPES = (
    (
        ErrorClass.MEMORY,
        "the process ran out of memory",
        """
        MemoryError OutOfMemory OutOfMemoryError
        """,
    ),
    (
        ErrorClass.TIMEOUT,
        "a call did not answer in time",
        """
        TimeoutError timeout ReadTimeout ConnectTimeout ReadTimeoutError ConnectTimeoutError
        WriteTimeout PoolTimeout ServerTimeoutError TimeoutExpired SoftTimeLimitExceeded
        TimeLimitExceeded Timedout WaiterError Timeout ServerSelectionTimeoutError
        NetworkTimeout QueryTimeoutError
        """,
    ),
    (
        ErrorClass.THROTTLING,
        "a service limited the request rate or a quota was reached",
        """
        ThrottlingException TooManyRequestsException TooManyRequests RateLimitError
        RateLimitExceeded
        """,
    ),
    (
        ErrorClass.PERMISSION,
        "access was denied",
        """
        PermissionError AccessDenied AccessDeniedException Forbidden Unauthorized
        PermissionDenied
        """,
    ),
    (
        ErrorClass.CONFIGURATION,
        "a setting is missing or wrong",
        """
        ImproperlyConfigured NoRegionError NoCredentialsError PartialCredentialsError
        ProfileNotFound HandlerNotFound MalformedHandlerName InvalidEntrypoint InvalidWorkingDir
        ConfigParseError InvalidConfigError SettingsError
        """,
    ),
    (
        ErrorClass.EXTERNAL,
        "a service or the network failed",
        """
        ConnectionError ConnectionRefusedError ConnectionResetError ConnectionAbortedError
        BrokenPipeError gaierror URLError SSLError SSLEOFError MaxRetryError NewConnectionError
        ProtocolError RemoteDisconnected IncompleteRead ConnectError RemoteProtocolError
        ClientConnectorError ClientOSError ServerDisconnectedError EndpointConnectionError
        ConnectionClosedError HTTPClientError ProxyError ChunkedEncodingError
        AMQPConnectionError NoBrokersAvailable InterfaceError HTTPError HTTPStatusError
        ServiceUnavailable InternalServerError BadGateway GatewayTimeout NoServersAvailable
        AutoReconnect herror
        """,
    ),
    (
        ErrorClass.EXPECTED,
        "the program was told to stop",
        """
        KeyboardInterrupt SystemExit GeneratorExit WorkerShutdown CancelledError
        """,
    ),
)
_BY_TYPE = {name: Judgement(kind, reason) for kind, reason, names in _TYPES for name in names.split()}
_IMPORT_ERRORS = frozenset(
    ("ImportError", "ModuleNotFoundError", "Runtime.ImportModuleError", "ImportModuleError")
)
_DEPENDENCY_ERRORS = frozenset(
    ("DistributionNotFound", "VersionConflict", "ContextualVersionConflict", "PackageNotFoundError")
)
_CONFIGURATION_NAME = re.compile(
    r"Config(?:uration)?(?:Error|Exception)$|Settings?(?:Error|Missing)$|MissingSetting"
)
_DATABASE_DOWN = re.compile(
    r"could not connect|connection refused|can't connect|server closed|lost connection|gone away"
    r"|timed? ?out|too many connections|the database system is",
    re.IGNORECASE,
)
_MODULE = re.compile(
    r"No module named '?([\w.]{1,200})"
    r"|cannot import name '[^']{1,200}' from (?:partially initialized module )?'([\w.]{1,200})'"
)
_IN_FILE = re.compile(r"\((/[^()\s]{1,500}|[A-Za-z]:[^()]{1,500})\)$")


def classify(raised: Raised, rules: AppRules, *, level: str = "", platform: str = "") -> Judgement:
    """Judge one error by what was raised, the level it was logged at, and what the platform said."""
    if platform:
        return _platform(platform)
    if level in ("WARNING", "INFO", "DEBUG", "NOTICE"):
        return Judgement(ErrorClass.EXPECTED, f"handled: the program logged it at level {level}")
    judged = _by_exception(raised, rules)
    if judged is not None:
        return judged
    for cause in reversed(raised.chain):
        # What an exception was raised *from* explains it; what was merely being handled does not.
        if cause.relation != "cause":
            break
        if (by_cause := _by_exception(cause, rules)) is not None:
            return Judgement(by_cause.error_class, f"caused by {cause.type}: {by_cause.reason}")
    if raised.members and all((member := _by_exception(one, rules)) for one in raised.members) and member:
        return Judgement(member.error_class, f"every sub-exception: {member.reason}")
    if raised.frames and not any(
        f.in_app for one in (raised, *raised.chain, *raised.members) for f in one.frames
    ):
        installed = any(frame.why == "installed package" for frame in raised.frames)
        if installed:
            return Judgement(
                ErrorClass.DEPENDENCY, "raised inside installed packages; no frame is the app's own"
            )
    if raised.type is None and not raised.frames:
        return Judgement(ErrorClass.CODE, "the log holds the start of a traceback only")
    return Judgement(ErrorClass.CODE, "an exception that the app's code raised or let through")


def _by_exception(raised: Raised, rules: AppRules) -> Judgement | None:
    name = raised.type or ""
    last = name.rpartition(".")[2]
    message = raised.message
    if message.startswith("An error occurred (") and (aws := _AWS_CODE.match(message)):
        return _aws(aws[1], aws[2])
    if last == "KeyError" and _reads_environment(raised):
        return Judgement(ErrorClass.CONFIGURATION, f"environment variable {message.strip()} is not set")
    if name == "Runtime.ExitError":
        return _platform(message)
    if last in _IMPORT_ERRORS:
        return _import(message, rules)
    if last in _DEPENDENCY_ERRORS:
        return Judgement(ErrorClass.DEPENDENCY, "an installed package is missing or has the wrong version")
    if last in ("OperationalError", "DatabaseError") and _DATABASE_DOWN.search(message[:2000]):
        return Judgement(ErrorClass.EXTERNAL, "the database could not be reached")
    if last == "OSError" and "No space left on device" in message[:300]:
        return Judgement(ErrorClass.CONFIGURATION, "the disk is full")
    if last in ("OSError", "BlockingIOError") and "Cannot allocate memory" in message[:300]:
        return Judgement(ErrorClass.MEMORY, "the system could not allocate memory")
    if _CONFIGURATION_NAME.search(last):
        return Judgement(ErrorClass.CONFIGURATION, f"{last}: a setting is missing or wrong")
    return _BY_TYPE.get(last)


def _aws(code: str, operation: str) -> Judgement:
    said = f"AWS answered {code} to {operation}"
    if _THROTTLED.search(code):
        return Judgement(ErrorClass.THROTTLING, said)
    if _DENIED.search(code):
        return Judgement(ErrorClass.PERMISSION, said)
    if "Timeout" in code or "TimedOut" in code:
        return Judgement(ErrorClass.TIMEOUT, said)
    if _UNAVAILABLE.search(code):
        return Judgement(ErrorClass.EXTERNAL, said)
    return Judgement(ErrorClass.CODE, f"{said}: the request was wrong, or the answer was not handled")


def _reads_environment(raised: Raised) -> bool:
    for frame in reversed(raised.frames):
        if frame.in_app:
            return "environ[" in frame.code or "getenv(" in frame.code
    return bool(raised.frames) and raised.frames[-1].file in ("<frozen os>",)


def _import(message: str, rules: AppRules) -> Judgement:
    match = _MODULE.search(message[:2000])
    module = (match[1] or match[2] or "") if match else ""
    if "partially initialized module" in message:
        return Judgement(ErrorClass.CODE, f"circular import of {module}")
    file = _IN_FILE.search(message[:2000])
    if module.partition(".")[0] in rules.packages or (file and rules.verdict(file[1]).in_app):
        return Judgement(
            ErrorClass.CODE, f"{module} is the app's own module, and does not hold what is imported"
        )
    return Judgement(
        ErrorClass.DEPENDENCY, f"module {module} is not installed" if module else "an import failed"
    )


def _platform(line: str) -> Judgement:
    said = f"the platform reported: {line[:200]}"
    lowered = line.lower()
    if "timed out" in lowered or "timeout" in lowered or "time limit" in lowered or "harakiri" in lowered:
        return Judgement(ErrorClass.TIMEOUT, said)
    if "memory" in lowered or "killed" in lowered:
        return Judgement(ErrorClass.MEMORY, said)
    if lowered.startswith("fatal python error"):
        return Judgement(ErrorClass.DEPENDENCY, f"{said}; native code crashed the interpreter")
    if "runtime exited" in lowered or "process exited" in lowered:
        return Judgement(ErrorClass.CODE, f"{said}; the process ended itself during the invocation")
    return Judgement(ErrorClass.EXPECTED, "logged as an error without a traceback: the program handled it")
