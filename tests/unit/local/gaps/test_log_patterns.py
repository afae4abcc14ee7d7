"""Filter patterns, by the examples of the CloudWatch Logs guide and by what this project subscribes with."""

from __future__ import annotations

import pytest

from infra.local.gaps.log_patterns import InvalidPattern, compile_pattern


@pytest.mark.parametrize(
    ("pattern", "message", "expected"),
    [
        ("", "anything", True),
        ("ERROR", "[ERROR] 400 BAD REQUEST", True),
        ("ERROR", "[error] 400", False),
        ("ERROR REQUEST", "[ERROR] 400 BAD REQUEST", True),
        ("ERROR REQUEST", "[ERROR] 401 UNAUTHORIZED", False),
        ("?ERROR ?Traceback", "Traceback (most recent call last):", True),
        ("?ERROR ?Traceback", "INFO started", False),
        ("ERROR ?timeout", "ERROR 400", True),
        ('"BAD REQUEST"', "ERROR BAD REQUEST", True),
        ('"BAD REQUEST"', "ERROR REQUEST BAD", False),
        ('?"Task timed out" ?"[ERROR]"', "2026 Task timed out after 3.00 seconds", True),
        ("ERROR -EXPECTED", "ERROR 400", True),
        ("ERROR -EXPECTED", "ERROR EXPECTED", False),
        ('-"not this"', "not this one", False),
        (r"%\w+Error%", "raised a KeyError", True),
        (r'"say \"hi\""', 'say "hi"', True),
    ],
)
def test_terms(pattern: str, message: str, expected: bool) -> None:
    assert compile_pattern(pattern)(message) is expected


@pytest.mark.parametrize("pattern", ['{ $.level = "ERROR" }', "[ip]"])
def test_what_is_refused(pattern: str) -> None:
    with pytest.raises(InvalidPattern):
        compile_pattern(pattern)
