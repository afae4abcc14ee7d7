"""What the workflow asks of a forge, whoever it is.

A forge's failures come as ForgeUnavailable (worth a retry), ForgeAccessDenied and RepositoryNotFound
(somebody must change something); what it refuses for its content comes as ForgeRefused.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
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
    commit that its merge put on that branch, "" before; draft: whether it is not to be merged yet.
    """

    number: int
    url: str
    branch: str
    base: str
    head_sha: str
    state: State
    merge_sha: str = ""
    draft: bool = False


class Conclusion(StrEnum):
    """How a check ended."""

    PASSED = "passed"
    FAILED = "failed"
    PENDING = "pending"
    """It goes on, waits, or was stopped by somebody: nothing follows from it."""


@dataclass(frozen=True, slots=True)
class Check:
    """What a job of the repository's own says of a commit. ref: by which the forge finds what it printed."""

    name: str
    conclusion: Conclusion
    url: str = ""
    ref: str = ""
    summary: str = ""


@dataclass(frozen=True, slots=True)
class Remark:
    """What somebody wrote on a pull request. at: ISO 8601 in UTC; asks_changes: it is a review that does."""

    author: str
    text: str
    at: str
    asks_changes: bool = False


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

    def open(self, branch: str, base: str, title: str, body: str, draft: bool = False) -> PullRequest:
        """Open a pull request, as a draft where the forge has drafts, or return the open one that there is
        already."""

    def describe(self, number: int, title: str, body: str) -> None:
        """Give a pull request another title and description."""

    def ready(self, number: int) -> None:
        """Make a draft one that may be merged."""

    def label(self, number: int, labels: Sequence[str]) -> None:
        """Add labels; those that are new come into being."""

    def remarks(self, number: int) -> tuple[Remark, ...]:
        """What people wrote on a pull request, oldest first."""

    def remark(self, number: int, text: str) -> None:
        """Write on a pull request."""

    def changes(self, number: int) -> str:
        """A pull request's diff, file by file; without what the forge takes for too large."""

    def checks(self, sha: str) -> tuple[Check, ...]:
        """What the repository's own jobs say of a commit, each job once. Raises ForgeAccessDenied where these
        credentials may not see that."""

    def output(self, check: Check) -> str:
        """The end of what a failed job printed; "" where that is not to be had."""

    def may_push(self, login: str) -> bool:
        """Whether somebody may push to the repository, and so merge."""

    def get(self, number: int) -> PullRequest:
        """Raises RepositoryNotFound where there is no such pull request."""

    def number(self, url: str) -> int | None:
        """The number of the pull request whose page has this address; None when it is no such address."""

    def owners(self, ref: str, paths: Sequence[str]) -> tuple[str, ...]:
        """Users, teams and mail addresses that own files, as the CODEOWNERS of a commit or branch says, in
        the forge's own reading of it."""

    def last_authors(self, sha: str, path: str, lines: Collection[int]) -> tuple[str, ...]:
        """The users who wrote lines of a file as they are in a commit, those of the newest line first;
        without authors in whom the forge knows no user."""

    def ask_reviewers(self, pull: PullRequest, names: Sequence[str]) -> tuple[str, ...]:
        """Ask users and teams (`group/team`) for their review, besides those who are asked already: those
        whom the forge does not accept."""

    def compare(self, one: str, other: str) -> Comparison:
        """Compare two commits or branches. Raises RepositoryNotFound where one of them is not there."""

    def survey(self, branch: str, revision: str, people: Sequence[str]) -> Survey:
        """Look at the repository, for who set it up; nothing is changed."""
