"""`doctor`: what is wrong with a deployment and its apps, and the command that mends it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated

import typer

from functions.core.apps.app import App
from functions.core.notify.counts import counted
from infra import apps
from infra.cli import options
from infra.cli.connect import connect, embedded
from infra.cli.console import command, out, plain, print_document
from infra.doctor import app as of_app
from infra.doctor import forge as of_forge
from infra.doctor import stack as of_stack
from infra.doctor.checks import CheckResult, Fault, examine
from infra.doctor.seen import SeenApp, SeenStack
from infra.errors import UserError
from infra.target import Target

if TYPE_CHECKING:
    from infra.local.run import EmbeddedRun


def doctor(
    name: Annotated[
        str | None,
        typer.Argument(metavar="[APP]", help="Only this app.", autocompletion=options.complete_app),
    ] = None,
    local: options.Local = False,
    as_json: options.AsJson = False,
) -> None:
    """Find what is wrong with the deployment and its apps, and say the command that mends it.

    It looks with your own rights, also at the forge, and changes nothing.
    """
    target = connect(local)
    findings = []
    for finding in look(target, name):
        findings.append(finding)
        if not as_json:
            tell(finding)
    faults = [finding for finding in findings if not finding.passed]
    if as_json:
        print_document("doctor/2", {"app": name, "findings": [asdict(finding) for finding in findings]})
    elif not faults:
        out.print(plain(f"{counted(len(findings), 'check')}, nothing found.", "green"))
    if faults:
        raise UserError(f"{len(faults)} of {counted(len(findings), 'check')} found something", faults[0].mend)


def look(target: Target, name: str | None) -> Iterator[CheckResult]:
    """The deployment's findings, unless one app is asked about; then those of each app, and of its forge."""
    if target.local:
        yield from examine((all_parts_run,), embedded())
    if name:
        yield from _of_app(target, apps.find(target, name))
        return
    yield from examine(of_stack.CHECKS, SeenStack(target))
    for app in target.registry.apps():
        yield from _of_app(target, app)


def all_parts_run(seen: EmbeddedRun) -> Fault | None:
    """Model, forge and AWS of the embedded run."""
    down = " and ".join(seen.dead)
    return Fault(f"of the embedded run, down: {down}", "selfheal up") if down else None


def _of_app(target: Target, app: App) -> Iterator[CheckResult]:
    seen = SeenApp(target, app)
    # The embedded run's mails go to its inbox and nobody confirms them; its forge protects no branch.
    left_out = (of_app.approvers_confirmed_their_mail, of_forge.branch_is_protected) if target.local else ()
    yield from _named(app, examine([c for c in of_app.CHECKS if c not in left_out], seen))
    if not seen.token_problem and not app.is_family:
        key = None if seen.deploy_key_problem else seen.deploy_key
        at_forge = of_forge.look(app, seen.token, target.flag, key)
        yield from _named(app, examine([c for c in of_forge.CHECKS if c not in left_out], at_forge))


def _named(app: App, findings: Iterator[CheckResult]) -> Iterator[CheckResult]:
    for found in findings:
        yield replace(found, app=app.name)


def tell(finding: CheckResult) -> None:
    """Print a check that passed by what holds; one that did not by what is wrong, and what mends it."""
    of = f"{finding.app}: " if finding.app else ""
    if finding.passed:
        out.print(plain("✔ ", "green") + plain(of + finding.check, "dim"), soft_wrap=True)
        return
    out.print(plain("✘ ", "bold red") + plain(of + finding.detail), soft_wrap=True)
    out.print(plain(f"  {command(finding.mend)}", "cyan"), soft_wrap=True)
