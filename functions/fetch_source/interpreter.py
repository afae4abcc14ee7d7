"""Which Python an app runs on, and who says so.

Asked in this order, until one of them names a version:

    the app's entry            written for this system, by who may register apps
    the function's Runtime     what the code that failed ran on
    its image                  the same, where a function is one
    the repository             what its authors run it on: `functions/fetch_source/declared.py`
    the newest                 of those that the runner has, that its authors name in classifiers, or else
                               that were out when the commit was made
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from functions.core.apps.app import App
from functions.core.source.python import Python
from functions.fetch_source.declared import Declared, Read, declared
from functions.harness.interpreters import RELEASED, VERSIONS


@dataclass(frozen=True, slots=True)
class Word:
    """What one source says. version: "" when it names none; why: who names it, or what is to be told of why
    it names none."""

    version: str = ""
    why: str = ""


def python_of(
    app: App,
    function: Callable[[], Word],
    read: Read,
    offered: Sequence[str] = VERSIONS,
    committed: str = "",
) -> Python:
    """The app's Python.

    function: asked only when the app's entry names none; read: a file of the repository, None where there is
    none; offered: what the runner has, oldest first; committed: when the commit was made, ISO 8601. Whoever
    names a version is believed, also where the runner lacks it: then nothing is run, and it is said.
    """
    if app.python:
        return Python(app.python, "the app's entry names it")
    word = function()
    if word.version:
        return Python(word.version, word.why)
    found = declared(read, tuple(app.source_roots.values()))
    notes = [*filter(None, (word.why,)), *found.notes]
    if found.version:
        nearest = _nearest(found.version)
        why = (
            found.why
            if nearest == found.version
            else f"the nearest of those that tests can run on: {found.why}"
        )
        return Python(nearest, "; ".join((why, *notes)))
    allowed = [version for version in VERSIONS if found.allows(version)]
    named = [version for version in allowed if version in found.tested]
    out = [version for version in allowed if not committed or RELEASED[version] <= committed[:10]]
    # Code that is older than all of them, or tested with older ones only, is nearest to the oldest.
    too_old = not named and (bool(found.tested_by) or not out)
    fitting = allowed[:1] if too_old else named or out
    here = [version for version in fitting if version in offered]
    why = _why(found, named, too_old, len(out) < len(allowed))
    return Python((here or fitting)[-1], "; ".join((why, *notes)), guessed=not (found.bound_by or named))


def _nearest(version: str) -> str:
    """The supported Python nearest to a version; another language, such as 2.7 is, has none."""
    major, _, minor = version.partition(".")
    if major != "3" or version in VERSIONS:
        return version
    return min(VERSIONS, key=lambda other: abs(int(other.partition(".")[2]) - int(minor)))


def _why(found: Declared, named: Sequence[str], oldest: bool, older: bool) -> str:
    allows = f"{found.bound_by} allows" if found.bound_by else ""
    if named:
        return f"the newest that {found.tested_by}" + (f" and {allows}" if allows else "")
    if oldest:
        return "the oldest" + (f" that {allows}" if allows else "") + ", because the code is for older ones"
    then = " of those that were out when the commit was made" if older else ""
    return f"the newest that {allows}{then}" if allows else f"the newest{then}, because nothing names another"
