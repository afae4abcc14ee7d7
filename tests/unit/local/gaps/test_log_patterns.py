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


@pytest.mark.parametrize(
    ("pattern", "message", "expected"),
    [
        ('{ $.level = "ERROR" }', '{"level": "ERROR"}', True),
        ('{ $.level = "ERROR" }', '{"level": "error"}', False),
        ("{ $.level = ERROR }", '{"level": "ERROR"}', True),
        ('{ $.level = "ERROR" }', 'level = "ERROR"', False),
        ('{ $.level = "ERROR" || $.level = "CRITICAL" }', '{"level": "CRITICAL"}', True),
        ('{ $.level = "ERROR" && $.app != "noisy" }', '{"level": "ERROR", "app": "noisy"}', False),
        ("{ ($.a = 1 || $.b = 1) && $.c = 1 }", '{"b": 1, "c": 1}', True),
        ("{ $.a = 1 || $.b = 1 && $.c = 1 }", '{"a": 1}', True),
        ('{ $.type = "Key*" }', '{"type": "KeyError"}', True),
        ("{ $.ip != 10.0.* }", '{"ip": "10.0.0.7"}', False),
        ("{ $.ip != 10.0.* }", "{}", False),
        ("{ $.count >= 10 }", '{"count": 10}', True),
        ("{ $.count > 10 }", '{"count": "11"}', False),
        ("{ $.ratio = 1e-1 }", '{"ratio": 0.1}', True),
        ("{ $.error IS NULL }", '{"error": null}', True),
        ("{ $.error IS NULL }", "{}", False),
        ("{ $.error NOT EXISTS }", "{}", True),
        ("{ $.fatal IS TRUE }", '{"fatal": true}', True),
        ("{ $.fatal IS FALSE }", '{"fatal": true}', False),
        ('{ $.exception.names[1] = "b" }', '{"exception": {"names": ["a", "b"]}}', True),
        ('{ $.["a.b"] = 1 }', '{"a.b": 1}', True),
        ("{ $.['a.b'][0] = 1 }", '{"a.b": [1]}', True),
        ("{ $.message = %time.?out% }", '{"message": "a timeout"}', True),
    ],
)
def test_json(pattern: str, message: str, expected: bool) -> None:
    assert compile_pattern(pattern)(message) is expected


@pytest.mark.parametrize(
    "pattern",
    [
        "{ $.level = }",
        "{ $.level }",
        "{ level = 1 }",
        "{ ($.a = 1 }",
        "{ $.a = 1",
        "{ $.a > b }",
        "{ $.a = 1 1 }",
        "[ip]",
    ],
)
def test_what_is_refused(pattern: str) -> None:
    with pytest.raises(InvalidPattern):
        compile_pattern(pattern)
