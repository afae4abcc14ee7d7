"""Words in names, and which names are so close that one is a misspelling of the other."""

from __future__ import annotations

import re
from collections.abc import Iterable

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_SHORT, _LONG = 4, 8
"""Letters up to which a replaced letter makes another word; from which two slips are one misspelling."""
_MARGIN = 0.06
"""How much better the best match must be than the second for it to be the only candidate."""


def words(name: str) -> list[str]:
    """The words of an identifier, lower case and singular: `TAX_RATES` and `taxRate` are [tax, rate]."""
    return [_singular(word.lower()) for word in _WORD.findall(name)]


def _singular(word: str) -> str:
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("xes", "ches", "shes", "sses")):
        return word[:-2]
    if word.endswith("s") and not word.endswith(("ss", "us", "is")) and len(word) > 3:
        return word[:-1]
    return word


def phrase(name: str) -> str:
    """The words of an identifier as text, for messages: `UnknownTaxRegion` is `unknown tax region`."""
    return " ".join(word.lower() for word in _WORD.findall(name))


def closest(name: str, candidates: Iterable[str]) -> str | None:
    """The one candidate that `name` is a misspelling of; None when there is none or more than one."""
    ranked = sorted(((_similarity(name, other), other) for other in set(candidates) - {name}), reverse=True)
    ranked = [pair for pair in ranked if pair[0] > 0]
    if not ranked or (len(ranked) > 1 and ranked[0][0] - ranked[1][0] < _MARGIN):
        return None
    return ranked[0][1]


def _similarity(left: str, right: str) -> float:
    """How likely one name is a slip of the other, 0 to 1: the least similar of their words decides.

    Names with other words (`customer`, `customer_id`; `min_price`, `max_price`) are other names, and so are
    singular and plural: a loop variable that was never bound is not its sequence misspelt.
    """
    if _kind(left) != _kind(right):
        return 0.0
    if left.replace("_", "").lower() == right.replace("_", "").lower():
        return 1.0
    a, b = phrase(left).split(), phrase(right).split()
    if len(a) != len(b) or words(left) == words(right):
        return 0.0
    return min(_word_similarity(x, y) for x, y in zip(a, b, strict=True))


def _kind(name: str) -> str:
    """What the spelling says a name is: an undefined `app` is not the class `App`."""
    bare = name.lstrip("_")
    if bare.isupper():
        return "constant"
    return "class" if bare[:1].isupper() else "variable"


def _word_similarity(a: str, b: str) -> float:
    """1 minus the share of slips (a letter added, missing, replaced, or two swapped); 0 for other words."""
    if a == b:
        return 1.0
    if a.isdigit() or b.isdigit() or min(len(a), len(b)) < 3:
        return 0.0
    slips, size = _slips(a, b), max(len(a), len(b))
    allowed = 2 if min(len(a), len(b)) >= _LONG else 1
    replaced = len(a) == len(b) and sorted(a) != sorted(b)
    if slips > allowed or (replaced and size <= _SHORT):
        return 0.0
    return 1 - slips / size if a[0] == b[0] or sorted(a) == sorted(b) else 0.0


def _slips(a: str, b: str) -> int:
    """Damerau-Levenshtein distance (adjacent transpositions count one)."""
    rows = [list(range(len(b) + 1))]
    for i, x in enumerate(a, 1):
        row = [i]
        for j, y in enumerate(b, 1):
            row.append(min(rows[-1][j] + 1, row[-1] + 1, rows[-1][j - 1] + (x != y)))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                row[-1] = min(row[-1], rows[-2][j - 2] + 1)
        rows.append(row)
    return rows[-1][-1]
