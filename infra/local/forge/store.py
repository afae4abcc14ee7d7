"""What the forge remembers: a directory with, per repository, `OWNER/NAME.git` (bare) and `OWNER/NAME.json`.

Nothing is cached, so a forge that is started again, or another process, sees the same. JSON files are
replaced atomically; a repository exists when its `.git` directory does, which appears last and complete.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from infra.local.forge.git import DEFAULT_BRANCH, Git

# GitHub's rules for logins and repository names. A name that ends in ".git" would be ambiguous in clone URLs.
_OWNER = re.compile(r"[A-Za-z0-9](?:-?[A-Za-z0-9]){0,38}")
_NAME = re.compile(r"(?!\.{1,2}$)(?!.*\.git$)[A-Za-z0-9._-]{1,100}")
# https://docs.github.com/en/account-and-profile/reference/email-addresses-reference
_MAIL = re.compile(r"(?:\d+[+-])?([^@]+)@(?:localhost|users\.noreply\.git(?:hub|lab)\.com)")

VISITOR = "local-reviewer"
"""Login under which the person at the browser acts."""


@dataclass(frozen=True, slots=True)
class Comment:
    """One remark on a pull request; `number` counts from 1 within it; changes_requested: a review's word."""

    number: int
    author: str
    body: str
    created_at: str
    changes_requested: bool = False


@dataclass(frozen=True, slots=True)
class Pull:
    """A pull request. Times are ISO 8601 in UTC, "" for what has not happened.

    head and base are branch names; `head_sha` and `base_sha` are their tips as last seen, and stay as they
    were when the pull request was closed or merged.
    """

    number: int
    title: str
    body: str
    head: str
    base: str
    head_sha: str
    base_sha: str
    author: str
    created_at: str
    updated_at: str
    closed_at: str = ""
    merged_at: str = ""
    merged_by: str = ""
    merge_commit_sha: str = ""
    labels: tuple[str, ...] = ()
    reviewers: tuple[str, ...] = ()
    comments: tuple[Comment, ...] = ()
    draft: bool = False

    @property
    def state(self) -> str:
        """`open` or `closed`; a merged pull request is closed, as on GitHub."""
        return "closed" if self.closed_at else "open"

    @property
    def shown_state(self) -> str:
        """`open`, `closed` or `merged`, as a person calls it."""
        return "merged" if self.merged_at else self.state


@dataclass(frozen=True, slots=True)
class Repository:
    """slug: `owner/name`; collaborators: logins, and teams (`owner/team`), that may be asked for a review;
    pulls: by number, from 1."""

    slug: str
    private: bool
    collaborators: tuple[str, ...]
    created_at: str
    pulls: tuple[Pull, ...] = ()

    @property
    def owner(self) -> str:
        return self.slug.partition("/")[0]

    @property
    def name(self) -> str:
        return self.slug.partition("/")[2]

    @property
    def people(self) -> frozenset[str]:
        """Who may push."""
        return frozenset((*self.collaborators, self.owner, VISITOR))

    def user_of(self, mail: str) -> str:
        """The one of them whose mail address it is, of this machine or the forge's own for commits; "" for
        none."""
        found = _MAIL.fullmatch(mail)
        return found[1] if found and found[1] in self.people else ""

    def pull(self, number: int) -> Pull | None:
        return self.pulls[number - 1] if 1 <= number <= len(self.pulls) else None

    def with_pull(self, pull: Pull) -> Self:
        """This repository with `pull` added, or in place of the one with its number."""
        return replace(self, pulls=(*self.pulls[: pull.number - 1], pull, *self.pulls[pull.number :]))


class Store:
    """All repositories below one directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.lock = threading.RLock()
        """Held around every read that leads to a write."""

    def find(self, slug: str) -> Repository | None:
        """The repository of that name; None when there is none, or when no repository can have that name."""
        if not is_slug(slug) or not self.git(slug).directory.is_dir():
            return None
        return _repository(json.loads(self._record(slug).read_text(encoding="utf-8")))

    def all(self) -> tuple[Repository, ...]:
        """Every repository, by slug."""
        slugs = (f"{path.parent.name}/{path.stem}" for path in sorted(self.directory.glob("*/*.git")))
        return tuple(found for found in map(self.find, slugs) if found)

    def git(self, slug: str) -> Git:
        """The bare repository of a slug that has been checked (`find`)."""
        return Git(self.directory / f"{slug}.git")

    def save(self, repository: Repository) -> None:
        """Replace what is remembered of a repository."""
        _replace(self._record(repository.slug), json.dumps(asdict(repository), indent=1))

    def create(self, slug: str, source: Path, *, private: bool, collaborators: Sequence[str]) -> str:
        """Import a directory as a new repository; returns the tip of main.

        A repository that exists is left as it is. Raises ValueError for a name GitHub would not take,
        GitFailed when `source` holds no files.
        """
        if not is_slug(slug):
            raise ValueError(f"{slug!r} is not OWNER/NAME with the characters that GitHub allows")
        git = self.git(slug)
        with self.lock:
            if not git.directory.is_dir():
                git.directory.parent.mkdir(parents=True, exist_ok=True)
                with tempfile.TemporaryDirectory(prefix=".new-", dir=self.directory) as scratch:
                    fresh = Git(Path(scratch, "repository.git"))
                    fresh.create(source)
                    self.save(Repository(slug, private, tuple(collaborators), now()))
                    fresh.directory.rename(git.directory)
        tip = git.branch(DEFAULT_BRANCH)
        if tip is None:
            raise ValueError(f"{slug}: the repository has no branch {DEFAULT_BRANCH!r}")
        return tip

    def _record(self, slug: str) -> Path:
        return self.directory / f"{slug}.json"


def is_slug(text: str) -> bool:
    """Whether the text is `owner/name` as GitHub would allow it, and so a safe relative path."""
    owner, _, name = text.partition("/")
    return bool(_OWNER.fullmatch(owner) and _NAME.fullmatch(name))


def now() -> str:
    """The time as GitHub's API writes it: `2025-01-31T12:00:00Z`."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _repository(data: dict[str, Any]) -> Repository:
    pulls = tuple(
        Pull(
            **pull
            | {
                "labels": tuple(pull["labels"]),
                "reviewers": tuple(pull["reviewers"]),
                "comments": tuple(Comment(**comment) for comment in pull["comments"]),
            }
        )
        for pull in data["pulls"]
    )
    people = tuple(data["collaborators"])
    data.pop("checks", None)  # What jobs said was kept, too.
    return Repository(**data | {"collaborators": people, "pulls": pulls})


def _replace(path: Path, text: str) -> None:
    """Write a file so that a reader, or a crash, meets the old content or the new, never a part."""
    with tempfile.NamedTemporaryFile(
        "w", encoding="utf-8", dir=path.parent, prefix=".", delete=False
    ) as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    Path(file.name).replace(path)
