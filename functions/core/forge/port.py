"""What the workflow asks of a forge, whoever it is.

A forge's failures come as ForgeUnavailable (worth a retry), ForgeAccessDenied and RepositoryNotFound
(somebody must change something); what it refuses for its content comes as ForgeRefused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class State(StrEnum):
    """Where a pull request stands. Merged ones are not closed, whatever the forge's API says."""

    OPEN = "open"
    MERGED = "merged"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class PullRequest:
    """A pull request, or what another forge calls so.

    url: its page; head_sha: the newest commit of its branch; base: the branch that it goes to; merge_sha: the
    commit that its merge put on that branch, "" before.
    """

    number: int
    url: str
    branch: str
    base: str
    head_sha: str
    state: State
    merge_sha: str = ""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two commits. merge_base: where their histories part, "" where they have nothing in common; ahead: the
    commits that the second one has and the first one lacks."""

    merge_base: str
    ahead: int


@dataclass(frozen=True, slots=True)
class Survey:
    """What a forge says of a repository, and of what the token may do there.

    kilobytes: with its history, 0 where that is not told; protected: whether the branch cannot be pushed to
    without more; strangers: those among the people asked for whom the forge does not ask for reviews here.
    """

    may_push: bool
    administers: bool
    archived: bool
    kilobytes: int
    has_branch: bool
    protected: bool
    has_revision: bool
    strangers: tuple[str, ...]


class Forge(Protocol):
    """One repository of a forge."""

    def find(self, branch: str, base: str) -> PullRequest | None:
        """The newest pull request from `branch` to `base`, in whatever state; None when there was never
        one."""

    def open(self, branch: str, base: str, title: str, body: str) -> PullRequest:
        """Open a pull request, or return the open one that there is already."""

    def get(self, number: int) -> PullRequest:
        """Raises RepositoryNotFound where there is no such pull request."""

    def number(self, url: str) -> int | None:
        """The number of the pull request whose page has this address; None when it is no such address."""

    def ask_reviewers(self, pull: PullRequest, names: Sequence[str]) -> bool:
        """Ask people for their review; False where the forge does not accept one of them, and asks nobody."""

    def compare(self, one: str, other: str) -> Comparison:
        """Compare two commits or branches. Raises RepositoryNotFound where one of them is not there."""

    def survey(self, branch: str, revision: str, people: Sequence[str]) -> Survey:
        """Look at the repository, for who set it up; nothing is changed."""
