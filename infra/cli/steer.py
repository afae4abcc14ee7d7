"""`stop` and `start`: all healing of a deployment."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from functions.core.incidents.incident import Incident, Status
from functions.core.notify.counts import counted
from functions.report_failure.failure import STOPPED, STOPPED_BEFORE
from infra.cli import options
from infra.cli.connect import connect
from infra.cli.console import hint, out, plain, print_document
from infra.cli.decide import identity
from infra.cli.redrive import redrive_all

_HELD = "healing was stopped"
"""How the reason of what was held back begins (see `functions.core.workflow.switch`)."""


def stop(
    reason: Annotated[str, typer.Option("--reason", "-m", help="Why; whoever wonders is told.")] = "",
    local: options.Local = False,
    as_json: options.AsJson = False,
) -> None:
    """Stop all healing, of all apps. Errors are recorded all the same; nothing is lost.

    Heals that are under way end at their next step, and `selfheal start` resumes them there. Whatever waits
    for a decision goes on waiting; what is approved is committed once healing goes on.
    """
    target = connect(local)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    target.switch.stop(identity(target), now, reason)
    under_way = [i.incident_id for i in target.incidents.every() if i.status in (Status.NEW, Status.HEALING)]
    if as_json:
        print_document("stopped/1", {"stopped": True, "under_way": under_way})
        return
    out.print(plain("All healing is stopped: no step of any heal begins any more.", "yellow"))
    if under_way:
        out.print(
            plain(f"{counted(len(under_way), 'heal is', 'heals are')} under way; each ends at its next step.")
        )
    hint(f"Go on with: selfheal start{target.flag}")


def start(
    no_resume: Annotated[
        bool, typer.Option("--no-resume", help="Leave the heals that were ended where they are.")
    ] = False,
    local: options.Local = False,
    as_json: options.AsJson = False,
) -> None:
    """Let healing go on, and resume the heals that `selfheal stop` ended, each where it was."""
    target = connect(local)
    was_stopped = target.switch.start()
    incidents = target.incidents.every()
    ended = [i for i in incidents if i.status is Status.FAILED and i.reason.startswith(STOPPED_BEFORE)]
    redriven = [] if no_resume else list(redrive_all(target, ended, error=STOPPED))
    resumed = [candidate for candidate, did in redriven if did]
    held = [i for i in incidents if i.status is Status.SUPPRESSED and i.reason.startswith(_HELD)]
    if as_json:
        print_document(
            "started/1",
            {
                "was_stopped": was_stopped,
                "resumed": [candidate.incident.incident_id for candidate in resumed],
                "ended": _ids(ended),
                "held": _ids(held),
            },
        )
        return
    out.print(plain("Healing goes on." if was_stopped else "Healing was not stopped.", "green"))
    for candidate in resumed:
        out.print(plain(f"✔ {candidate.incident.incident_id}  resumes at {candidate.state}"), soft_wrap=True)
    why_not = {candidate.incident.incident_id: candidate.why_not for candidate, did in redriven if not did}
    for name in () if no_resume else _ids(ended):
        if name not in (candidate.incident.incident_id for candidate in resumed):
            why = why_not.get(name) or f"look at it: selfheal show {name}{target.flag}"
            out.print(plain(f"✘ {name}  is not resumed: {why}", "red"), soft_wrap=True)
    if no_resume and ended:
        hint(f"Heals ended: {len(ended)}. To resume them: selfheal redrive --failed{target.flag}")
    if held:
        again = f"selfheal retry --status SUPPRESSED --search '{_HELD}'{target.flag}"
        hint(f"Recorded in the meantime: {len(held)}. What is seen again is healed. To heal now: {again}")


def _ids(incidents: list[Incident]) -> list[str]:
    return [incident.incident_id for incident in incidents]
