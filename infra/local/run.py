"""The embedded run: emulator, forge, model and sample service, started together and ended together."""

from __future__ import annotations

import io
import json
import os
import secrets
import shutil
import sys
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from botocore.exceptions import ClientError

from functions.core.apps.app import App
from infra.errors import UserError
from infra.local import emulator
from infra.local.deploy import deploy
from infra.local.inbox import Inbox
from infra.local.processes import Started, memory, start_module
from infra.local.wall import program
from infra.names import STACK_NAME
from infra.registration import register
from infra.synth import synthesise
from infra.target import Target

HOME = Path(".selfheal")
SAMPLE = Path(__file__).parent / "sample"
SAMPLE_SLUG = "shop/orders"
SAMPLE_FUNCTION = "orders"

BUILT_IN = "the built-in repair rules of the embedded run, which are no language model"

Progress = Callable[[str], None]


@dataclass(frozen=True)
class EmbeddedRun:
    """A running embedded system, as kept in `run.json` for later commands."""

    home: str
    endpoint: str
    outputs: dict[str, str]
    forge_url: str
    model_url: str
    sample_sha: str
    processes: dict[str, Started]

    @property
    def alive(self) -> bool:
        return any(process.find() for process in self.processes.values())

    def target(self) -> Target:
        """The embedded stack, for the commands."""
        rules = "model" in self.processes
        return Target(
            emulator.session(self.endpoint),
            self.outputs,
            local=True,
            answered_by=BUILT_IN if rules else f"the model behind {self.model_url}",
            costs_nothing=rules,
        )

    def memory(self) -> int:
        """Bytes that all its processes take now, Lambda workers included."""
        return memory(list(self.processes.values()))

    def stop(self) -> None:
        """End exactly what `start` started. What it wrote stays below its home for a look."""
        for process in reversed(self.processes.values()):
            process.stop()
        (Path(self.home) / "run.json").unlink(missing_ok=True)

    def save(self) -> None:
        (Path(self.home) / "run.json").write_text(json.dumps(asdict(self), indent=1))

    @classmethod
    def load(cls, home: Path) -> Self | None:
        """The run kept below `home`, None if there is none."""
        try:
            data = json.loads((home / "run.json").read_text())
        except FileNotFoundError:
            return None
        processes = {name: Started(**row) for name, row in data.pop("processes").items()}
        return cls(**data, processes=processes)


def find(home: Path = HOME) -> EmbeddedRun | None:
    """The embedded run of this folder, if it is alive."""
    run = EmbeddedRun.load(home)
    return run if run and run.alive else None


def start(
    home: Path = HOME, progress: Progress = lambda _: None, *, wait_scale: float = 1.0, model_url: str = ""
) -> EmbeddedRun:
    """Start everything and register the sample service. Whatever was started ends again if a part fails.

    wait_scale: factor for the workflow's retry intervals; tests make them short. model_url: an
    OpenAI-compatible endpoint to use instead of the repair model (environment: MODEL_URL). Raises UserError
    where this machine cannot hold functions as Lambda does.
    """
    try:
        program.holds()
    except program.Unprotected as unprotected:
        raise UserError(str(unprotected)) from unprotected
    home = home.resolve()
    for stale in ("aws", "forge"):
        shutil.rmtree(home / stale, ignore_errors=True)
    home.mkdir(parents=True, exist_ok=True)
    started: dict[str, Started] = {}
    try:
        return _start(home, started, progress, wait_scale, model_url or os.environ.get("MODEL_URL", ""))
    except BaseException:
        for process in reversed(started.values()):
            process.stop()
        raise


def _start(
    home: Path, started: dict[str, Started], progress: Progress, wait_scale: float, model_url: str
) -> EmbeddedRun:
    token = secrets.token_urlsafe(24)
    token_file = home / "forge-token"
    token_file.touch(mode=0o600)
    token_file.write_text(token)
    with ThreadPoolExecutor(1) as pool:
        assembly = pool.submit(synthesise, packaging="zip")
        if not model_url:
            started["model"], model_url = start_module(
                "infra.local.model", "--port", "0", log=home / "model.log", ready="repair model listening on"
            )
        progress(f"model at {model_url}")
        started["forge"], forge_url = _start_forge(home, 0)
        progress(f"forge at {forge_url}")
        aws = emulator.Emulator(home / "aws", bedrock_url=model_url, wait_scale=wait_scale)
        aws.start()
        started["aws"] = Started.of(aws.pid)
        progress(f"AWS emulator at {aws.endpoint}, IAM enforced")
        template = assembly.result()
    progress("stack synthesised")
    outputs = deploy(template, STACK_NAME, aws)
    progress(f"stack {STACK_NAME} deployed through CloudFormation")
    run = EmbeddedRun(
        home=str(home),
        endpoint=aws.endpoint,
        outputs=outputs,
        forge_url=forge_url,
        model_url=model_url,
        sample_sha=_import_sample(home),
        processes=started,
    )
    Inbox(run.target()).open()
    _deploy_sample(run, token)
    progress("sample service `orders` deployed and registered")
    run.save()
    return run


def _start_forge(home: Path, port: int) -> tuple[Started, str]:
    return start_module(
        "infra.local.forge",
        "--directory",
        str(home / "forge"),
        "--port",
        str(port),
        "--token-file",
        str(home / "forge-token"),
        log=home / "forge.log",
        ready="forge:",
    )


def _import_sample(home: Path) -> str:
    from infra.local.forge.store import Store

    return Store(home / "forge").create(SAMPLE_SLUG, SAMPLE, private=True, collaborators=("reviewer",))


def _deploy_sample(run: EmbeddedRun, token: str) -> None:
    """The sample as its team would deploy it: a function of its own beside the stack, then registered."""
    target = run.target()
    session = target.session
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "lambda.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
    role = session.client("iam").create_role(
        RoleName=SAMPLE_FUNCTION, AssumeRolePolicyDocument=json.dumps(trust)
    )["Role"]
    lambda_: Any = session.client("lambda")
    lambda_.create_function(
        FunctionName=SAMPLE_FUNCTION,
        Runtime="python{}.{}".format(*sys.version_info[:2]),  # the emulator's own is what runs it
        Role=role["Arn"],
        Handler="orders.handler.handler",
        Code={"ZipFile": _zip(SAMPLE / "orders")},
        Timeout=10,
    )
    group = f"/aws/lambda/{SAMPLE_FUNCTION}"
    try:
        session.client("logs").create_log_group(logGroupName=group)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceAlreadyExistsException":
            raise
    app = App(
        name=SAMPLE_FUNCTION,
        log_groups=(group,),
        repository=f"{run.forge_url}/{SAMPLE_SLUG}.git",
        forge_api=f"{run.forge_url}/api/v3",
        packages=("orders",),
        revision=run.sample_sha,
        reviewers=("reviewer",),
        # The second is whoever uses the commands on this machine.
        approvers=("on-call@shop.example", str(session.client("sts").get_caller_identity()["Arn"])),
    )
    register(target, app, token)


def _zip(package: Path) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path in sorted(package.rglob("*.py")):
            archive.write(path, path.relative_to(package.parent))
    return buffer.getvalue()


def stop_forge(run: EmbeddedRun) -> None:
    """Take the forge down, as an outage would."""
    run.processes["forge"].stop()


def restart_forge(run: EmbeddedRun) -> None:
    """Bring the forge back at the address it had."""
    port = int(run.forge_url.rsplit(":", 1)[1])
    run.processes["forge"], _ = _start_forge(Path(run.home), port)
    run.save()
