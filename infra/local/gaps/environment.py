"""What a function on the embedded run sees in its environment."""

from __future__ import annotations

import os
import secrets
import shlex
import sys
from pathlib import Path
from typing import Any

from infra.local.gaps import console
from infra.local.gaps.patching import service
from infra.local.guest.bootstrap import LAYERS, TASK_ROOT

runtime = service("core.lambda_runtime")

_SALT = secrets.token_hex(16)
_LIBRARIES = ("/lib64", "/usr/lib64", TASK_ROOT, f"{TASK_ROOT}/lib", f"{LAYERS}/lib")


def environment_of(config: dict[str, Any], stream: str) -> dict[str, str]:
    """What a function sees in os.environ: https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html

    Nothing of the emulator's own environment. There is no HOME and no TMPDIR, as on Lambda.
    """
    region = runtime._account_region_from_function_config(config)[1]
    name = config["FunctionName"]
    return {
        **_told_of_this_machine(config.get("Environment", {}).get("Variables", {})),
        **_credentials(config),
        "AWS_DEFAULT_REGION": region,
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{os.environ['GATEWAY_PORT']}",
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{config['Runtime']}",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(config.get("MemorySize", 128)),
        "AWS_LAMBDA_FUNCTION_NAME": name,
        "AWS_LAMBDA_FUNCTION_VERSION": config.get("Version", "$LATEST"),
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": log_group(config),
        "AWS_LAMBDA_LOG_STREAM_NAME": stream,
        "AWS_REGION": region,
        "LAMBDA_RUNTIME_DIR": "/var/runtime",
        "LAMBDA_TASK_ROOT": TASK_ROOT,
        "LANG": "en_US.UTF-8",
        # AWS's Python is linked through it; so may be this one.
        "LD_LIBRARY_PATH": ":".join(filter(None, (os.environ.get("LD_LIBRARY_PATH"), *_LIBRARIES))),
        "PATH": ":".join((f"{sys.prefix}/bin", "/usr/local/bin", "/usr/bin", "/bin", f"{LAYERS}/bin")),
        "PYTHONPATH": "/var/runtime",
        "SHLVL": "0",
        "TZ": ":UTC",
        "_HANDLER": config["Handler"],
    }


def _told_of_this_machine(variables: dict[str, str]) -> dict[str, str]:
    """Those of a function that tells people commands and addresses: here they are others."""
    if "COMMAND_FLAG" not in variables:
        return variables
    here = {
        "COMMAND_FLAG": f" --local{variables['COMMAND_FLAG']}",
        "COMMAND_PROGRAM": shlex.quote(str(Path(sys.executable).with_name("selfheal"))),
        "CONSOLE_URL": console.address(),
    }
    return variables | here


def _credentials(config: dict[str, Any]) -> dict[str, str]:
    """The role's session. MiniStack derives its secret from names alone, which strangers could guess."""
    return dict(runtime.execution_credentials(config | {"FunctionArn": f"{config['FunctionArn']}:{_SALT}"}))


def log_group(config: dict[str, Any]) -> str:
    group: str = (config.get("LoggingConfig") or {}).get(
        "LogGroup"
    ) or f"/aws/lambda/{config['FunctionName']}"
    return group
