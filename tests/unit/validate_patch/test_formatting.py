"""Formatting outside of the changed lines stays as it is."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from functions.core.workflow.proposal import Proposal
from functions.core.workflow.validation_context import ValidationContext
from functions.validate_patch import formatting
from functions.validate_patch.candidate import Candidate
from functions.validate_patch.rules import Rules
from functions.validate_patch.tree import File, changes_between

CODE = "".join(f"value_{n} = call({n}, 'x')\n" for n in range(10)).encode()


@pytest.mark.parametrize(
    ("before", "after", "why"),
    [
        pytest.param(CODE, CODE.replace(b"(3,", b"(33,"), "", id="one line"),
        pytest.param(CODE, CODE.replace(b"(", b"( "), "only in white space", id="every line respaced"),
        pytest.param(CODE, CODE.replace(b"\n", b"\r\n"), "LF to CRLF", id="line endings"),
        pytest.param(CODE, CODE.rstrip(b"\n"), "newline at the end", id="last newline"),
        pytest.param(CODE, CODE + b"more = call(11, 'y')", "", id="another last line, without one"),
        pytest.param(b"\xef\xbb\xbf" + CODE, CODE, "byte order mark", id="byte order mark"),
        pytest.param(None, b"x = 1\r\n", "CRLF", id="a new file with CRLF"),
        pytest.param(
            b"a = 1\nb = 2\nc = 3\n",
            b"if ready:\n    a = 1\n    b = 2\n    c = 3\n",
            "",
            id="lines moved under a condition",
        ),
    ],
)
def test_formatting(
    before: bytes | None,
    after: bytes,
    why: str,
    facts_of: Callable[..., ValidationContext],
    propose: Callable[..., Proposal],
) -> None:
    old = {"a.py": File(before)} if before is not None else {}
    new = {"a.py": File(after)}
    context = facts_of("KeyError")
    rules = Rules.of(context.app, old)
    found = formatting.findings(Candidate(old, new, changes_between(old, new), propose(), context, rules))
    assert bool(found) == bool(why)
    assert why in "".join(found)
