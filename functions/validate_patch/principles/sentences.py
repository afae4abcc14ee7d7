"""Sentences of documentation: what they are about, and what they give where something is missing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from functions.validate_patch.principles.results import is_nothing

_ABSENCE = re.compile(
    r"\b(?:default\w*|optional\w*|missing|absent|without|lacks?|empty|blank|omit\w*|unless|unknown|unset|none|null"
    r"|nothing|nobody|otherwise|else|if not|not given|not there|no\b|no more|when there (?:is|are) no"
    r"|may be|can be|(?:do|does|did|is|are) not|fall\w* back|skip\w*|ignor\w*|unlisted|not listed|left out"
    r"|at most|at least|never|only"
    r"|up to|any other)"
)
_FILLING = frozenset(
    {"that", "with", "without", "from", "where", "when", "what", "thi", "have", "then", "none"}
)
_GENERIC = frozenset(
    {"self", "cls", "get", "data", "value", "values", "item", "items", "result", "key", "keys", "row", "rows"}
    | {
        "obj",
        "len",
        "str",
        "int",
        "float",
        "name",
        "names",
        "text",
        "number",
        "list",
        "dict",
        "sum",
        "max",
        "min",
    }
    | {"none", "return", "path", "file", "type", "record", "records", "event", "body", "for", "and", "not"}
)
_IN_WORDS: dict[float, tuple[str, ...]] = {
    0.0: ("zero", "nothing", "free"),
    1.0: ("one", "first", "starts at 1"),
}
_OF_KIND: dict[str, tuple[str, ...]] = {"str": ('""', "''", "no text"), "list": (r"\[\]", "no list")}


def split(text: str) -> list[str]:
    """Sentences, and rows of tables and lists, in lower case."""
    parts = re.split(r"(?<=[.!?])\s+|(?<=:)\s*\n|\n\s*\n|\n\s*[-*|]", text.lower())
    return [" ".join(part.split()) for part in parts if part.strip()]


def speaks_of_absence(sentence: str) -> bool:
    """Whether a sentence speaks of something that is missing."""
    return bool(_ABSENCE.search(sentence))


def says(sentence: str, words: Sequence[str]) -> bool:
    """Whether a sentence speaks of an absence, and spells a value besides."""
    for word in words:
        for found in re.finditer(rf"(?<![\w.`'\"-]){word}(?![\w-])", sentence):
            rest = sentence[: found.start()] + " " + sentence[found.end() :]
            if _ABSENCE.search(rest) or re.match(
                r"[`'\"]?\s+(?:for|if|when|where|in case)\b", sentence[found.end() :]
            ):
                return True
    return False


def spellings(value: Any, named: Sequence[str] = ()) -> list[str]:
    """Patterns of how documentation writes a value, or a constant's name."""
    found = [re.escape(name.lower()).replace("_", "[_ ]") for name in named if len(name) > 2]
    found = [f"[`'\"]?(?:\\w+\\.)?{word}[`'\"]?" for word in found]
    if value is None:
        return [*found, "`?(?:none|null)`?", "nothing", "(?:stays?|becomes?|remains?) missing"]
    if isinstance(value, bool):
        return [*found, *(("true", "on") if value else ("false", "off"))]
    if isinstance(value, int | float):
        return [*found, rf"`?{re.escape(f'{value:g}')}(?:\.0+)?`?", *_IN_WORDS.get(float(value), ())]
    if isinstance(value, str) and value:
        quoted = "*" if value.isupper() and len(value) > 1 else "+"  # a code is a value wherever it stands
        return [*found, f"[`'\"]{quoted}{re.escape(value.lower())}[`'\"]{quoted}"]
    if is_nothing(value):
        return [*found, "empty", "nothing", "blank", *_OF_KIND.get(type(value).__name__, ())]
    return found


def names_any(sentence: str, keys: frozenset[str]) -> bool:
    """Whether a sentence names a key, an attribute or a parameter as a whole, or in the plural."""
    for key in keys:
        words = re.escape(key.lower()).replace("_", "[_ ]")
        if re.search(rf"(?<![\w-]){words}(?:s|e?d)?(?![\w-])", sentence):
            return True
    return False


def content(sentence: str) -> set[str]:
    """The words of a sentence that tell what it is about, in the singular."""
    return {word.rstrip("s") for word in re.findall(r"[a-z]{4,}", sentence)} - _FILLING


def telling(names: set[str]) -> frozenset[str]:
    return frozenset(name for name in names if len(name) > 2 and name.lower() not in _GENERIC)


def parts(name: str) -> list[str]:
    return [part.lower() for part in re.split(r"_|(?<=[a-z])(?=[A-Z])", name) if len(part) > 2]
