"""Which commit is deployed: who says so, and what the forge makes of it.

Asked in this order, until one of them names something that the forge has:

    the app's entry         written for this system, by who may register apps
    the function's tags     set by who may deploy it, and mended without another deployment
    its environment         as trustworthy, but a template or a base image may have brought it along
    the log record          written by any code that logs, with what strangers send: believed last
    the head of the branch  what nobody has to name, and what may not be deployed yet

What is named there is read, and the error is reproduced on it. It is not what a patch is committed on: that
is the head of the app's branch, so nothing unreviewed comes along with a pull request. What only the log
names is read where the app's branch has it, or a tag that the app's entry allows (`log_tags`): else whoever
can make a service log something could have a colleague's commit read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from typing import TYPE_CHECKING

from functions.core.apps.deployed import Claim, RevisionClaims
from functions.core.source.head import tip_of
from functions.core.workflow.errors import RepositoryNotFound

if TYPE_CHECKING:
    from git import Repo

    from functions.core.apps.app import App
    from functions.core.forge.git_remote import Remote
    from functions.core.forge.port import Forge

# A commit id, or a tag or branch name; nothing that git would take for an option or a refspec.
_REVISION = re.compile(r"[0-9A-Za-z][0-9A-Za-z._/+-]{0,199}")
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_SHORT_COMMIT = re.compile(r"[0-9a-f]{7,64}")


@dataclass(frozen=True, slots=True)
class FetchedRevision:
    """A commit that was fetched; revision_from: "deployed" or "branch"; reason: who named it, and what
    those who are believed before said."""

    sha: str
    revision_from: str
    reason: str


def fetch_commit(
    app: App, remote: Remote, forge: Forge, repo: Repo, logged: str, function: Callable[[], RevisionClaims]
) -> FetchedRevision:
    """Fetch the deployed commit, or else the head of the app's branch.

    function: asked only when the app's entry does not settle it.
    Raises RepositoryNotFound, and what `remote` and `forge` raise.
    """
    notes: list[str] = []
    tips = cache(lambda: remote.tips(repo))
    sources: tuple[Callable[[], RevisionClaims], ...] = (lambda: _entry(app), function, lambda: _log(logged))
    for ask in sources:
        told = ask()
        notes += told.notes
        for claim in told.claims:
            for ref in _refs(claim, tips):
                if sha := remote.fetch(repo, ref):
                    which = "" if ref == claim.revision else f", which is {ref}"
                    named = f"{claim.by} names {claim.revision}{which}"
                    if not claim.anybody or _has(forge, app.branch, sha) or _allowed(app, tips(), sha):
                        return FetchedRevision(sha, "deployed", "; ".join((named, *notes)))
                    notes.append(f"{named}, but {app.branch} has not got that commit")
                    break
            else:
                notes.append(claim.unknown)
    return FetchedRevision(tip_of(app, remote, repo), "branch", "; ".join((f"head of {app.branch}", *notes)))


def _allowed(app: App, tips: Mapping[str, str], sha: str) -> bool:
    tags = (ref.removeprefix("refs/tags/") for ref, at in tips.items() if at == sha and "/tags/" in ref)
    return any(fnmatchcase(tag, pattern) for tag in tags for pattern in app.log_tags)


def _has(forge: Forge, branch: str, sha: str) -> bool:
    try:
        return forge.compare(branch, sha).ahead == 0
    except RepositoryNotFound:  # they have no history in common
        return False


def _entry(app: App) -> RevisionClaims:
    named = app.revision
    if not named:
        return RevisionClaims(notes=("the app's entry names no revision",))
    unknown = f"the app's revision {named} is not on the forge"
    if not _REVISION.fullmatch(named):
        unknown = f"the app's revision {named!r} is not a commit id or a tag"
    return RevisionClaims((Claim("the app's entry", named, unknown, branches=True),))


def _log(logged: str) -> RevisionClaims:
    if not logged:
        return RevisionClaims(notes=("the log names none",))
    return RevisionClaims(
        (Claim("the log", logged, f"the log names {logged}, which is no tag and no commit", anybody=True),)
    )


def _refs(claim: Claim, tips: Callable[[], Mapping[str, str]]) -> tuple[str, ...]:
    """What to fetch for a claim; none for what can be no revision, or is none of this repository."""
    named = claim.revision
    if not _REVISION.fullmatch(named):
        return ()
    if _COMMIT.fullmatch(named):
        return (named,)
    if claim.branches:
        return (f"refs/tags/{named}", f"refs/heads/{named}")
    found = _named_by(tips(), named)
    return (found,) if found else ()


def _named_by(tips: Mapping[str, str], named: str) -> str | None:
    """The tag that a version stands for, or the branch or tag whose head a commit's id, short or not, is.

    A branch or tag is there because somebody who may write put it there.
    """
    for ref in (f"refs/tags/{named}", f"refs/tags/v{named}"):
        if ref in tips:
            return ref
    if not _SHORT_COMMIT.fullmatch(named):
        return None
    return next((ref for ref, sha in sorted(tips.items()) if sha.startswith(named)), None)
