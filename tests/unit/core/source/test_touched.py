"""Lines that a patch touches, in the files as they were."""

from __future__ import annotations

import pytest

from functions.core.source.touched import touched
from functions.validate_patch.diff import patch_of
from functions.validate_patch.tree import Change, File

OLD = b"".join(b"%d\n" % n for n in range(1, 31))


def _patch(path: str, before: bytes | None, after: bytes | None) -> bytes:
    made = [None if data is None else File(data) for data in (before, after)]
    return patch_of([Change(path, *made)])


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        pytest.param(OLD, OLD.replace(b"\n5\n", b"\nfive\n"), {5}, id="replaced"),
        pytest.param(OLD, OLD.replace(b"\n5\n6\n", b"\n"), {5, 6}, id="removed"),
        pytest.param(OLD, OLD.replace(b"\n5\n", b"\n5\nnew\n"), {5, 6}, id="added"),
        pytest.param(OLD, b"new\n" + OLD, {1}, id="added at the top"),
        pytest.param(OLD, OLD + b"new\n", {30, 31}, id="added at the end"),
        pytest.param(OLD, OLD.replace(b"\n5\n", b"\nx\n").replace(b"25", b"y"), {5, 25}, id="two hunks"),
        pytest.param(b"-- a\n", b"++ b\n", {1}, id="code that looks like a heading"),
        pytest.param(b"a", b"b", {1}, id="no end of line"),
        pytest.param(None, OLD, set(), id="a new file"),
        pytest.param(b"", OLD, set(), id="an empty file"),
    ],
)
def test_lines_are_those_that_go_and_those_beside_what_comes(
    before: bytes | None, after: bytes, expected: set[int]
) -> None:
    assert touched(_patch("a b.py", before, after)) == {"a b.py": frozenset(expected)}


def test_names_are_read_as_git_quotes_them_and_files_apart() -> None:
    names = ['naïve "a".py', "plain.py"]
    patch = b"".join(_patch(name, b"1\n2\n", b"1\nx\n") for name in names)
    assert touched(patch) == {name: frozenset({2}) for name in names}


@pytest.mark.parametrize("text", [b"", b"no patch", b"--- a/x.py\n+++ b/x.py\n@@ -1,9 +1,9 @@\n-cut"])
def test_what_is_no_patch_touches_what_it_says(text: bytes) -> None:
    assert touched(text) in ({}, {"x.py": frozenset({1})})
