"""The error that a trial is about, read from a log as detection reads it."""

from __future__ import annotations

import re
from bisect import bisect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile

from functions.core.apps.app import App
from functions.core.incidents.incident import Incident, Status
from functions.core.source.code_mappings import locate
from functions.core.untrusted.redaction import redact
from functions.detect_errors.in_app import AppRules, InAppDecision
from functions.detect_errors.model import ParsedError
from functions.detect_errors.read import MAX_LENGTH, Reader
from functions.detect_errors.sightings import SAMPLE_LIMIT, own_causes
from functions.propose_patch.context import map_frames
from functions.propose_patch.repository import SourceTree
from infra.errors import UserError

_TITLE_LIMIT = 200
_OVERLAP = 128 * 1024
"""Characters: longer than a traceback with its causes is."""
_LINES_BEFORE = 3
"""Lines of the log before the error that are kept with it: a request's id often stands there."""

_HELD = "stands in this repository"
_LIBRARY = frozenset(("installed package", "well-known library next to the app", "Lambda layer"))


@dataclass(frozen=True, slots=True)
class Reported:
    """The error chosen and the incident it would be; `choice` says which of how many, and why that one.

    packages: what a deployment must name as the app's packages to see these frames as its own.
    """

    error: ParsedError
    incident: Incident
    choice: str
    packages: tuple[str, ...] = ()


def read_log(text: str, repository: SourceTree, app: App) -> Reported:
    """The last error in the log that passed through this repository's code, else the last with a traceback.

    Raises UserError (exit code 2) for a log without errors.
    """
    errors = _errors(text, repository, app)
    if not errors:
        raise UserError(
            "no error found in this log",
            "give a log that holds a traceback; see: selfheal explain FILE",
            exit_code=2,
        )
    number, why = _chosen(errors, repository, app)
    choice = f"the only one: {errors[number].title}"
    if len(errors) > 1:
        choice = f"error {number + 1} of {len(errors)}, {why}: {errors[number].title}"
    return _reported(text, errors, number, choice, repository, app)


def read_each(text: str, repository: SourceTree, app: App) -> list[Reported]:
    """Every error of a log once, as it was seen last; what was seen most often first."""
    errors = _errors(text, repository, app)
    last = {error.fingerprint: number for number, error in enumerate(errors)}
    found = [
        _reported(text, errors, number, errors[number].title, repository, app) for number in last.values()
    ]
    return sorted(found, key=lambda reported: -reported.incident.occurrences)


def _errors(text: str, repository: SourceTree, app: App) -> list[ParsedError]:
    rules = AppRules(app.packages, tuple(app.source_roots)) if app.packages else _OwnRules(repository, app)
    return read_whole(Reader(rules), text)


def _reported(
    text: str, errors: Sequence[ParsedError], number: int, choice: str, repository: SourceTree, app: App
) -> Reported:
    error = errors[number]
    sample = _text_of(text, errors, number)
    same = sum(other.fingerprint == error.fingerprint for other in errors)
    incident = Incident(
        incident_id=f"{app.name}-{error.fingerprint}",
        fingerprint=error.fingerprint,
        app=app.name,
        status=Status.HEALING,
        error_type=error.type or "",
        title=redact(error.title[: 2 * _TITLE_LIMIT])[:_TITLE_LIMIT],
        error_class=error.error_class,
        class_reason=error.reason,
        sample=redact(sample),
        frames=error.frames,
        causes=own_causes(error),
        occurrences=same,
        next_action=error.next_action,
    )
    return Reported(error, incident, choice, _packages(incident, repository, app))


def read_whole(reader: Reader, text: str) -> list[ParsedError]:
    """All errors of a log of any length: the reader itself looks at no more than one event may hold.

    Read in pieces that overlap, so that an error is whole in the piece that it is taken from.
    """
    found: list[ParsedError] = []
    start = line = 0
    while start < len(text):
        piece = text[start : start + MAX_LENGTH]
        errors = reader.read(piece)
        if start + len(piece) == len(text):
            return found + [error._replace(line=line + error.line) for error in errors]
        ends = [match.end() for match in re.finditer("\n", piece)]
        lines = bisect(ends, len(piece) - _OVERLAP)
        # The next piece must not start inside an error, but with it.
        nearby = [e.line for e in errors if 0 < e.line < lines and ends[lines - 1] - ends[e.line] < _OVERLAP]
        lines = max(nearby, default=lines)
        found += [error._replace(line=line + error.line) for error in errors if error.line < max(lines, 1)]
        start += ends[lines - 1] if lines else len(piece)
        line += lines
    return found


def _packages(incident: Incident, repository: SourceTree, app: App) -> tuple[str, ...]:
    """Top-level names of what looks installed and is the app's own all the same."""
    frames = [frame for frame in (*incident.frames, *incident.causes) if frame.why == _HELD]
    found = set()
    for entry in map_frames(frames, repository, app.source_roots):
        printed, held = (path.replace("\\", "/").split("/") for path in (entry.frame.file, entry.path or ""))
        pairs = zip(reversed(printed), reversed(held), strict=False)
        *_, (top, _) = takewhile(lambda pair: pair[0] == pair[1], pairs)
        found.add(top.removesuffix(".py"))
    return tuple(sorted(found))


class _OwnRules(AppRules):
    """Detection's rules where the app names no packages, and one more: what looks installed and lies in this
    repository is the app's own. A deployment is not shown a repository before it has decided that."""

    def __init__(self, repository: SourceTree, app: App) -> None:
        super().__init__(app.packages, tuple(app.source_roots))
        self._repository = repository
        self._app = app

    def _judge(self, file: str, function: str | None) -> InAppDecision:
        judged = super()._judge(file, function)
        if judged.why in _LIBRARY and locate(file, self._repository.paths, self._app.source_roots).path:
            return replace(judged, in_app=True, why=_HELD)
        return judged


def _chosen(errors: Sequence[ParsedError], repository: SourceTree, app: App) -> tuple[int, str]:
    """Index of the error to look at, and why that one."""
    reasons: tuple[tuple[str, Callable[[ParsedError], bool]], ...] = (
        ("the last one in this repository's code", lambda e: _placed(e, repository, app)),
        ("the last one with a traceback; none is in this repository's code", lambda e: bool(e.frames)),
        ("the last one; none has a traceback", lambda _: True),
    )
    for why, applies in reasons:
        for number in reversed(range(len(errors))):
            if applies(errors[number]):
                return number, why
    raise AssertionError("the last reason always applies")


def _placed(error: ParsedError, repository: SourceTree, app: App) -> bool:
    frames = (*error.frames, *own_causes(error))
    return any(entry.path for entry in map_frames(frames, repository, app.source_roots))


def _text_of(text: str, errors: Sequence[ParsedError], number: int) -> str:
    """The log's lines of one error: from a little before it to the next one, or to where a sample ends."""
    lines = text.split("\n")
    start = errors[number].line
    before = max(start - _LINES_BEFORE, errors[number - 1].line + 1 if number else 0)
    after = [error.line for error in errors[number + 1 :] if error.line > start]
    end = min(after, default=len(lines))
    return "\n".join(lines[max(before, 0) : end])[:SAMPLE_LIMIT]
