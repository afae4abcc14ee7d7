"""What may be wrong at the forge: whether the app's token may do what a heal does there, and no more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

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
from infra.doctor.checks import Check, Fault


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
    by_key: str = ""
    """Why git cannot read and push by the deploy key, "" where it can, or there is none."""


def look(app: App, token: str, flag: str, key: DeployKey | None = None) -> ForgeSeen:
    """Ask the forge; nothing is changed there. key: the app's deploy key."""
    seen = _surveyed(app, token, flag)
    return replace(seen, by_key=_tried(Remote.of(app, "", key), app.branch)) if key else seen


def _tried(remote: Remote, branch: str) -> str:
    """Read the branch, and ask whether another one may be pushed: why not, or ""."""
    try:
        with remote.repository() as repo:
            if sha := remote.fetch(repo, f"refs/heads/{branch}"):
                asked = (
                    "push",
                    "--dry-run",
                    "--quiet",
                    "--",
                    remote.url,
                    f"{sha}:refs/heads/self-heal/doctor",
                )
                if failure := remote.run(repo, *asked):
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


def forge_cannot_be_reached(seen: ForgeSeen) -> Fault | None:
    """From here; the functions ask from Lambda."""
    if not seen.unreachable:
        return None
    return Fault(seen.unreachable, f"curl --head {seen.app.forge_api}")


def token_is_refused(seen: ForgeSeen) -> Fault | None:
    """It is expired, revoked, or lacks rights."""
    return Fault(seen.refused, _renew(seen)) if seen.refused else None


def repository_is_hidden(seen: ForgeSeen) -> Fault | None:
    """It does not exist, or the token cannot see it."""
    return Fault(seen.hidden, _renew(seen)) if seen.hidden else None


def token_is_too_weak(seen: ForgeSeen) -> Fault | None:
    """It may not push, so that nothing that is approved can be committed."""
    if seen.may_push:
        return None
    return Fault("the token may not push (needs: contents and pull requests, write)", _renew(seen))


def token_is_too_strong(seen: ForgeSeen) -> Fault | None:
    """It may change settings of the repository, such as who must review: more than a heal needs."""
    if not seen.administers:
        return None
    return Fault("the token administers the repository; contents and pull requests suffice", _renew(seen))


def deploy_key_is_refused(seen: ForgeSeen) -> Fault | None:
    """The forge does not know it, it may not write, or the server is not the one that is expected."""
    if not seen.by_key:
        return None
    return Fault(seen.by_key, f"selfheal configure {seen.app.name} --deploy-key-file FILE{seen.flag}")


def repository_is_archived(seen: ForgeSeen) -> Fault | None:
    """Nothing can be pushed to it."""
    if not seen.archived:
        return None
    return Fault(f"{seen.app.slug} is archived", f"gh repo unarchive {seen.app.slug}")


def repository_is_too_large(seen: ForgeSeen) -> Fault | None:
    """Its history alone is larger than the source tree that a heal may read."""
    most = DEFAULT_LIMITS.bytes // 1024
    if seen.kilobytes <= most:
        return None
    return Fault(
        f"{seen.app.slug} has {seen.kilobytes // 1024} MiB; a source tree may have {most // 1024} MiB",
        f"selfheal try PATH --log FILE --app entry-of-{seen.app.name}.json",
    )


def branch_is_missing(seen: ForgeSeen) -> Fault | None:
    """Pull requests have nowhere to go."""
    if seen.has_branch:
        return None
    return Fault(
        f"{seen.app.slug} has no branch {seen.app.branch}",
        f"selfheal configure {seen.app.name} --branch BRANCH{seen.flag}",
    )


def branch_is_not_protected(seen: ForgeSeen) -> Fault | None:
    """Whoever has the token, and the token itself, can push to it without a review."""
    if seen.protected or not seen.has_branch:
        return None
    rules = f"repos/{seen.app.slug}/branches/{seen.app.branch}/protection"
    return Fault(
        f"{seen.app.branch} can be pushed to without a review", f"gh api -X PUT {rules} --input FILE"
    )


def revision_is_unknown(seen: ForgeSeen) -> Fault | None:
    """The revision that the entry names is not there."""
    if seen.has_revision or not seen.app.revision:
        return None
    return Fault(
        f"{seen.app.slug} has no commit {seen.app.revision}",
        f"selfheal configure {seen.app.name} --set revision=COMMIT{seen.flag}",
    )


def reviewer_is_a_stranger(seen: ForgeSeen) -> Fault | None:
    """The forge asks only collaborators for reviews."""
    if not seen.strangers:
        return None
    return Fault(
        f"no collaborators: {', '.join(seen.strangers)}",
        f"gh api -X PUT repos/{seen.app.slug}/collaborators/{seen.strangers[0]}",
    )


def _renew(seen: ForgeSeen) -> str:
    return f"selfheal configure {seen.app.name} --token-file FILE{seen.flag}"


CHECKS: tuple[Check[ForgeSeen], ...] = (
    forge_cannot_be_reached,
    token_is_refused,
    repository_is_hidden,
    token_is_too_weak,
    token_is_too_strong,
    deploy_key_is_refused,
    repository_is_archived,
    repository_is_too_large,
    branch_is_missing,
    branch_is_not_protected,
    revision_is_unknown,
    reviewer_is_a_stranger,
)
