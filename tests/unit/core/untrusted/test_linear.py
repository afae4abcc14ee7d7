"""Every pattern that meets strangers' text takes steps in proportion to it, counted on texts made from it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from types import ModuleType

import pytest

from functions.commit_patch import message
from functions.core.untrusted import hidden, inert, personal_data, redaction, secret_shapes
from functions.create_pull_request import markdown
from functions.install_dependencies import poetry, requirement, requirements_files
from tests.linear import growth, steps

MODULES = (
    *(hidden, inert, markdown, message, personal_data, poetry, redaction, secret_shapes),
    *(requirement, requirements_files),
)
SIZE = 100
# What goes back over a bounded length is counted on texts that are longer than that.
LONGER = {"redaction._NAMES_A_SECRET 0": 400, "secret_shapes._CONNECTION 0": 400}
# Asked whether they match one value from its beginning, or all of it, and never looked for in a text.
ANCHORED = {
    "personal_data": ("_CARD_ISSUER",),
    "redaction": ("_CHOSEN_BY_PEOPLE", "_COUNT", "_IDENTIFIER", "_NAMES_A_SECRET", "_NUMBER", "_WORDS"),
    "secret_shapes": ("_CREDENTIAL", "_KEY_BODY", "_TEMPLATE"),
    "requirement": ("_SHA256",),
    "requirements_files": ("_FILE", "_ITSELF", "_OPTION"),
}


def patterns() -> Iterator[tuple[str, re.Pattern[str]]]:
    for module in MODULES:
        yield from in_module(module)
    # One by one, as they are alternatives of one pattern that would take long to count.
    for before, body in secret_shapes._PREFIXED.items():
        yield f"secret_shapes {before}", re.compile(f"(?<![A-Za-z0-9]){before}{body}")
    for number, (kind, pattern) in enumerate(redaction._detectors()):
        yield f"detect-secrets {kind} {number}", pattern


def in_module(module: ModuleType) -> Iterator[tuple[str, re.Pattern[str]]]:
    for name, value in vars(module).items():
        fields = value if isinstance(value, tuple) else ((name, value),)
        for number, field in enumerate(fields):
            one = field[-1] if isinstance(field, tuple) else field
            if isinstance(one, re.Pattern) and name != "_TOKEN":
                short = module.__name__.rpartition(".")[2]
                yield f"{short}.{name} {number}", anchored(one) if name in ANCHORED.get(short, ()) else one


def anchored(pattern: re.Pattern[str]) -> re.Pattern[str]:
    return re.compile(rf"\A(?:{pattern.pattern.removeprefix('(?i)')})\Z", pattern.flags)


PATTERNS = dict(patterns())


@pytest.mark.parametrize("name", PATTERNS)
def test_twice_the_text_takes_twice_the_steps(name: str) -> None:
    times, text = growth(PATTERNS[name], LONGER.get(name, SIZE))
    assert times < 2.6, (times, text)


@pytest.mark.parametrize(
    ("pattern", "text", "at_least", "size"),
    [
        (r"(?:a+)+b", "a" * 12, 2**11, 20),
        (r"a*a*b", "a" * 100, 100**2, 30),
        (r"x[^y]*y", "x" * 200, 200**2 / 4, 60),
    ],
)
def test_what_is_not_linear_is_seen(pattern: str, text: str, at_least: int, size: int) -> None:
    assert steps(re.compile(pattern), text) > at_least
    assert growth(re.compile(pattern), size)[0] > 2.6


@pytest.mark.parametrize("pattern", [r"\d+(?=x)", r"(?<!a)b++c", r"(\w)-\1", r"a{2,4}?b", r"(?i)[^\W\d]k|$"])
@pytest.mark.parametrize("text", ["12x 34", "bbc abbc", "a-a b-c", "aaab", "Zk zK"])
def test_the_walk_finds_what_re_finds(pattern: str, text: str) -> None:
    from tests.linear import _Matcher

    compiled = re.compile(pattern)
    matcher = _Matcher(compiled, text, 10_000)
    for at in range(len(text) + 1):
        match = compiled.match(text, at)
        assert next(matcher._sequence(matcher.items, 0, at), None) == (match.end() if match else None)
