"""The embedded AWS: MiniStack in a process of its own, on 127.0.0.1, with its gaps filled.

As a library, `Emulator` starts and stops it. As a module (`python -m infra.local.emulator`), this is the
process that is started.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import boto3
import botocore.session
from botocore.loaders import Loader, create_loader

from functions.harness import interpreters
from infra.local.processes import MARK

ACCOUNT = "111122223333"
REGION = "us-east-1"
ADMIN_KEY = "test"
"""MiniStack's root credentials, as id and as secret. Only a process on this machine can reach it."""

START_SECONDS = 60
STOP_SECONDS = 10
SERVICES = (
    "apigateway,bedrock-runtime,cloudformation,codebuild,dynamodb,dynamodbstreams,ec2,ecr,events,iam,kms,"
    "lambda,logs,monitoring,pipes,s3,scheduler,secretsmanager,sns,sqs,ssm,states,sts,tagging"
)

_running: list[subprocess.Popen[bytes]] = []
"""Kept so that an emulator may outlive its object: a Popen that is collected warns of a running process."""


class EmulatorError(RuntimeError):
    """The emulator did not start, or ended. The message holds the end of its log."""


class Emulator:
    """MiniStack with AUTH: roles of functions are enforced. All its files are below `home`.

    It runs until `stop`, even if this object goes; then its `pid` identifies it, and SIGTERM ends it.

    with Emulator(home, bedrock_url="http://127.0.0.1:8000") as aws:
        aws.session().client("s3").create_bucket(Bucket="b")

    home: a directory, made if missing. bedrock_url: an OpenAI-compatible endpoint that answers Converse, as
    base URL without `/v1`; without one Bedrock answers a mock text. wait_scale: factor for Wait states and
    for the pauses between retries. port: to listen on, 0 for any; keep: what it holds outlives it, even if
    it is killed, and is there again when it is started below the same home; run: the run that it belongs to.
    """

    account = ACCOUNT
    region = REGION
    module = "infra.local.emulator"
    """What the process runs. The tests of the gaps run MiniStack itself."""

    def __init__(
        self,
        home: Path,
        *,
        bedrock_url: str | None = None,
        wait_scale: float = 1.0,
        port: int = 0,
        keep: bool = False,
        run: str = "",
    ) -> None:
        self.home = home.resolve()
        self.bedrock_url = bedrock_url
        self.wait_scale = wait_scale
        self.port = port
        self.keep = keep
        self.run = run
        self.log = self.home / "emulator.log"
        self.endpoint = ""
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """Process id of the emulator; its workers are its descendants."""
        if self._process is None:
            raise EmulatorError("the emulator is not running")
        return self._process.pid

    def start(self) -> None:
        """Start and wait until it answers. Raises EmulatorError."""
        port = self.port or free_port()
        self.endpoint = f"http://127.0.0.1:{port}"
        scratch = self.home / "tmp"
        scratch.mkdir(parents=True, exist_ok=True)
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", self.module],
                cwd=self.home,
                env=self._environment(port, scratch),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        _running.append(self._process)
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise EmulatorError(f"the emulator did not start:\n{self.log_tail()}")
            time.sleep(0.05)

    def stop(self) -> None:
        """End the emulator, its workers and what they started."""
        process, self._process = self._process, None
        if process is None:
            return
        _running.remove(process)
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        shutil.rmtree(self.home / "tmp", ignore_errors=True)

    def log_tail(self, lines: int = 40) -> str:
        """The last lines of the emulator's log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def session(self) -> boto3.Session:
        """A session with administrator's credentials. Its clients need no further arguments."""
        return session(self.endpoint)

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.endpoint}/_ministack/health", timeout=5) as answer:  # noqa: S310 (http)
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def _environment(self, port: int, scratch: Path) -> dict[str, str]:
        """Made from nothing, so that no AWS_* variable and no secret of this shell gets in."""
        environment = {
            "AUTH": "true",
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(port),
            "HOME": str(self.home),
            "IOT_MTLS_ENABLED": "0",  # Its MQTT listener would bind 0.0.0.0:8883.
            "LAMBDA_ASYNC_RETRY_BASE_SECONDS": str(self.wait_scale),
            "LANG": "C.UTF-8",
            "MALLOC_ARENA_MAX": "2",  # Dozens of threads would each keep freed memory.
            "MINISTACK_ACCOUNT_ID": ACCOUNT,
            "MINISTACK_BEDROCK_PROXY_TIMEOUT_SECONDS": "850",
            "MINISTACK_HOST": "127.0.0.1",
            "MINISTACK_REGION": REGION,
            "PATH": os.environ["PATH"],
            **interpreters.places(),
            "PYTHONPATH": str(Path(__file__).parents[2]),
            "PYTHONUNBUFFERED": "1",
            "S3_DATA_DIR": str(scratch / "s3"),
            "SERVICES": SERVICES,
            "SFN_WAIT_SCALE": str(self.wait_scale),
            "SFTP_ENABLED": "0",
            "STATE_DIR": str(scratch / "state"),
            "TMPDIR": str(scratch),
        }
        if self.keep:
            kept = self.home / "kept"
            environment |= {"PERSIST_STATE": "1", "S3_PERSIST": "1"}
            environment |= {"STATE_DIR": str(kept / "state"), "S3_DATA_DIR": str(kept / "s3")}
        if self.run:
            environment[MARK] = self.run
        if self.bedrock_url:
            environment["MINISTACK_BEDROCK_PROXY_URL"] = self.bedrock_url
        return environment


class _Session(botocore.session.Session):
    """Clients of one endpoint, whatever AWS_* variables and configuration files this user has."""

    endpoint = ""

    def create_client(self, *args: Any, **kwargs: Any) -> Any:
        kwargs["endpoint_url"] = self.endpoint
        return super().create_client(*args, **kwargs)


def session(endpoint: str) -> boto3.Session:
    """A session whose clients talk to the emulator at `endpoint`, as administrator."""
    # Name in the configuration file, environment variable, default, conversion: none of the first two.
    nowhere = {"profile": (None, None, None, None), "config_file": (None, None, os.devnull, None)}
    core = _Session(session_vars=nowhere)
    core.endpoint = endpoint
    core.register_component("data_loader", _models())
    core.set_credentials(ADMIN_KEY, ADMIN_KEY)
    return boto3.Session(botocore_session=core, region_name=REGION)


def environment(endpoint: str) -> dict[str, str]:
    """Environment of another program that is to act there: ours, but for what says otherwise."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "CDK_"))}
    return ours | {
        "AWS_ACCESS_KEY_ID": ADMIN_KEY,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL": endpoint,
        # Its own name, too: else a client that addresses buckets by host looks for one on the internet.
        "AWS_ENDPOINT_URL_S3": endpoint,
        "AWS_REGION": REGION,
        "AWS_SECRET_ACCESS_KEY": ADMIN_KEY,
    }


@cache
def _models() -> Loader:
    """The services' models, which each session would read anew."""
    return create_loader()


def free_port() -> int:
    """A port of the loopback interface that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def main() -> None:
    """Serve until SIGTERM. Configured by environment variables alone, as MiniStack is."""
    from hypercorn.asyncio import serve
    from hypercorn.config import Config

    from infra.local.gaps import console, fill
    from infra.local.gaps.patching import service

    app = console.beside(service("app").app)
    fill()
    config = Config()
    config.bind = [f"127.0.0.1:{os.environ['GATEWAY_PORT']}"]
    config.keep_alive_timeout = 75
    config.graceful_timeout = 1
    asyncio.run(serve(app, config))


if __name__ == "__main__":
    main()
