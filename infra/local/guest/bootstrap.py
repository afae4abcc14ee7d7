"""The Python runtime of a Lambda environment: AWS's own client, in surroundings like Lambda's.

https://github.com/aws/aws-lambda-python-runtime-interface-client asks the runtime API for invocations, runs
the handler and answers. What it logs it frames (`FramedTelemetryLogSink`): an event may have several lines.
"""

from __future__ import annotations

import os
import sys
import time
from typing import NoReturn

TASK_ROOT = "/var/task"
LAYERS = "/opt"


def run(environment: dict[str, str], log: int) -> NoReturn:
    """Load the handler that the environment names, then answer invocations for ever; frames go to `log`.

    Raises SystemExit when the handler cannot be loaded, and when it ends the process.
    """
    # The standard library and installed packages stay. This project does not, so that what a deployment
    # package lacks is missed here as it would be on AWS.
    own = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    kept = [path for path in sys.path if path and path not in own]
    os.environ.clear()
    os.environ.update(environment | {"_LAMBDA_TELEMETRY_LOG_FD": str(log)})
    time.tzset()
    os.chdir(TASK_ROOT)

    # Here: it reads the environment when it is imported. It has no types of its own.
    from awslambdaric import bootstrap  # type: ignore[import-untyped]
    from awslambdaric.lambda_runtime_client import LambdaRuntimeClient  # type: ignore[import-untyped]

    class Client(LambdaRuntimeClient):  # type: ignore[misc]  # the same
        def post_invocation_error(
            self, invoke_id: str, said: str, xray_fault: str, *more: str | None
        ) -> None:
            """Without what X-Ray is told, in a header that may be longer than http.server reads."""
            super().post_invocation_error(invoke_id, said, "", *more)

    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    sys.path[:] = [TASK_ROOT, f"{LAYERS}/python/lib/{version}/site-packages", f"{LAYERS}/python", *kept]
    sys.path_importer_cache.clear()
    bootstrap.run(environment["_HANDLER"], Client(environment["AWS_LAMBDA_RUNTIME_API"]))
    raise SystemExit  # Only for the type checker: it runs for ever.
