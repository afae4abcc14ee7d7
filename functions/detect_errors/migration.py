"""What incidents of older versions of the rules are called under the rules of now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial

from functions.core.apps.app import App
from functions.core.incidents.incident import Incident
from functions.detect_errors.aliases import Identify
from functions.detect_errors.read import read_errors
from functions.detect_errors.sightings import Occurrence


def identify(app: App) -> Identify:
    """Reads an incident's sample as detection would read it now."""
    return partial(_fingerprint_now, app)


def _fingerprint_now(app: App, incident: Incident) -> str | None:
    errors = read_errors(incident.sample, packages=app.packages, roots=tuple(app.source_roots))
    # A sample may hold other errors, too: before this one in its event, or behind it in events of single
    # lines.
    same = [error for error in errors if (error.type or "") == incident.error_type]
    if incident.frames:
        last = incident.frames[-1]
        here = [error for error in same if error.frames and error.frames[-1].function == last.function]
        same = here or [error for error in same if not error.frames]
    return same[0].fingerprint if same else None


def renamed(found: Iterable[Occurrence], aliases: Mapping[str, str]) -> list[Occurrence]:
    """The occurrences, counted under the names that their incidents have."""
    return [
        replace(one, error=replace(one.error, fingerprint=old))
        if (old := aliases.get(one.error.fingerprint))
        else one
        for one in found
    ]
