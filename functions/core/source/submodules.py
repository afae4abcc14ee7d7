"""Submodules, for an app that asks for them: the commits that its own commit names, one level deep.

Only from the app's own forge: the addresses stand in the repository, and the token must not follow one to
somewhere else. What they hold is shown and imported by tests; a patch cannot change it, because it is
another repository's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from functions.core.source.archive import ArchiveLimits
from functions.core.source.commit_tree import CommitTree, Submodule, TreeEntry, tree_of_commit
from functions.core.workflow.errors import ForgeAccessDenied, RepositoryNotFound

if TYPE_CHECKING:
    from git import Repo

    from functions.core.forge.git_remote import Remote

# `git@HOST:PATH` and `ssh://git@HOST:PORT/PATH`, which most forges serve over HTTPS at the same path.
_SSH = re.compile(r"(?:ssh://)?[\w.-]+@([\w.-]+)(?::\d+/|[:/])(.+)")


def with_submodules(
    tree: CommitTree, sha: str, remote: Remote, repo: Repo, limits: ArchiveLimits
) -> CommitTree:
    """The tree with the files of its submodules; those that cannot be had remain its `submodules`.

    Raises ForgeUnavailable and SourceTooLarge.
    """
    addresses = _addresses(repo, sha)
    entries, left_out = list(tree.entries), list[Submodule]()
    for module in tree.submodules:
        url = same_forge(addresses.get(module.path, ""), remote.url)
        if url is None or not _fetched(replace(remote, url=url), repo, module.sha):
            left_out.append(module)
            continue
        below = tree_of_commit(repo.git, module.sha, limits).entries
        entries += (
            TreeEntry(f"{module.path}/{file.path}", file.blob, file.kind, file.bytes) for file in below
        )
        limits.check(len(entries), sum(file.bytes for file in entries))
    return CommitTree(tuple(entries), tuple(left_out))


def same_forge(address: str, own: str) -> str | None:
    """The URL of a submodule, if it lies on the same forge as the repository `own`, else None."""
    if ssh := _SSH.fullmatch(address):
        host, path = ssh.groups()
        address = urljoin(own, f"/{path}") if host == urlsplit(own).hostname else ""
    if address.startswith(("./", "../")):
        address = urljoin(own.rstrip("/") + "/", address)
    there, here = urlsplit(address), urlsplit(own)
    return address if address and (there.scheme, there.netloc) == (here.scheme, here.netloc) else None


def _addresses(repo: Repo, sha: str) -> Mapping[str, str]:
    """Path → address, as the commit's `.gitmodules` says. What it includes would be read from here."""
    from git import GitCommandError

    try:
        command = ["git", "config", "--no-includes", "--blob", f"{sha}:.gitmodules", "--list", "-z"]
        listing = repo.git.execute(command)
    except GitCommandError:
        return {}
    found: dict[str, dict[str, str]] = {}
    for row in str(listing).split("\0"):
        key, _, value = row.partition("\n")
        name, _, field = key.rpartition(".")
        found.setdefault(name, {})[field] = value
    return {entry["path"]: entry["url"] for entry in found.values() if {"path", "url"} <= entry.keys()}


def _fetched(remote: Remote, repo: Repo, sha: str) -> bool:
    try:
        return remote.fetch(repo, sha) is not None
    except (ForgeAccessDenied, RepositoryNotFound):
        return False  # hidden from the app's token, as others' private repositories are
