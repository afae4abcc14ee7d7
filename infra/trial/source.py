"""The source that a trial looks at: one commit of a local repository, read from git's own objects.

The work tree is neither read nor touched, unless there is no commit to read: then the directory's files as
they are.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass
from pathlib import Path

from git import Git
from git.exc import GitCommandError, GitCommandNotFound

from functions.core.notify.counts import counted
from functions.core.source.archive import DEFAULT_LIMITS, Member, members_of
from functions.core.source.commit_tree import tree_of_commit
from infra.errors import UserError

NO_COMMIT = "0" * 40

# What a directory without git holds besides source: environments, caches, build output.
_CACHES = (".mypy_cache", ".pytest_cache", ".ruff_cache", ".hypothesis", "__pycache__")
_INSTALLED = (".venv", "venv", ".tox", ".nox", ".eggs", "node_modules", "site-packages")
_NOT_SOURCE = frozenset((".git", ".hg", ".svn", *_CACHES, *_INSTALLED))

# The owner of a directory that somebody else made does not matter where only objects are read: nothing in the
# repository's configuration is run by that.
_ENVIRONMENT = {
    "GIT_CONFIG_COUNT": "1",
    "GIT_CONFIG_KEY_0": "safe.directory",
    "GIT_CONFIG_VALUE_0": "*",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
}


@dataclass(frozen=True, slots=True)
class LocalSource:
    """Files below a directory; `base_sha` is the commit they are from, `described` says so for people,
    `committed` is when that was made (ISO 8601), "" where there is none."""

    root: Path
    members: tuple[Member, ...]
    base_sha: str
    described: str
    committed: str = ""


def read_source(path: Path, rev: str | None = None, but: Sequence[str] = ()) -> LocalSource:
    """The tree at `rev` (HEAD if None); of a directory within a repository, the part below it.

    but: files that are no source where a directory is taken as it is: what was given beside it.

    Raises UserError (exit code 2) for what is no directory, has no such revision, or holds no files, and
    SourceTooLarge.
    """
    if rev is not None and not rev.strip():
        raise UserError("--rev is empty", "name a commit, tag or branch, or leave it out", exit_code=2)
    if not path.is_dir():
        what = "is not a directory" if path.exists() else "does not exist"
        raise UserError(f"{path} {what}", "give the path of a local repository", exit_code=2)
    root = path.resolve()
    git = git_of(root)
    try:
        found = _commit(git, root, rev)
        if isinstance(found, str):
            if rev is not None:
                raise UserError(f"{path}: {found}", "name a commit, tag or branch that exists", exit_code=2)
            return _directory(root, found, {Path(file).resolve() for file in but})
        sha, tree = found
        members = tuple(tree_of_commit(git, tree).members(git))
        committed = _ask(git, "show", "--no-patch", "--format=%cI", sha)
    finally:
        git.clear_cache()
    if not members:
        raise UserError(f"{path}: no files at {rev or 'HEAD'}", "check PATH and --rev", exit_code=2)
    below = "" if tree == sha else f" below {tree.partition(':')[2]}"
    files = counted(len(members), "file")
    described = f"{files}{below} at {rev or 'HEAD'} ({sha[:12]}); the work tree is not looked at"
    return LocalSource(root, members, sha, described, committed)


def git_of(root: Path) -> Git:
    """git in a directory that strangers may own: it reads objects, and asks nobody for anything."""
    git = Git(root)
    git.update_environment(**_ENVIRONMENT)
    return git


def _commit(git: Git, root: Path, rev: str | None) -> tuple[str, str] | str:
    """The commit and the tree to read (`COMMIT` or `COMMIT:DIRECTORY`), or why there is none."""
    try:
        bare = _ask(git, "rev-parse", "--is-bare-repository") == "true"
        prefix = "" if bare else _ask(git, "rev-parse", "--show-prefix").rstrip("/")
    except GitCommandNotFound:
        raise UserError("git is not installed", "install git; it reads the repository", exit_code=3) from None
    except GitCommandError:
        return "is not a git repository"
    try:
        sha = _ask(git, "rev-parse", "--verify", "--end-of-options", f"{rev or 'HEAD'}^{{commit}}")
    except GitCommandError:
        return f"has no revision {rev!r}" if rev else "has no commit yet"
    if not prefix:
        return sha, sha
    tree = f"{sha}:{prefix}"
    try:
        _ask(git, "rev-parse", "--verify", "--end-of-options", f"{tree}^{{tree}}")
    except GitCommandError:
        return f"is not in revision {rev or 'HEAD'} of the repository around it"
    return sha, tree


def _ask(git: Git, *arguments: str) -> str:
    return str(git.execute(["git", *arguments])).strip()


def _directory(root: Path, why: str, but: Set[Path]) -> LocalSource:
    found = _bounded(members_of(root, skip=_NOT_SOURCE))
    members = tuple(member for member in found if root / member.path not in but)
    if not members:
        raise UserError(f"{root} {why} and holds no files", "give the path of a repository", exit_code=2)
    files = counted(len(members), "file as it is", "files as they are")
    return LocalSource(root, members, NO_COMMIT, f"{files}: {root}{os.sep} {why}")


def _bounded(members: Iterable[Member]) -> Iterator[Member]:
    size = 0
    for count, member in enumerate(members, 1):
        size += len(member.data)
        DEFAULT_LIMITS.check(count, size)
        yield member
