"""What may be wrong at the forge: whether the app's token may do what a heal does there, and no more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Self

from functions.core.apps.app import App
from functions.core.forge.connect import connect
from functions.core.forge.deploy_key import DeployKey
from functions.core.forge.git_remote import Remote
from functions.core.source.archive import DEFAULT_LIMITS
from functions.core.workflow.errors import (
    ForgeAccessDenied,
    ForgeUnavailable,
    RepositoryNotFound,
    SelfHealError,
)
from infra.doctor.checks import Check, Fault, Moot


@dataclass(frozen=True, slots=True)
class ForgeSeen:
    """What the forge says of an app's repository. unreachable, refused, hidden: the message of that failure,
    "" where there was none; what lies behind a failure is then unknown."""

    app: App
    flag: str = ""
    unreachable: str = ""
    refused: str = ""
    hidden: str = ""
    may_push: bool = True
    administers: bool = False
    archived: bool = False
    kilobytes: int = 0
    has_branch: bool = True
    protected: bool = True
    has_revision: bool = True
    strangers: Sequence[str] = ()
    """Reviewers who are no collaborators."""
    by_key: str | None = None
    """Why git cannot read and push by the deploy key, "" where it can; None where none was tried."""

    @property
    def repository(self) -> Self:
        """Itself, to ask about the repository. Raises Moot where the forge did not show it."""
        if self.unreachable or self.refused or self.hidden:
            raise Moot
        return self


def look(app: App, token: str, flag: str, key: DeployKey | None = None) -> ForgeSeen:
    """Ask the forge; nothing is changed there. key: the app's deploy key."""
    seen = _surveyed(app, token, flag)
    return replace(seen, by_key=_tried(Remote.of(app, "", key), app.branch)) if key else seen


def _tried(remote: Remote, branch: str) -> str:
    """Read the branch, and ask whether another one may be pushed: why not, or ""."""
    try:
        with remote.repository() as repo:
            if sha := remote.fetch(repo, f"refs/heads/{branch}"):
                asked = ("push", "--dry-run", "--quiet", "--", remote.url)
                if failure := remote.run(repo, *asked, f"{sha}:refs/heads/self-heal/doctor"):
                    return str(remote.explain(failure))
    except SelfHealError as error:
        return str(error)
    return ""


def _surveyed(app: App, token: str, flag: str) -> ForgeSeen:
    try:
        found = connect(app, token).survey(app.branch, app.revision or app.branch, app.reviewers)
    except ForgeUnavailable as error:
        return ForgeSeen(app, flag, unreachable=str(error))
    except ForgeAccessDenied as error:
        return ForgeSeen(app, flag, refused=str(error))
    except RepositoryNotFound as error:
        return ForgeSeen(app, flag, hidden=str(error))
    return ForgeSeen(app, flag, **{one.name: getattr(found, one.name) for one in fields(found)})


def forge_can_be_reached(seen: ForgeSeen) -> Fault | None:
    """From here; the functions ask from Lambda."""
    if not seen.unreachable:
        return None
    here = "--local" in seen.flag
    return Fault(seen.unreachable, "selfheal up" if here else f"curl --head {seen.app.forge_api}")


def token_is_accepted(seen: ForgeSeen) -> Fault | None:
    """It is not expired or revoked, and has the rights to look."""
    if seen.unreachable:
        raise Moot
    return Fault(seen.refused, _renew(seen)) if seen.refused else None


def repository_can_be_seen(seen: ForgeSeen) -> Fault | None:
    """It exists, and the token can see it."""
    if seen.unreachable or seen.refused:
        raise Moot
    return Fault(seen.hidden, _renew(seen)) if seen.hidden else None


def token_may_push(seen: ForgeSeen) -> Fault | None:
    """Otherwise nothing that is approved can be committed."""
    if seen.repository.may_push:
        return None
    return Fault("the token may not push (needs: contents and pull requests, write)", _renew(seen))


def token_may_do_no_more_than_needed(seen: ForgeSeen) -> Fault | None:
    """A heal changes no settings of the repository, such as who must review."""
    if not seen.repository.administers:
        return None
    return Fault("the token administers the repository; contents and pull requests suffice", _renew(seen))


def deploy_key_may_push(seen: ForgeSeen) -> Fault | None:
    """The forge knows it and lets it write, and shows a host key that is known."""
    if seen.by_key is None:
        raise Moot
    if not seen.by_key:
        return None
    return Fault(seen.by_key, f"selfheal configure {seen.app.name} --deploy-key-file FILE{seen.flag}")


def repository_takes_changes(seen: ForgeSeen) -> Fault | None:
    """Nothing can be pushed to an archived one."""
    if not seen.repository.archived:
        return None
    return Fault(f"{seen.app.slug} is archived", f"gh repo unarchive {seen.app.slug}")


def repository_is_small_enough(seen: ForgeSeen) -> Fault | None:
    """Its history alone is no larger than the source tree that a heal may read."""
    most = DEFAULT_LIMITS.bytes // 1024
    if seen.repository.kilobytes <= most:
        return None
    return Fault(
        f"{seen.app.slug} has {seen.kilobytes // 1024} MiB; a source tree may have {most // 1024} MiB",
        f"selfheal try PATH --log FILE --app entry-of-{seen.app.name}.json",
    )


def branch_exists(seen: ForgeSeen) -> Fault | None:
    """Otherwise pull requests have nowhere to go."""
    if seen.repository.has_branch:
        return None
    return Fault(
        f"{seen.app.slug} has no branch {seen.app.branch}",
        f"selfheal configure {seen.app.name} --branch BRANCH{seen.flag}",
    )


def branch_is_protected(seen: ForgeSeen) -> Fault | None:
    """Otherwise whoever has the token, and the token itself, can push to it without a review."""
    if not seen.repository.has_branch:
        raise Moot
    if seen.protected:
        return None
    rules = f"repos/{seen.app.slug}/branches/{seen.app.branch}/protection"
    return Fault(
        f"{seen.app.branch} can be pushed to without a review", f"gh api -X PUT {rules} --input FILE"
    )


def revision_exists(seen: ForgeSeen) -> Fault | None:
    """The one that the entry names."""
    if not seen.app.revision:
        raise Moot
    if seen.repository.has_revision:
        return None
    return Fault(
        f"{seen.app.slug} has no commit {seen.app.revision}",
        f"selfheal configure {seen.app.name} --set revision=COMMIT{seen.flag}",
    )


def reviewers_are_collaborators(seen: ForgeSeen) -> Fault | None:
    """The forge asks only collaborators for reviews."""
    if not seen.app.reviewers:
        raise Moot
    if not seen.repository.strangers:
        return None
    return Fault(
        f"no collaborators: {', '.join(seen.strangers)}",
        f"gh api -X PUT repos/{seen.app.slug}/collaborators/{seen.strangers[0]}",
    )


def _renew(seen: ForgeSeen) -> str:
    return f"selfheal configure {seen.app.name} --token-file FILE{seen.flag}"


CHECKS: tuple[Check[ForgeSeen], ...] = (
    forge_can_be_reached,
    token_is_accepted,
    repository_can_be_seen,
    token_may_push,
    token_may_do_no_more_than_needed,
    deploy_key_may_push,
    repository_takes_changes,
    repository_is_small_enough,
    branch_exists,
    branch_is_protected,
    revision_exists,
    reviewers_are_collaborators,
)
