"""CloudWatch Logs filter patterns: terms, phrases, regular expressions and JSON conditions.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
Space-delimited patterns (`[ip, user, ...]`) are not supported.
"""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

Matcher = Callable[[str], bool]
Condition = Callable[[Any], bool]

_TERM = re.compile(r'(?P<sign>[?-]?)(?:"(?P<phrase>(?:\\.|[^"\\])*)"|%(?P<regex>[^%]+)%|(?P<word>[^\s"]+))')


class InvalidPattern(ValueError):
    """The filter pattern does not follow the syntax. The message says where."""


@lru_cache(maxsize=64)
def compile_pattern(pattern: str) -> Matcher:
    """A predicate on log messages. Terms are case-sensitive. An empty pattern matches everything.

    Raises InvalidPattern.
    """
    text = pattern.strip()
    if text.startswith("{"):
        return _json_matcher(text)
    if text.startswith("["):
        raise InvalidPattern("space-delimited patterns are not supported")
    required: list[Matcher] = []
    excluded: list[Matcher] = []
    optional: list[Matcher] = []
    for match in _TERM.finditer(text):
        target = {"": required, "-": excluded, "?": optional}[match["sign"]]
        target.append(_term(match))

    def matches(message: str) -> bool:
        if any(term(message) for term in excluded) or not all(term(message) for term in required):
            return False
        # Optional terms are ignored when others are required.
        return bool(required) or not optional or any(term(message) for term in optional)

    return matches


def _term(match: re.Match[str]) -> Matcher:
    if match["regex"] is not None:
        expression = re.compile(match["regex"])
        return lambda message: expression.search(message) is not None
    text = match["word"] if match["word"] is not None else re.sub(r"\\(.)", r"\1", match["phrase"])
    return lambda message: text in message


def _json_matcher(pattern: str) -> Matcher:
    condition = _Parser(pattern).parse()

    def matches(message: str) -> bool:
        # JSON patterns never match a plain line.
        try:
            data = json.loads(message)
        except ValueError:
            return False
        return isinstance(data, dict | list) and condition(data)

    return matches


_TOKEN = re.compile(
    r"""\s*(?:
        (?P<op>&&|\|\||!=|<=|>=|=|<|>|\(|\))
      | (?P<selector>\$(?:\.[\w@-]+|\.?\[(?:"[^"]+"|'[^']+'|\d+)\])+)
      | "(?P<string>(?:\\.|[^"\\])*)"
      | %(?P<regex>[^%]+)%
      | (?P<word>[^\s()"=!<>&|]+)
    )""",
    re.VERBOSE,
)
_ORDER = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
_MISSING = object()


class _Parser:
    """Recursive descent over `{ condition }`: `||` of `&&` of conditions or parentheses."""

    def __init__(self, pattern: str) -> None:
        if not pattern.endswith("}"):
            raise InvalidPattern("a JSON pattern ends with '}'")
        self.tokens: list[tuple[str, str]] = []
        body = pattern[1:-1].rstrip()
        position = 0
        while position < len(body):
            match = _TOKEN.match(body, position)
            if match is None or match.lastgroup is None:
                raise InvalidPattern(f"unexpected text at {body[position:][:20]!r}")
            self.tokens.append((match.lastgroup, match[match.lastgroup]))
            position = match.end()

    def parse(self) -> Condition:
        condition = self._any()
        if self.tokens:
            raise InvalidPattern(f"unexpected {self.tokens[0][1]!r}")
        return condition

    def _take(self) -> tuple[str, str]:
        if not self.tokens:
            raise InvalidPattern("the pattern ends too early")
        return self.tokens.pop(0)

    def _any(self) -> Condition:
        parts = [self._all()]
        while self.tokens[:1] == [("op", "||")]:
            self._take()
            parts.append(self._all())
        return lambda data: any(part(data) for part in parts)

    def _all(self) -> Condition:
        parts = [self._one()]
        while self.tokens[:1] == [("op", "&&")]:
            self._take()
            parts.append(self._one())
        return lambda data: all(part(data) for part in parts)

    def _one(self) -> Condition:
        kind, text = self._take()
        if (kind, text) == ("op", "("):
            inner = self._any()
            if self._take() != ("op", ")"):
                raise InvalidPattern("missing ')'")
            return inner
        if kind != "selector":
            raise InvalidPattern(f"expected a selector such as $.level, not {text!r}")
        kind, comparison = self._take()
        if kind == "op" and comparison in ("=", "!=", *_ORDER):
            test = _comparison(comparison, *self._take())
        else:
            _, word = self._take()
            test = _keyword(f"{comparison} {word}".upper())
        return lambda data: test(_select(data, text))


def _keyword(words: str) -> Condition:
    tests: dict[str, Condition] = {
        "IS TRUE": lambda value: value is True,
        "IS FALSE": lambda value: value is False,
        "IS NULL": lambda value: value is None,
        "NOT EXISTS": lambda value: value is _MISSING,
    }
    if words not in tests:
        raise InvalidPattern(f"unknown condition {words!r}")
    return tests[words]


def _comparison(comparison: str, kind: str, text: str) -> Condition:
    number = _number(text) if kind == "word" else None
    if comparison in _ORDER:
        if number is None:
            raise InvalidPattern(f"{comparison} needs a number, not {text!r}")
        order = _ORDER[comparison]
        return lambda value: _is_number(value) and bool(order(value, number))
    if kind == "regex":
        expression = re.compile(text)
        equals: Condition = lambda value: expression.search(_text(value)) is not None  # noqa: E731 (one of three)
    elif number is not None:
        equals = lambda value: value == number if _is_number(value) else _text(value) == text  # noqa: E731
    else:
        # `*` is the only wildcard.
        text = re.sub(r"\\(.)", r"\1", text) if kind == "string" else text
        glob = re.compile(".*".join(re.escape(part) for part in text.split("*")), re.DOTALL)
        equals = lambda value: glob.fullmatch(_text(value)) is not None  # noqa: E731
    if comparison == "=":
        return lambda value: value is not _MISSING and equals(value)
    return lambda value: value is not _MISSING and not equals(value)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _select(data: Any, selector: str) -> Any:
    for plain, quoted, index in re.findall(r"""\.([\w@-]+)|\[["']([^"']+)["']\]|\[(\d+)\]""", selector):
        name = plain or quoted
        if index and isinstance(data, list) and int(index) < len(data):
            data = data[int(index)]
        elif name and isinstance(data, dict) and name in data:
            data = data[name]
        else:
            return _MISSING
    return data
