"""`deploy` and `destroy`: the stack into an account, and out of it again."""

from __future__ import annotations

from typing import Annotated

import typer

from functions.core.notify.counts import counted
from infra.cli import options, stages
from infra.cli.connect import AFRESH, place
from infra.cli.console import confirm, hint, out, plain
from infra.cli.doctor import tell
from infra.doctor.checks import CheckResult, examine
from infra.errors import Exit, UserError
from infra.names import DEFAULT, Names
from infra.packaging import Packaging
from infra.rollout import before, removal
from infra.rollout.toolkit import SETTINGS, Toolkit, settings
from infra.synth import SynthesisFailed, synthesise


def deploy(
    context: Annotated[
        list[str] | None,
        typer.Option(
            "--context", "-c", metavar="NAME=VALUE", help="An option of the deployment; repeatable."
        ),
    ] = None,
    bootstrap: Annotated[
        bool, typer.Option("--bootstrap", help="Bootstrap account and region for the CDK first.")
    ] = False,
    diff: Annotated[bool, typer.Option("--diff", help="Show what would change, and change nothing.")] = False,
    yes: options.Yes = False,
    local: options.Local = False,
) -> None:
    """Deploy the stack, or bring a deployed one up to this version: checks, difference, question, deployment.

    Options of the deployment, such as `-c approval_hours=48`, are best kept in `infra/cdk.json`: `cdk` reads
    them there, too.
    """
    names = stages.names()
    here = place(local)
    given = settings() | dict(map(_pair, context or ()))
    if (stage := given.pop("stage", names.stage)) != names.stage:
        raise UserError(
            f"{SETTINGS} says stage {stage}, and the command {names.stage or 'none'}",
            f"say the same to every command: --stage {stage}, or SELFHEAL_STAGE",
            exit_code=Exit.USAGE,
        )
    given |= {"stage": stage} if stage else {}
    packaging = Packaging.ZIP if local else Packaging.IMAGE
    seen = before.Before(here.session, names, given, builds_images=packaging is Packaging.IMAGE)
    toolkit = Toolkit(here.environment)
    if bootstrap and toolkit.bootstrap(seen.account, seen.region):
        raise UserError("the account could not be bootstrapped", "see above", exit_code=Exit.BROKEN)
    _check(seen)
    out.print(plain("Synthesising the stack ...", "dim"))
    try:
        assembly = synthesise(packaging=packaging, context=given)
    except SynthesisFailed as error:
        raise UserError(str(error), f"look at -c and {SETTINGS}", exit_code=Exit.USAGE) from error
    toolkit = Toolkit(here.environment, assembly)
    if toolkit.diff(names.stack):
        raise UserError("cdk diff failed", "see above", exit_code=Exit.BROKEN)
    if diff:
        return
    if not yes:
        where = f"account {seen.account}, region {seen.region}"
        confirm(f"Deploy {names.stack} to {where}?")
    if seen.was_never_deployed:
        out.print(plain("What the first deployment left, which failed, is removed.", "dim"))
        seen.release()
    if toolkit.deploy(names.stack):
        raise UserError("cdk deploy failed", "see above", exit_code=Exit.BROKEN)
    _say_what_comes_next(names, local)


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise UserError(
            f"-c {text!r}: write NAME=VALUE", "such as: -c approval_hours=48", exit_code=Exit.USAGE
        )
    if name == "stage":
        raise UserError("-c stage=...: say --stage, which every command takes", exit_code=Exit.USAGE)
    return name, value


def _check(seen: before.Before) -> None:
    """Raises UserError for the first of what is missing, once all of it is said."""
    faults: list[CheckResult] = []
    for finding in examine(before.CHECKS, seen):
        tell(finding)
        if not finding.passed:
            faults.append(finding)
            if finding.check in ("region is chosen", "account answers"):
                break  # nothing else can be looked at
    if faults:
        raise UserError(
            f"not deployed; missing: {len(faults)}, see above", faults[0].mend, exit_code=Exit.BROKEN
        )


def _say_what_comes_next(names: Names, local: bool) -> None:
    from infra.cli.connect import connect

    target = connect(local)
    out.print(plain(f"{names.stack} is deployed.", "green"))
    out.print(plain("Next, who is told, and the first app:"))
    mails = f"aws sns subscribe --protocol email --topic-arn {target.output('TopicArn')}"
    out.print(plain(f"  {mails} --notification-endpoint ADDRESS", "cyan"), soft_wrap=True)
    hint(f"  selfheal configure{target.flag}", "cyan")


def destroy(
    data: Annotated[
        bool,
        typer.Option("--data", help="Also incidents, approvals, artifacts and keys; there is no way back."),
    ] = False,
    yes: options.Yes = False,
    dry_run: options.DryRun = False,
    local: options.Local = False,
) -> None:
    """Remove the deployment: log subscriptions, parameters, secrets, the stack; with `--data` the data, too.

    Heals that are under way are stopped. The services that are watched are not touched.
    """
    names = stages.names()
    here = place(local)
    deployment = removal.DeployedStack(here.session, names, here.outputs(names).get("StateMachineArn", ""))
    heals, parameters = deployment.under_way(), deployment.parameters()
    apps = [name for name in parameters if name.startswith(f"{names.registry}/")]
    out.print(plain(f"stack {names.stack}: {'exists' if deployment.machine else 'is gone'}"))
    out.print(
        plain(f"{counted(len(apps), 'app')} with subscriptions, {counted(len(parameters), 'parameter')}")
    )
    out.print(plain(f"heals under way, which are stopped: {len(heals)}"))
    kept = "deleted" if data else "kept; to delete it, too: --data"
    out.print(plain(f"incidents, approvals, artifacts and keys: {kept}"))
    if dry_run:
        return
    if not yes:
        said = typer.prompt(f"To remove it, type its name ({names.stack})", default="", show_default=False)
        if said != names.stack:
            raise UserError("nothing was removed: that is not its name")
    for what in removal.disconnect(deployment):
        out.print(plain(f"removed {what}"), soft_wrap=True)
    removal.delete_stack(deployment, lambda line: out.print(plain(line, "dim"), soft_wrap=True))
    for what in removal.forget(deployment):
        out.print(plain(f"removed {what}"), soft_wrap=True)
    for what in removal.delete_data(deployment) if data else ():
        out.print(plain(f"deleted {what}"), soft_wrap=True)
    left = deployment.left()
    for arn in left:
        out.print(plain(f"left: {arn}", "yellow"), soft_wrap=True)
    out.print(plain(f"{names.stack} is removed.", "green"))
    if local and not left and names == DEFAULT:
        hint(f"To have it again, {AFRESH}")
    if left and not data:
        flag = (" --local" if local else "") + names.flag
        hint(f"To delete what is left: selfheal destroy --data{flag}")
    if left and data:
        raise UserError(
            f"{counted(len(left), 'resource is', 'resources are')} left",
            "delete them by hand: they are listed above",
        )
