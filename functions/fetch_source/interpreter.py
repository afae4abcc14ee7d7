"""Which Python an app runs on, and who says so.

Asked in this order, until one of them names a version:

    the app's entry            written for this system, by who may register apps
    the function's Runtime     what the code that failed ran on
    its image                  the same, where a function is one
    the repository             what its authors run it on: `functions/fetch_source/declared.py`
    the newest                 of those that the runner has
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from functions.core.app import App
from functions.core.python import Python
from functions.fetch_source.declared import Read, declared
from functions.harness.interpreters import VERSIONS


@dataclass(frozen=True, slots=True)
class Word:
    """What one source says. version: "" when it names none; why: who names it, or what is to be told of why
    it names none."""

    version: str = ""
    why: str = ""


def python_of(
    app: App, function: Callable[[], Word], read: Read, offered: Sequence[str] = VERSIONS
) -> Python:
    """The app's Python.

    function: asked only when the app's entry names none; read: a file of the repository, None where there is
    none; offered: what the runner has, oldest first. Whoever names a version is believed, also where the
    runner lacks it: then nothing is run, and it is said.
    """
    if app.python:
        return Python(app.python, "the app's entry names it")
    word = function()
    if word.version:
        return Python(word.version, word.why)
    found = declared(read, tuple(app.source_roots.values()))
    notes = [*filter(None, (word.why,)), *found.notes]
    if found.version:
        return Python(found.version, "; ".join((found.why, *notes)))
    allowed = [version for version in VERSIONS if found.allows(version)]
    here = [version for version in allowed if version in offered]
    bound = found.bound_by
    why = f"the newest that {bound} allows" if bound else "the newest, because nothing names another"
    return Python((here or allowed)[-1], "; ".join((why, *notes)), guessed=not bound)
