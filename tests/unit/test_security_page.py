"""Every row of the security page names a test that exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / ".github" / "SECURITY.md"
_TEST = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


def rows() -> list[str]:
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    return [
        line for line in lines if line.startswith("|") and not line.startswith(("|---", "| what they try"))
    ]


def test_every_row_names_a_test_that_exists() -> None:
    assert len(rows()) > 30
    for row in rows():
        what, why, test = (cell.strip() for cell in row.strip("|").split("|"))
        named = _TEST.fullmatch(test)
        assert what, row
        assert why, row
        assert named, row
        tree = ast.parse((ROOT / named[1]).read_text(encoding="utf-8"))
        assert named[2] in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, row


def test_no_test_stands_for_two_rows() -> None:
    tests = [named[0] for row in rows() if (named := _TEST.search(row))]
    assert len(tests) == len(set(tests))
