"""Which paths are tests, by the names that pytest and unittest use."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

_TEST_DIRECTORIES = frozenset({"test", "tests", "testing"})
_TEST_NAME = re.compile(r"test_.*\.py|.*_test\.py|tests?\.py|conftest\.py")


def is_test(path: str) -> bool:
    """Whether a path is test code."""
    pure = PurePosixPath(path)
    return bool(_TEST_DIRECTORIES & set(pure.parts[:-1])) or _TEST_NAME.fullmatch(pure.name) is not None
