"""The patch is what git makes of it: `git apply --index` gives exactly the validated tree, byte for byte."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from functions.validate_patch.diff import changed_lines, patch_of
from functions.validate_patch.tree import EXECUTABLE, Change, File, Tree, changes_between


def git(folder: Path, *arguments: str, data: bytes = b"") -> bytes:
    command = ["git", "-c", "core.autocrlf=false", "-c", "core.quotePath=true", *arguments]
    return subprocess.run(command, cwd=folder, input=data, capture_output=True, check=True).stdout


def applied_by_git(before: Tree, patch: bytes) -> dict[str, tuple[bytes, bool]]:
    """Commit a tree in a fresh repository, apply the patch to index and work tree, and read it back."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        git(folder, "init", "-q")
        for path, file in before.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(file.data)
            (folder / path).chmod(file.mode & 0o777)
        git(folder, "add", "-A")
        git(folder, "apply", "--index", "--whitespace=nowarn", "-", data=patch)
        listed = git(folder, "ls-files", "-s", "-z").decode().split("\0")
        found = {}
        for entry in filter(None, listed):
            mode, blob, rest = entry.split(" ", 2)
            found[rest.partition("\t")[2]] = (git(folder, "cat-file", "blob", blob), mode == "100755")
        return found


def as_git(tree: Tree) -> dict[str, tuple[bytes, bool]]:
    return {path: (file.data, file.mode == EXECUTABLE) for path, file in tree.items()}


LINES = "".join(f"line {n}\n" for n in range(40)).encode()


def with_lines(*numbers: int) -> bytes:
    """LINES with some of them changed."""
    return "".join(f"{'new' if n in numbers else 'line'} {n}\n" for n in range(40)).encode()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(b"a\nb\nc\n", b"a\nB\nc\n", id="one line"),
        pytest.param(b"a\nb", b"a\nb\n", id="newline added at the end"),
        pytest.param(b"a\nb\n", b"a\nb", id="newline removed at the end"),
        pytest.param(b"a\nb", b"a\nc", id="no newline at the end"),
        pytest.param(b"a\r\nb\r\n", b"a\r\nc\r\n", id="CRLF"),
        pytest.param(b"a\rb\n", b"a\rc\n", id="a lone CR is no line end"),
        pytest.param(LINES, with_lines(3, 30), id="two hunks"),
        pytest.param(LINES, with_lines(3, 9, 10), id="hunks that touch"),
        pytest.param(LINES, with_lines(3, 11), id="hunks just apart"),
        pytest.param(LINES, b"new\n" + LINES, id="at the start"),
        pytest.param(LINES, LINES + b"new\n", id="at the end"),
        pytest.param(b"b\n", b"a\nb\na\n", id="around a line"),
        pytest.param(None, b"new\n", id="a new file"),
        pytest.param(None, b"new", id="a new file without a newline"),
        pytest.param(None, b"", id="a new empty file"),
        pytest.param(b"", b"now\n", id="an empty file gets content"),
        pytest.param("é\n".encode("latin-1"), "è\n".encode("latin-1"), id="latin-1"),
    ],
)
@pytest.mark.parametrize("path", ["a.py", "dir/with space.py", "ünï.py"])
def test_git_applies_it(before: bytes | None, after: bytes, path: str) -> None:
    old: dict[str, File] = {"other.py": File(b"same\n")}
    if before is not None:
        old[path] = File(before)
    new = {**old, path: File(after)}
    assert applied_by_git(old, patch_of(changes_between(old, new))) == as_git(new)


text = st.lists(st.sampled_from([b"a\n", b"b\n", b"c\r\n", b"\n", b"d"]), max_size=30).map(b"".join)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(before=text, after=text)
def test_git_applies_any_change(before: bytes, after: bytes) -> None:
    old, new = {"a.py": File(before), "b.py": File(b"b\n")}, {"a.py": File(after), "b.py": File(b"b\n")}
    if before != after:
        assert applied_by_git(old, patch_of(changes_between(old, new))) == as_git(new)


def test_same_trees_give_the_same_bytes_whatever_their_order() -> None:
    old = {"b.py": File(b"1\n"), "a.py": File(b"1\n")}
    new = {"a.py": File(b"2\n"), "b.py": File(b"2\n")}
    reversed_new = dict(reversed(new.items()))
    assert patch_of(changes_between(old, new)) == patch_of(changes_between(old, reversed_new))


def test_changed_lines_are_numbered_from_one() -> None:
    lines = changed_lines(Change("a.py", File(b"a\nb\nc\n"), File(b"a\nB\nc\nd\n")))
    assert (lines.removed, lines.added) == (frozenset({2}), frozenset({2, 4}))


def test_large_files_cost_little() -> None:
    big = b"".join(b"line %d\n" % n for n in range(100_000))
    changed = big.replace(b"line 50000\n", b"changed\n")
    assert patch_of([Change("a.py", File(big), File(changed))]).count(b"\n") == 13
