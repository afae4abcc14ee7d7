"""`retry` and `clear`: another heal for an incident whose heal is over, now or when it is seen again."""

from __future__ import annotations

from collections.abc import Sequence

from functions.core.apps.app import App
from functions.core.incidents.incident import Incident, Status
from infra.cli import options
from infra.cli.connect import connect
from infra.cli.console import confirm, hint, out, plain, print_document, status_text
from infra.cli.decide import identity
from infra.cli.redrive import died_unreported
from infra.cli.selection import Filter, filter_of, read, select
from infra.errors import Exit, UserError
from infra.target import Target

AGAIN = frozenset(
    {
        *(Status.ABSTAINED, Status.REJECTED, Status.FAILED),
        *(Status.SUPPRESSED, Status.DIAGNOSED, Status.PROPOSED),
    }
)
"""What is over without a fix, so that it can start over."""
_WHY_NOT = {
    Status.NEW: "its heal is about to start; if it does not: selfheal requeue",
    Status.HEALING: "its heal is under way",
    Status.AWAITING_APPROVAL: "its patch waits for a decision: reject or revise it",
    Status.PR_OPEN: "its pull request is open: close it, and it can start over",
    Status.MERGED: "its fix is merged; if the error outlives the deployment, another heal starts",
    Status.JOINED: "another incident with the same root cause is healed for it",
    Status.RESOLVED: "it is resolved; if it comes back, another heal starts",
}


def retry(
    incident_ids: options.SomeIncidents = None,
    app: options.Apps = None,
    status: options.Statuses = None,
    since: options.Since = None,
    search: options.Search = None,
    dry_run: options.DryRun = False,
    yes: options.Yes = False,
    local: options.Local = False,
    as_json: options.AsJson = False,
) -> None:
    """Start over: another heal, from the beginning and on a branch of its own.

    For incidents that are ABSTAINED, REJECTED, FAILED, SUPPRESSED, DIAGNOSED or PROPOSED, named one by one or
    found by filters; a named one also where its heal died and nobody was told. An error of a class that does
    not heal by itself is healed all the same.
    """
    target = connect(local)
    chosen = _chosen(target, incident_ids, filter_of(app, status, None, since, None, search))
    _check_that_heals_start(target, {incident.app for incident in chosen})
    _confirm(f"Start another heal of {_many(chosen)}?", len(chosen) > 1 and not (yes or dry_run or as_json))
    outcome = [] if dry_run else [(i, target.incidents.start_over(i)) for i in chosen]
    _report("retry/1", chosen, outcome, dry_run, as_json, "Another heal starts", target)


def clear(
    app: options.Apps = None,
    status: options.Statuses = None,
    older_than: options.OlderThan = None,
    search: options.Search = None,
    dry_run: options.DryRun = False,
    yes: options.Yes = False,
    local: options.Local = False,
    as_json: options.AsJson = False,
) -> None:
    """Forget how heals ended: what is seen again after that starts another heal by itself.

    Incidents that are over without a fix, as for `retry`, become RESOLVED; one that recurs is NEW, as
    another generation of the incident. Nothing starts until then.
    """
    target = connect(local)
    wanted = filter_of(app, status, None, None, older_than, search)
    if wanted == Filter():
        raise UserError(
            "clear what?",
            "name an app, a status or an age: selfheal clear --older-than 30d",
            exit_code=Exit.USAGE,
        )
    chosen = _chosen(target, None, wanted)
    _confirm(f"Clear {_many(chosen)}?", bool(chosen) and not (yes or dry_run or as_json))
    by = "" if dry_run else identity(target)
    outcome = [] if dry_run else [(i, target.incidents.clear(i, f"Cleared by {by}.")) for i in chosen]
    _report("clear/1", chosen, outcome, dry_run, as_json, "Cleared", target)


def _chosen(target: Target, incident_ids: Sequence[str] | None, wanted: Filter) -> list[Incident]:
    """The incidents that are named, or those that the filter finds and that can start over.

    Raises UserError for a named one that cannot, and where neither is given.
    """
    if incident_ids and wanted != Filter():
        raise UserError("incidents and filters exclude each other", "give either", exit_code=Exit.USAGE)
    if incident_ids:
        found_by_id = {one.incident_id: one for one in map(target.incident, incident_ids)}
        named = list(found_by_id.values())
        for incident in named:
            if incident.status not in AGAIN and not died_unreported(target, incident):
                raise UserError(
                    f"{incident.incident_id} is {incident.status}: {_WHY_NOT[incident.status]}",
                    f"look at it: selfheal show {incident.incident_id}{target.flag}",
                )
        return named
    if wanted == Filter():
        raise UserError(
            "which incidents?",
            "name some, or a filter: selfheal retry --status ABSTAINED",
            exit_code=Exit.USAGE,
        )
    found = select(read(target, wanted), wanted).shown
    return [incident for incident in found if incident.status in AGAIN]


def _check_that_heals_start(target: Target, apps: set[str]) -> None:
    """Raises UserError where what is started would be held back at once."""
    if why := target.switch.stopped():
        raise UserError(f"nothing would be healed: {why}", f"let it go on: selfheal start{target.flag}")
    entries = target.registry.entries()
    for name in sorted(apps):
        app = entries.get(name)
        if not isinstance(app, App):
            raise UserError(
                f"app {name} is not registered, or its entry is broken: {app or 'it has none'}",
                f"look at what is registered: selfheal apps list{target.flag}",
            )
        if app.paused:
            resume = f"selfheal apps resume {name}{target.flag}"
            raise UserError(f"nothing would be healed: {name} is paused", f"let it go on: {resume}")


def _confirm(question: str, needed: bool) -> None:
    if needed:
        confirm(question)


def _many(incidents: Sequence[Incident]) -> str:
    return f"{len(incidents):,} incident{'' if len(incidents) == 1 else 's'}"


def _report(
    schema: str,
    chosen: Sequence[Incident],
    outcome: Sequence[tuple[Incident, Incident | None]],
    dry_run: bool,
    as_json: bool,
    done: str,
    target: Target,
) -> None:
    """Say what became of each. Raises UserError where somebody else was faster with some."""
    changed = [now for _, now in outcome if now]
    missed = [before.incident_id for before, now in outcome if not now]
    if as_json:
        print_document(
            schema,
            {
                "dry_run": dry_run,
                "chosen": [incident.incident_id for incident in chosen],
                "changed": [
                    {"incident_id": i.incident_id, "status": str(i.status), "generation": i.generation}
                    for i in changed
                ],
                "missed": missed,
            },
        )
    else:
        for incident in chosen if dry_run else changed:
            out.print(
                plain(f"{incident.incident_id}  ")
                + status_text(incident.status)
                + plain(f"  {incident.title}")
            )
        does = "would be cleared" if schema.startswith("clear") else "would be healed anew"
        said = f"{_many(chosen)} {does}." if dry_run else f"{done}: {_many(changed)}."
        out.print(plain(said, "green"))
        if changed and schema.startswith("retry"):
            hint(f"Watch: selfheal history {changed[0].incident_id} --follow{target.flag}")
    if missed:
        raise UserError(
            f"{len(missed)} changed in the meantime and were left alone: {', '.join(missed[:5])}",
            f"look again: selfheal incidents{target.flag}",
        )
