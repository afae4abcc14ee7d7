"""Whom a pull request asks for review: the app's own reviewers, who owns the files, who wrote the lines."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from functions.core.apps.app import App
from functions.core.forge.port import Forge, PullRequest
from functions.core.source.touched import touched
from functions.core.workflow.errors import ForgeAccessDenied, ForgeRefused, RepositoryNotFound

MOST = 3
"""People and teams beside the app's own reviewers: who is asked with many others feels asked by nobody."""
_REFUSALS = (ForgeAccessDenied, ForgeRefused, RepositoryNotFound)


@dataclass(frozen=True, slots=True)
class Reviewer:
    """name: the forge's, of a user or of a team (`group/team`)."""

    name: str
    why: str


def reviewers(
    forge: Forge, app: App, patch: bytes, base_sha: str, warn: Callable[[str], None]
) -> tuple[Reviewer, ...]:
    """Each once, with the first reason. What the forge does not tell goes to `warn`."""
    found = {name: Reviewer(name, "named in the app's entry") for name in app.reviewers}
    known = {name.casefold() for name in found}
    for one in _suggested(forge, app, patch, base_sha, warn):
        if len(found) - len(app.reviewers) >= MOST:
            break
        if one.name.casefold() not in known:
            known.add(one.name.casefold())
            found[one.name] = one
    return tuple(found.values())


def _suggested(
    forge: Forge, app: App, patch: bytes, base_sha: str, warn: Callable[[str], None]
) -> Iterator[Reviewer]:
    """Owners before authors: they said that they want to be asked."""
    changed = touched(patch)
    try:
        owners = forge.owners(base_sha, tuple(changed))
        yield from (Reviewer(name, "owner of the code by CODEOWNERS") for name in owners)
        for path, lines in changed.items():
            if lines:
                authors = forge.last_authors(base_sha, path, lines)
                yield from (Reviewer(name, f"wrote the lines in {path}") for name in authors)
    except _REFUSALS as error:
        warn(f"{app.slug}: owners and authors are not asked for review: {error}")


def ask(forge: Forge, pull: PullRequest, asked: tuple[Reviewer, ...], warn: Callable[[str], None]) -> None:
    """Ask them. A typo, or somebody who has left, must not lose the fix: they go to `warn`."""
    if not asked:
        return
    try:
        refused = forge.ask_reviewers(pull, [one.name for one in asked])
    except _REFUSALS as error:
        warn(f"{pull.url}: nobody could be asked for review: {error}")
        return
    if refused:
        warn(f"{pull.url}: the forge does not accept the reviewers {', '.join(refused)}")
