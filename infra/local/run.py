"""The embedded run: emulator, forge, model and sample service, started together and ended together."""

from __future__ import annotations

import io
import json
import os
import secrets
import sys
import zipfile
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import boto3

from functions.core.apps.app import App
from infra.errors import Exit, UserError
from infra.local import emulator
from infra.local.deploy import deploy
from infra.local.home import locked, own, remember, where, wipe
from infra.local.inbox import Inbox
from infra.local.model.completion import MODEL_ID
from infra.local.processes import Started, end, marked, memory, start_module
from infra.local.wall import program
from infra.names import DEFAULT, Names
from infra.registration import AppSecrets, register
from infra.synth import synthesise
from infra.target import Target

SAMPLE = Path(__file__).parent / "sample"
SAMPLE_SLUG = "shop/orders"
SAMPLE_FUNCTION = "orders"

BUILT_IN = "the built-in repair rules of the embedded run, which are no language model"
PARTS = ("model", "forge", "aws")
"""In the order in which they are started."""
Progress = Callable[[str], None]


@dataclass(frozen=True)
class EmbeddedRun:
    """An embedded system, as kept in `run.json` for later commands: written before anything of it starts."""

    home: str
    id: str
    """Marks all its processes: see `infra.local.processes.MARK`."""
    ports: dict[str, int]
    """By part: what was restarted is where it was."""
    keep: bool = False
    """Whether what it holds outlives its processes."""
    own_model: str = ""
    """An OpenAI-compatible endpoint in place of the repair model, "" for none."""
    processes: dict[str, Started] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)
    sample_sha: str = ""

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.ports['aws']}"

    @property
    def forge_url(self) -> str:
        return f"http://127.0.0.1:{self.ports['forge']}"

    @property
    def model_url(self) -> str:
        return self.own_model or f"http://127.0.0.1:{self.ports['model']}"

    @property
    def parts(self) -> tuple[str, ...]:
        return tuple(part for part in PARTS if part != "model" or not self.own_model)

    @property
    def ready(self) -> bool:
        """Whether it was once up as a whole; else there is nothing in it to keep."""
        return bool(self.sample_sha)

    @property
    def dead(self) -> tuple[str, ...]:
        """The parts that do not run."""
        return tuple(p for p in self.parts if p not in self.processes or not self.processes[p].find())

    @property
    def alive(self) -> bool:
        return self.dead != self.parts

    def session(self) -> boto3.Session:
        """One that talks to the embedded AWS, as administrator."""
        return emulator.session(self.endpoint)

    def target(self, names: Names = DEFAULT, outputs: Mapping[str, str] | None = None) -> Target:
        """The embedded stack, or another one beside it, for the commands."""
        rules = not self.own_model
        return Target(
            self.session(),
            dict(self.outputs if outputs is None else outputs),
            names=names,
            local=True,
            answered_by=BUILT_IN if rules else f"the model behind {self.model_url}",
            costs_nothing=rules,
        )

    def approvers(self) -> tuple[str, ...]:
        """Of its apps: somebody who gets letters, and whoever uses the commands on this machine."""
        caller = self.target().session.client("sts").get_caller_identity()["Arn"]
        return ("on-call@shop.example", str(caller))

    def prices(self) -> dict[str, tuple[float, float]]:
        """Of its apps: the repair model costs nothing."""
        return {} if self.own_model else {MODEL_ID: (0.0, 0.0)}

    def log_group(self, name: str) -> None:
        """Make sure that there is such a log group."""
        logs = self.target().session.client("logs")
        with suppress(logs.exceptions.ResourceAlreadyExistsException):
            logs.create_log_group(logGroupName=name)

    def look_at_pull_requests(self) -> None:
        """Have what became of them, and whether fixes run, looked at now, as the schedule would."""
        target = self.target()
        tracker = f"{target.names.function('track_pull_requests')}:live"
        target.session.client("lambda").invoke(FunctionName=tracker, Payload=b"{}")

    def memory(self) -> int:
        """Bytes that all its processes take now, Lambda workers included."""
        return memory(list(self.processes.values()))

    def stop(self) -> None:
        """End all that was ever started for it, and nothing else. What it holds stays if it is to be kept."""
        with locked(Path(self.home)):
            self._end()
            if not (self.keep and self.ready):
                wipe(Path(self.home))

    def _end(self) -> None:
        # As noted by whoever came last: this may be an older view of it.
        run = EmbeddedRun.load(Path(self.home)) or self
        for process in reversed((run if run.id == self.id else self).processes.values()):
            process.stop()
        end(marked(self.id))
        replace(self, processes={}).save()

    def save(self) -> None:
        """Replace what is noted, at once as a whole."""
        file = Path(self.home) / "run.json"
        new = file.with_suffix(".new")
        new.write_text(json.dumps(asdict(self), indent=1))
        new.replace(file)

    @classmethod
    def load(cls, home: Path) -> Self | None:
        """The run kept below `home`, None if there is none, or one of another version's making."""
        try:
            data = json.loads((home / "run.json").read_text())
            processes = {name: Started(**row) for name, row in data.pop("processes").items()}
            return cls(**data, processes=processes)
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None


def find(home: Path | None = None) -> EmbeddedRun | None:
    """The embedded run of this folder, if it is alive."""
    run = EmbeddedRun.load(home or where())
    return run if run and run.alive else None


def start(
    home: Path | None = None,
    progress: Progress = lambda _: None,
    *,
    wait_scale: float = 1.0,
    model_url: str = "",
    keep: bool = False,
) -> EmbeddedRun:
    """Start whatever does not run, and register the sample service.

    What was started ends again if a part fails, or on Ctrl-C. wait_scale: factor for the workflow's retry
    intervals; tests make them short. model_url: an OpenAI-compatible endpoint to use instead of the repair
    model (environment: MODEL_URL). keep: what it holds outlives its processes, and is there again when it is
    started once more. Raises UserError where this machine cannot hold functions as Lambda does.
    """
    try:
        program.holds()
    except program.Unprotected as unprotected:
        raise UserError(str(unprotected)) from unprotected
    home = (home or own()).resolve()
    with locked(home):
        run = EmbeddedRun.load(home)
        if run is None or not (run.ready and run.keep and keep):
            if run:
                run._end()
            wipe(home)
            run = _new(home, keep, model_url or os.environ.get("MODEL_URL", ""))
        if not run.dead:
            return run
        try:
            run = _brought_up(run, progress, wait_scale)
        except BaseException:
            run._end()
            if not run.ready:
                wipe(home)
            raise
    if keep:
        remember(home)
    return run


def _new(home: Path, keep: bool, own_model: str) -> EmbeddedRun:
    token = home / "forge-token"
    token.touch(mode=0o600)
    token.write_text(secrets.token_urlsafe(24))
    ports = {part: emulator.free_port() for part in PARTS}
    run = EmbeddedRun(str(home), secrets.token_hex(8), ports, keep, own_model)
    run.save()
    return run


def _brought_up(run: EmbeddedRun, progress: Progress, wait_scale: float) -> EmbeddedRun:
    """Start the parts that do not run, each noted as soon as it does, then deploy what there is now."""
    dead, home = run.dead, Path(run.home)
    with ThreadPoolExecutor(1) as pool:
        assembly = pool.submit(synthesise, packaging="zip") if "aws" in dead else None
        for part in dead:
            run = replace(run, processes=run.processes | {part: _start(run, part, wait_scale)})
            run.save()
            progress(f"{_SAID[part]} at {getattr(run, _ADDRESS[part])}")
        template = assembly.result() if assembly else None
    if template is None:
        return run
    progress("stack synthesised")
    first = not run.ready
    aws = emulator.Emulator(home / "aws")
    aws.endpoint = run.endpoint
    run = replace(run, outputs=deploy(template, DEFAULT.stack, aws))
    run.save()
    progress(f"stack {DEFAULT.stack} deployed through CloudFormation")
    if first:
        sha = _import_sample(home)
        Inbox(run.target()).open()
        _deploy_sample(run, sha, (home / "forge-token").read_text())
        progress("sample service `orders` deployed and registered")
        run = replace(run, sample_sha=sha)
        run.save()
    return run


_SAID = {"model": "model", "forge": "forge", "aws": "AWS emulator, IAM enforced,"}
_ADDRESS = {"model": "model_url", "forge": "forge_url", "aws": "endpoint"}


def _start(run: EmbeddedRun, part: str, wait_scale: float) -> Started:
    home, port = Path(run.home), str(run.ports[part])
    try:
        if part == "model":
            return start_module(
                *("infra.local.model", "--port", port),
                log=home / "model.log",
                ready="repair model listening on",
                run=run.id,
            )[0]
        if part == "forge":
            return start_module(
                *("infra.local.forge", "--directory", str(home / "forge"), "--port", port),
                *("--token-file", str(home / "forge-token"), "--events", run.endpoint),
                log=home / "forge.log",
                ready="forge:",
                run=run.id,
            )[0]
        aws = emulator.Emulator(
            home / "aws",
            bedrock_url=run.model_url,
            wait_scale=wait_scale,
            port=run.ports["aws"],
            keep=run.keep,
            run=run.id,
        )
        aws.start()
        return Started.of(aws.pid)
    except (RuntimeError, OSError) as error:
        raise UserError(
            f"the {part} of the embedded run did not start on port {port}: {error}",
            "is the port in use? To start afresh, without what is kept: selfheal down --forget, selfheal up",
            exit_code=Exit.BROKEN,
        ) from error


def _import_sample(home: Path) -> str:
    from infra.local.forge.store import Store

    return Store(home / "forge").create(SAMPLE_SLUG, SAMPLE, private=True, collaborators=("reviewer",))


def _deploy_sample(run: EmbeddedRun, sha: str, token: str) -> None:
    """The sample as its team would deploy it: a function of its own beside the stack, then registered."""
    target = run.target()
    deploy_function(target, SAMPLE_FUNCTION, "orders.handler.handler", _zip(SAMPLE / "orders"))
    group = f"/aws/lambda/{SAMPLE_FUNCTION}"
    run.log_group(group)
    app = App(
        name=SAMPLE_FUNCTION,
        log_groups=(group,),
        repository=f"{run.forge_url}/{SAMPLE_SLUG}.git",
        forge_api=f"{run.forge_url}/api/v3",
        packages=("orders",),
        revision=sha,
        reviewers=("reviewer",),
        prices=run.prices(),
        approvers=run.approvers(),
    )
    register(target, app, AppSecrets(token))


def deploy_function(target: Target, name: str, handler: str, code: bytes) -> None:
    """Deploy a service's function, or another version of it, as its team would: beside the stack."""
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
    lambda_: Any = target.session.client("lambda")
    roles = target.session.client("iam")
    try:
        lambda_.update_function_code(FunctionName=name, ZipFile=code)
        lambda_.update_function_configuration(FunctionName=name, Handler=handler)
        return
    except lambda_.exceptions.ResourceNotFoundException:
        pass
    with suppress(roles.exceptions.EntityAlreadyExistsException):
        roles.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))
    lambda_.create_function(
        FunctionName=name,
        Runtime="python{}.{}".format(*sys.version_info[:2]),  # the emulator's own is what runs it
        Role=roles.get_role(RoleName=name)["Role"]["Arn"],
        Handler=handler,
        Code={"ZipFile": code},
        Timeout=10,
    )


def _zip(package: Path) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path in sorted(package.rglob("*.py")):
            archive.write(path, path.relative_to(package.parent))
    return buffer.getvalue()
