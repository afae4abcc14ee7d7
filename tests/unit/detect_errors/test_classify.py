"""Each error gets a class with a reason; only `code` starts a heal by itself."""

from __future__ import annotations

import pytest

from functions.core.incidents.incident import ErrorClass
from functions.detect_errors.classify import next_action
from functions.detect_errors.read import read_errors

APP = '  File "/app/main.py", line 3, in run\n    work()\n'
LIBRARY = '  File "/usr/local/lib/python3.12/site-packages/lib/core.py", line 9, in work\n    raise it\n'
ENVIRON = APP.replace("work()", "os.environ['TABLE']") + '  File "<frozen os>", line 685, in __getitem__\n'
ID = "8f5ffbd2-6d4a-4e7f-9c53-2f7a0a1b7c11"


def traceback(last: str, stack: str = APP) -> str:
    return f"Traceback (most recent call last):\n{stack}{last}\n"


def aws(code: str) -> str:
    said = f"An error occurred ({code}) when calling the GetItem operation: x"
    return traceback(f"botocore.exceptions.ClientError: {said}")


def caused(sentence: str, cause: str) -> str:
    return traceback(cause) + f"\n{sentence}\n\n" + traceback("svc.StageError: stage failed")


NO_MODULE = "Runtime.ImportModuleError: Unable to import module 'h': No module named 'pg'"
FROM = "The above exception was the direct cause of the following exception:"
DURING = "During handling of the above exception, another exception occurred:"


@pytest.mark.parametrize(
    ("text", "expected", "reason"),
    [
        (traceback("KeyError: 'id'"), "code", "the app's code"),
        (traceback("svc.billing.PaymentDeclined: no card"), "code", "the app's code"),
        (traceback("RecursionError: maximum recursion depth exceeded"), "code", "the app's code"),
        (aws("ValidationException"), "code", "ValidationException to GetItem"),
        (
            traceback("ModuleNotFoundError: No module named 'yamlx'"),
            "dependency",
            "module yamlx is not installed",
        ),
        (
            f"[ERROR] {NO_MODULE}\n{traceback('', '')}",
            "dependency",
            "module pg",
        ),
        (
            traceback("ImportError: cannot import name 'A' from partially initialized module 'm'"),
            "code",
            "circular",
        ),
        (
            traceback("ImportError: cannot import name 'A' from 'm.n' (/var/task/m/n.py)"),
            "code",
            "own module",
        ),
        (
            traceback("TypeError: 'function' object is not subscriptable", LIBRARY),
            "dependency",
            "no frame is the app's",
        ),
        (traceback("KeyError: 'TABLE'", ENVIRON), "configuration", "environment variable 'TABLE'"),
        (traceback("svc.settings.ConfigError: missing setting db.dsn"), "configuration", "ConfigError"),
        (
            traceback("botocore.exceptions.NoRegionError: You must specify a region."),
            "configuration",
            "setting",
        ),
        (aws("AccessDeniedException"), "permission", "AccessDeniedException to GetItem"),
        (traceback("PermissionError: [Errno 13] Permission denied: '/x'"), "permission", "denied"),
        (aws("ThrottlingException"), "throttling", "ThrottlingException"),
        (aws("SlowDown"), "throttling", "SlowDown"),
        (aws("ServiceQuotaExceededException"), "throttling", "Quota"),
        (traceback("requests.exceptions.ReadTimeout: read timed out"), "timeout", "in time"),
        (f"2026-06-11T09:30:21.118Z {ID} Task timed out after 3.00 seconds\n", "timeout", "3.00 seconds"),
        (
            "[2026-11-20 13:39:24 +0000] [1] [CRITICAL] WORKER TIMEOUT (pid:6829)\n",
            "timeout",
            "WORKER TIMEOUT",
        ),
        (traceback("MemoryError"), "memory", "memory"),
        (
            f"RequestId: {ID} Error: Runtime exited with error: signal: killed\nRuntime.ExitError\n",
            "memory",
            "killed",
        ),
        (
            f"RequestId: {ID} Error: Runtime exited with error: exit status 3\nRuntime.ExitError\n",
            "code",
            "exit status 3",
        ),
        (aws("InternalServerError"), "external", "InternalServerError"),
        (traceback("ConnectionResetError: [Errno 104] Connection reset by peer"), "external", "network"),
        (
            traceback("psycopg2.OperationalError: could not connect to server"),
            "external",
            "could not connect",
        ),
        (traceback("sqlite3.OperationalError: no such table: x"), "code", "the app's code"),
        ("2026-01-01 WARNING app: retrying\n" + traceback("KeyError: 'id'"), "expected", "level WARNING"),
        ("2026-01-01 INFO app: GET /x\n" + traceback("KeyError: 'id'"), "code", "the app's code"),
        (f"[ERROR]\t2026-11-20T13:39:00.076Z\t{ID}\tcard declined", "expected", "without a traceback"),
        (traceback("KeyboardInterrupt"), "expected", "told to stop"),
        (caused(FROM, "ConnectionResetError: gone"), "external", "caused by ConnectionResetError"),
        (caused(DURING, "ConnectionResetError: gone"), "code", "the app's code"),
        ("Fatal Python error: Segmentation fault\n", "dependency", "native code"),
    ],
)
def test_the_class_and_its_reason(text: str, expected: str, reason: str) -> None:
    error = read_errors(text)[-1]
    assert error.error_class == expected
    assert reason in error.reason
    assert error.next_action == next_action(error.error_class)


def test_every_class_names_a_next_action() -> None:
    assert all(map(next_action, ErrorClass))


def test_a_module_of_the_app_is_code_when_it_is_known() -> None:
    text = traceback("ModuleNotFoundError: No module named 'shop.rules'")
    assert read_errors(text, packages=["shop"])[0].error_class == ErrorClass.CODE
    assert read_errors(text)[0].error_class == ErrorClass.DEPENDENCY


def test_a_group_takes_the_class_that_all_members_share() -> None:
    member = "    | ConnectionResetError: [Errno 104] gone\n"
    text = (
        "  + Exception Group Traceback (most recent call last):\n"
        '  |   File "/app/main.py", line 3, in run\n'
        "  | ExceptionGroup: several (2 sub-exceptions)\n"
        f"  +-+---------------- 1 ----------------\n{member}"
        f"    +---------------- 2 ----------------\n{member}"
        "    +------------------------------------\n"
    )
    assert read_errors(text)[0].error_class == ErrorClass.EXTERNAL
    assert read_errors(text.replace("ConnectionResetError", "KeyError", 1))[0].error_class == ErrorClass.CODE


@pytest.mark.parametrize(
    ("last", "kind"),
    [
        ("parcels.carrier.GatewayTimeout: no answer", ErrorClass.TIMEOUT),
        ("svc.orders.GatewayTimeout: no answer", ErrorClass.CODE),
        ("__main__.RateLimited: slow down, too many requests", ErrorClass.CODE),
        ("parcels.carrier.BadLabel: no such zone", ErrorClass.CODE),
    ],
)
def test_a_library_that_no_row_names_is_judged_by_its_words_and_the_app_itself_is_not(
    last: str, kind: ErrorClass
) -> None:
    error = read_errors(traceback(last, APP.replace("main.py", "svc/orders.py")))[-1]
    assert error.error_class is kind, error.reason


CALL = '  File "/app/svc/orders.py", line 9, in take\n    till.charge(order)\n'
INSIDE = '  File "/lib/site-packages/till/client.py", line 40, in charge\n    return self._call(order)\n'
ANSWERED = INSIDE.replace("return self._call(order)", "self._check(response)")


@pytest.mark.parametrize(
    ("stack", "last", "kind"),
    [
        (CALL + ANSWERED, "till.errors.Odd: the till is not in the mood", ErrorClass.EXTERNAL),
        (CALL + INSIDE, "till.errors.Odd: the till is not in the mood", ErrorClass.CODE),
        (CALL + ANSWERED, "till.errors.Odd: amount must be positive", ErrorClass.CODE),
        (CALL + ANSWERED, "svc.orders.Odd: the till is not in the mood", ErrorClass.CODE),
        (CALL + ANSWERED + CALL, "till.errors.Odd: the till is not in the mood", ErrorClass.CODE),
    ],
)
def test_where_a_library_raised_its_own_exception_tells_when_its_words_do_not(
    stack: str, last: str, kind: ErrorClass
) -> None:
    error = read_errors(traceback(last, stack))[-1]
    assert error.error_class is kind, error.reason


def test_what_a_library_was_handling_explains_its_own_exception_and_not_the_app_s() -> None:
    handled = traceback("TimeoutError: timed out", CALL + INSIDE) + f"\n{DURING}\n\n"
    assert (
        read_errors(handled + traceback("till.Odd: no", CALL + INSIDE))[-1].error_class == ErrorClass.TIMEOUT
    )
    assert read_errors(handled + traceback("svc.Odd: no", CALL))[-1].error_class == ErrorClass.CODE
