"""One bare repository, asked and changed through the `git` command.

Branch names come from strangers, so they are never handed to git as revisions: `refs/heads/<name>` is looked
up verbatim (`git show-ref --verify`), and everything after that works with the commit's hash.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

DEFAULT_BRANCH = "main"

# Written into every bare repository.
_CONFIG = {
    # A heal fetches the deployed revision by its hash, which may be no branch's tip.
    "uploadpack.allowAnySHA1InWant": "true",
    # History can be had without the files' contents, as from GitHub and GitLab.
    "uploadpack.allowFilter": "true",
    "http.receivepack": "true",
    # Malformed objects are refused on arrival, as GitHub does.
    "transfer.fsckObjects": "true",
    # refs/pull/<n>/head belongs to the forge; clients may fetch it but not push it.
    "receive.hideRefs": "refs/pull",
    # No process may outlive its request, and commits that lost their branch stay readable.
    "gc.auto": "0",
    "receive.autogc": "false",
}
# The first commit is the same for the same files, on every machine.
_IMPORTER = {"NAME": "Local forge", "EMAIL": "forge@localhost", "DATE": "2025-01-01T00:00:00+00:00"}
_LOG = ("--date=iso-strict-local", "--format=%H%x1f%cd%x1f%an%x1f%s")
_SHA = re.compile(r"[0-9a-f]{40}")
# Of `git blame --porcelain`: commit, line there, line here, and, where a group begins, how many.
_GROUP = re.compile(r"([0-9a-f]{40}) \d+ (\d+) (\d+)")
_SHORT_SHA = re.compile(r"[0-9a-f]{7,40}")


class GitFailed(Exception):
    """A git command failed in a way that no caller expects; the message is git's own."""


@dataclass(frozen=True, slots=True)
class GitCommit:
    """sha: 40 hex digits; date: ISO 8601 in UTC; subject: first line of the message."""

    sha: str
    date: str
    author: str
    subject: str


@dataclass(frozen=True, slots=True)
class ChangedFile:
    """status: git's letter (A, M, D, T); patch: its part of the unified diff, from `diff --git` on."""

    status: str
    path: str
    patch: str


@dataclass(frozen=True, slots=True)
class BlamedLines:
    """Neighbouring lines (1-based, both ends included) that one commit wrote last; mail: its author's."""

    first: int
    last: int
    commit: GitCommit
    mail: str


def environment() -> dict[str, str]:
    """What a git process may see: no configuration, credentials or hooks of the person who runs the forge."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": os.devnull,
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
    }


def is_sha(text: str) -> bool:
    """Whether the text is a full commit hash (lower-case, 40 digits)."""
    return _SHA.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class Git:
    """A bare repository on disk."""

    directory: Path

    def create(self, source: Path) -> str:
        """Make the repository with the files of `source` as the only commit on main; returns its sha.

        The files' own `.gitignore` holds; byte code and a `.git` inside `source` are left out.
        Raises GitFailed when there is nothing to import.
        """
        _git("init", "--quiet", "--bare", f"--initial-branch={DEFAULT_BRANCH}", str(self.directory))
        for key, value in _CONFIG.items():
            self._run("config", key, value)
        (self.directory / "info" / "exclude").write_text("__pycache__/\n*.pyc\n", encoding="utf-8")
        with tempfile.TemporaryDirectory() as scratch:
            env = {"GIT_INDEX_FILE": str(Path(scratch, "index")), "GIT_WORK_TREE": str(source.resolve())}
            self._run("add", "--all", ".", env=env, cwd=source)
            tree = self._run("write-tree", env=env, cwd=source).decode().strip()
        if not self._run("ls-tree", tree):
            raise GitFailed(f"{source} has no files to import")
        sha = self._commit_tree(tree, (), "Import", **_IMPORTER)
        self.update_branch(DEFAULT_BRANCH, sha, "")
        return sha

    def branches(self) -> dict[str, str]:
        """Branch name → sha of its tip, by name."""
        listing = self._run("for-each-ref", "--format=%(objectname) %(refname:lstrip=2)", "refs/heads")
        pairs = (line.split(" ", 1) for line in _text(listing).splitlines())
        return {name: sha for sha, name in pairs}

    def branch(self, name: str) -> str | None:
        """Sha of a branch's tip; None when there is no such branch."""
        return self._ref(f"refs/heads/{name}")

    def _ref(self, name: str) -> str | None:
        try:
            found = self._try("show-ref", "--verify", "--hash", name)
        except ValueError:  # a NUL or a lone surrogate: no argument of a process, no name of a branch
            return None
        return found.decode().strip() if found else None

    def commit_named(self, name: str) -> str | None:
        """The commit that a branch, a tag or a commit's id, short or not, stands for; None for none."""
        found = self._ref(f"refs/heads/{name}") or self._ref(f"refs/tags/{name}")
        if found is None and not _SHORT_SHA.fullmatch(name):
            return None
        # An annotated tag is an object of its own.
        commit = self._try("rev-parse", "--verify", "--quiet", f"{found or name}^{{commit}}")
        return commit.decode().strip() if commit else None

    def update_branch(self, name: str, new: str, old: str) -> bool:
        """Move a branch, unless it is no longer at `old` ("" for a new one); says whether it moved."""
        return self._try("update-ref", f"refs/heads/{name}", new, old or "0" * 40) is not None

    def keep(self, number: int, sha: str) -> None:
        """Point `refs/pull/<number>/head` at a commit, as GitHub does: it outlives its branch."""
        self._run("update-ref", f"refs/pull/{number}/head", sha)

    def merge_base(self, one: str, other: str) -> str | None:
        """The commit that two commits have in common; None for unrelated histories."""
        found = self._try("merge-base", one, other)
        return found.decode().split()[0] if found else None

    def is_ancestor(self, sha: str, tip: str) -> bool:
        """Whether `tip` contains `sha`."""
        return self._try("merge-base", "--is-ancestor", sha, tip) is not None

    def commits(self, tip: str, *, without: str = "", limit: int = 100) -> tuple[GitCommit, ...]:
        """Commits reachable from `tip` and not from `without`, newest first."""
        exclude = [f"^{without}"] if without else []
        log = self._run("log", "-z", f"-n{limit}", *_LOG, tip, *exclude)
        return tuple(GitCommit(*entry.split("\x1f", 3)) for entry in _text(log).split("\0") if entry)

    def parent(self, sha: str) -> str:
        """First parent of a commit; the hash of the empty tree for the first commit."""
        found = self._try("rev-parse", "--verify", "--quiet", f"{sha}^1")
        return (found or self._run("hash-object", "-t", "tree", "--stdin")).decode().strip()

    def is_commit(self, sha: str) -> bool:
        return is_sha(sha) and self._try("cat-file", "-e", f"{sha}^{{commit}}") is not None

    def files(self, sha: str) -> tuple[str, ...]:
        """Paths of all files of a commit."""
        listing = _text(self._run("ls-tree", "-r", "-z", "--name-only", sha))
        return tuple(path for path in listing.split("\0") if path)

    def content(self, sha: str, path: str) -> bytes | None:
        """A file's bytes at a commit; None when it is no file there."""
        try:
            return self._try("cat-file", "blob", f"{sha}:{path}")
        except ValueError:
            return None

    def blame(self, sha: str, path: str) -> tuple[BlamedLines, ...]:
        """Who wrote a file's lines last; none for what is no file."""
        if self.content(sha, path) is None:
            return ()
        listing = _text(self._run("blame", "--porcelain", sha, "--", path))
        mails = dict[str, str]()
        found: list[tuple[int, int, str]] = []
        commit = ""
        for line in listing.split("\n"):
            if group := _GROUP.fullmatch(line):
                commit = group[1]
                found.append((int(group[2]), int(group[2]) + int(group[3]) - 1, commit))
            elif line.startswith("author-mail "):
                mails[commit] = line.removeprefix("author-mail ").strip("<>")
        commits = {one: self.commits(one, limit=1)[0] for one in mails}
        return tuple(BlamedLines(first, last, commits[one], mails[one]) for first, last, one in found)

    def diff(self, old: str, new: str) -> tuple[ChangedFile, ...]:
        """What changed between two commits or trees, by file; bytes that are not UTF-8 are replaced."""
        options = ("--no-color", "--no-ext-diff", "--no-textconv", "--no-renames", "--submodule=short")
        names = _text(self._run("diff", "--name-status", "-z", *options, old, new)).split("\0")
        patch = _text(self._run("diff", *options, old, new))
        # Every line of a hunk starts with ' ', '+', '-', '@' or '\', and names are quoted: this is unique.
        parts = re.split(r"^(?=diff --git )", patch, flags=re.MULTILINE)[1:]
        return tuple(ChangedFile(*entry) for entry in zip(names[:-1:2], names[1::2], parts, strict=True))

    def merge_tree(self, base: str, head: str) -> str | None:
        """Tree that merging `head` into `base` gives; None on conflict. Needs git 2.38 or newer."""
        done = self._process("merge-tree", "--write-tree", "--no-messages", base, head)
        if done.returncode not in (0, 1):
            raise GitFailed(f"merging needs git 2.38 or newer: {_text(done.stderr).strip()[:200]}")
        return done.stdout.decode().strip() if done.returncode == 0 else None

    def merge_commit(self, tree: str, parents: tuple[str, ...], message: str, author: str) -> str:
        """Write what a merge by `author` (dated now) puts on a branch and return its sha; none moves."""
        return self._commit_tree(tree, parents, message, NAME=author, EMAIL=f"{author}@localhost")

    def _commit_tree(self, tree: str, parents: tuple[str, ...], message: str, **identity: str) -> str:
        env = {
            f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in identity.items()
        }
        ancestry = [argument for parent in parents for argument in ("-p", parent)]
        done = self._run("commit-tree", *ancestry, tree, env=env, stdin=message.encode(errors="replace"))
        return done.decode().strip()

    def _run(
        self, *arguments: str, env: dict[str, str] | None = None, cwd: Path | None = None, stdin: bytes = b""
    ) -> bytes:
        return _git(f"--git-dir={self.directory}", *arguments, env=env, cwd=cwd, stdin=stdin)

    def _try(self, *arguments: str) -> bytes | None:
        """Like `_run`, with None where git ends with an error."""
        done = self._process(*arguments)
        return done.stdout if done.returncode == 0 else None

    def _process(self, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        command = ("git", f"--git-dir={self.directory}", *arguments)
        return subprocess.run(command, env=environment(), capture_output=True, input=b"", check=False)


def _git(
    *arguments: str, env: dict[str, str] | None = None, cwd: Path | None = None, stdin: bytes = b""
) -> bytes:
    done = subprocess.run(
        ("git", *arguments),
        env=environment() | (env or {}),
        cwd=cwd,
        input=stdin,
        capture_output=True,
        check=False,
    )
    if done.returncode:
        raise GitFailed(_text(done.stderr).strip()[:500] or f"git ended with {done.returncode}")
    return done.stdout


def _text(data: bytes) -> str:
    return data.decode("utf-8", errors="replace")
