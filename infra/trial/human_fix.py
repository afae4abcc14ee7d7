"""Fixes that people made: what changed a function that failed, in the history after the revision that ran."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from git import Git
from git.exc import GitCommandError

from functions.core.source.syntax_tree import functions_around, functions_of, parse
from functions.harness.names import is_test
from infra.trial.source import NO_COMMIT, LocalSource, git_of

_MOST_CHANGES = 200
"""Commits to the file that are looked at, oldest first."""


@dataclass(frozen=True, slots=True)
class HumanFix:
    """A commit that changed the function. diff: of its code, without its tests, against its parent."""

    sha: str
    said: str
    """Date, author and subject."""
    diff: bytes

    @property
    def text(self) -> str:
        """The diff, for reading."""
        return self.diff.decode(errors="replace")

    def to_json(self) -> dict[str, str]:
        return {"commit": self.sha, "said": self.said, "diff": self.text}


def changes(source: LocalSource, until: str, path: str, line: int) -> Iterator[HumanFix]:
    """The commits between the source's and `until` that changed the function around a line of the source,
    the oldest first."""
    if source.base_sha == NO_COMMIT:
        return
    text = next((member.data for member in source.members if member.path == path), b"")
    name = _function_at(text, line)
    git = git_of(source.root)
    try:
        listed = _ask(git, "rev-list", "--reverse", "--no-merges", f"{source.base_sha}..{until}", "--", path)
        before = _source_of(text, name)
        for sha in listed.split()[:_MOST_CHANGES]:
            after = _source_of(_ask(git, "show", f"{sha}:./{path}").encode(), name)
            if after not in ("", before):
                yield HumanFix(sha, _ask(git, "show", "-s", "--format=%as %an: %s", sha), _diff(git, sha))
            before = after or before
    except GitCommandError:
        return  # the file is gone, or the first commit has no parent
    finally:
        git.clear_cache()


def _diff(git: Git, sha: str) -> bytes:
    """Of the code alone: tests that it brings would be the patch's own."""
    changed = _ask(
        git, "diff", "--relative", "--no-renames", "--name-only", "--diff-filter=AM", f"{sha}^", sha
    )
    code = [path for path in changed.splitlines() if path.endswith(".py") and not is_test(path)]
    diff = _ask(git, "diff", "--relative", "--no-renames", "--full-index", f"{sha}^", sha, "--", *code)
    return f"{diff}\n".encode()


def _ask(git: Git, *arguments: str) -> str:
    return str(git.execute(["git", *arguments], strip_newline_in_stdout=False)).rstrip("\n")


def _function_at(text: bytes, line: int) -> str:
    """The innermost function or method around a line, as `Class.name`; "" for a module's own code."""
    tree = parse(text)
    found = functions_around(tree, line) if tree is not None else []
    return found[-1][0] if found else ""


def _source_of(text: bytes, name: str) -> str:
    """What the function says, whatever its place and comments; "" where there is none."""
    tree = parse(text)
    found = functions_of(tree).get(name) if tree is not None else None
    return ast.dump(found) if found is not None else ""
