"""`smoke`: whether what is deployed works."""

from __future__ import annotations

from dataclasses import asdict

from functions.core.notify.counts import counted
from infra.cli.connect import connect
from infra.cli.console import out, plain, print_document
from infra.cli.decide import identity
from infra.cli.options import AsJson, Local
from infra.errors import UserError
from infra.smoke import DIFFERS, examine


def smoke(local: Local = False, as_json: AsJson = False) -> None:
    """Try whether a deployment works: its functions, the workflow, the sandbox, and a question.

    All of it on a throw-away app, which is deleted again. Needs the rights of an administrator.
    """
    target = connect(local)
    checks = []
    for check in examine(target, identity(target)):
        checks.append(check)
        if not as_json:
            mark = plain("✔ ", "green") if check.passed else plain("✘ ", "bold red")
            out.print(mark + plain(f"{check.name:22}{check.detail}"), soft_wrap=True)
    if local and not as_json:
        out.print("\nWhat only a deployment can show:")
        for line in DIFFERS:
            out.print(plain(f"  {line}"), soft_wrap=True)
    if as_json:
        print_document("smoke/1", {"checks": [asdict(check) for check in checks]})
    if failed := [check.name for check in checks if not check.passed]:
        raise UserError(
            f"{len(failed)} of {counted(len(checks), 'check')} failed: {', '.join(failed)}",
            "look at the log groups of these functions, and deploy again once the cause is mended",
        )
