"""Each pattern of the product takes steps in proportion to the text, or it is said why that does not matter.

Patterns are found in the source by syntax, so that none is forgotten. Two packages have counts of their own
(`detect_errors/test_linear.py`, `core/untrusted/test_linear.py`); of the others each is counted here.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import pytest

from functions.validate_patch.capabilities.known import CAPABILITIES
from functions.validate_patch.capabilities.library import HARMLESS
from tests.linear import growth
from tests.unit.core.untrusted.test_linear import MODULES

ROOT = Path(__file__).parents[2]
_ASKING = {"compile", "match", "search", "sub", "subn", "fullmatch", "split", "findall", "finditer"}
COUNTED_APART = {
    *(Path(str(module.__file__)).relative_to(ROOT).as_posix() for module in MODULES),
    *(p.relative_to(ROOT).as_posix() for p in (ROOT / "functions/detect_errors").glob("*.py")),
}
SIZE = 100


@dataclass(frozen=True)
class Place:
    """A pattern in the source. text: "" for one that is put together as the program runs."""

    path: str
    name: str
    asked: frozenset[str]
    text: str | bytes
    flags: int = 0

    @property
    def id(self) -> str:
        return f"{self.path.removeprefix('functions/')} {self.name}"

    def compiled(self) -> re.Pattern[str]:
        """As it is asked: at one place, or anywhere."""
        text = self.text.decode("latin-1") if isinstance(self.text, bytes) else self.text
        made = re.compile(text, self.flags & ~re.LOCALE)
        bare = re.sub(r"\A\(\?[a-z]+\)", "", text)
        if self.asked <= {"fullmatch"}:
            return re.compile(rf"\A(?:{bare})\Z", made.flags)
        return re.compile(rf"\A(?:{bare})", made.flags) if self.asked <= {"match", "fullmatch"} else made


def places() -> Iterator[Place]:
    for path in sorted((ROOT / "functions").rglob("*.py")):
        short = path.relative_to(ROOT).as_posix()
        if short not in COUNTED_APART:
            yield from _of(short, path.read_text(encoding="utf-8"))


def _of(path: str, source: str) -> Iterator[Place]:
    module = ast.parse(source)
    named = {
        call: _target(statement)
        for statement in module.body
        if isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value is not None
        for call in ast.walk(statement.value)
    }
    for node in ast.walk(module):
        if not (isinstance(node, ast.Call) and ast.unparse(node.func).startswith("re.") and node.args):
            continue
        how = ast.unparse(node.func).removeprefix("re.")
        if how not in _ASKING:
            continue
        name = named.get(node, "")
        value = getattr(import_module(path[:-3].replace("/", ".")), name, None) if name else None
        if isinstance(value, re.Pattern):
            used = re.findall(rf"\b{name}\.(\w+)\(", source) if name.startswith("_") else []
            yield Place(path, name, frozenset(used) & _ASKING, value.pattern, value.flags & ~re.UNICODE)
        elif isinstance(node.args[0], ast.Constant):
            said = node.args[0].value
            assert isinstance(said, str | bytes)
            yield Place(path, repr(said), frozenset({how}), said)
        else:
            parts = (n.id for n in ast.walk(node.args[0]) if isinstance(n, ast.Name) and n.id != "re")
            yield Place(path, "of " + " ".join(dict.fromkeys(parts)), frozenset({how}), "")


def whole(pattern: re.Pattern[str]) -> re.Pattern[str]:
    """As `fullmatch` asks."""
    return re.compile(rf"\A(?:{pattern.pattern})\Z", pattern.flags)


def _target(statement: ast.Assign | ast.AnnAssign) -> str:
    return ast.unparse(statement.targets[0] if isinstance(statement, ast.Assign) else statement.target)


PLACES = {place.id: place for place in places()}

# Patterns that are put together as the program runs: what they are.
PUT_TOGETHER: dict[str, tuple[re.Pattern[str], ...]] = {
    "harness/interpreters.py of version": (re.compile(r"\A3\.12\.(\d+)\Z"),),
    "propose_patch/origins.py of name": (re.compile(r"(?<!\w)name(?!\w)"),),
    "runner/delivery.py of name": (re.compile(r"<Code>([^<]*)<"),),
    "validate_patch/capabilities/known.py of names": tuple(whole(power.names) for power in CAPABILITIES),
    "validate_patch/capabilities/library.py of HARMLESS module": tuple(
        whole(re.compile(rf"{names}(?:\.\w+)*")) for names in dict.fromkeys(HARMLESS.values())
    ),
    "validate_patch/principles/sources.py of keys": (
        re.compile(r"\b(?:key|name)(?:['\"]\s*[,:]|\s*+(?::[^=\n]{0,20})?=(?!=))"),
    ),
    "validate_patch/principles/sentences.py of words": (
        re.compile(r"(?<![\w-])the[_ ]name(?:s|e?d)?(?![\w-])"),
    ),
    "validate_patch/principles/sentences.py of word": (
        re.compile(r"(?<![\w.`'\"-])`?0(?:\.0*)?`?(?![\w-])"),
    ),
    "validate_patch/principles/results.py of word": (re.compile(r"(?<!\w)zero(?!\w)"),),
    "validate_patch/principles/brought.py of item": (re.compile(r"(?<![\w.])1\.5(?![\w.])"),),
    "validate_patch/judging.py of w": (re.compile(r"`?0(?:\.0*)?`?"), re.compile(r"\bempty\b")),
    "validate_patch/pieces.py of map unknown": (re.compile(r"id='one'|id='other'"),),
    "validate_patch/pieces.py of pattern": (re.compile(r"\AName\(id='\w+'\) (id='\w+')\Z"),),
}
NEVER_MET = {
    "core/model/sections.py of nonce": "a random number of ours, taken out of a text as it is",
    "validate_patch/scope.py of pattern": "paths of 1,000 bytes at most, of which more is refused before",
}
"""Put together of what no stranger wrote, or met by what is short."""
COUNTED = {
    **{place.id: place.compiled() for place in PLACES.values() if place.text},
    **{f"{name} {n}": made for name, all_of in PUT_TOGETHER.items() for n, made in enumerate(all_of)},
}


def test_each_pattern_is_counted_or_it_is_said_why_not() -> None:
    put_together = {place.id for place in PLACES.values() if not place.text}
    assert put_together == PUT_TOGETHER.keys() | NEVER_MET.keys()
    assert len(COUNTED) > 150


@pytest.mark.parametrize("name", COUNTED)
def test_twice_the_text_takes_twice_the_steps(name: str) -> None:
    times, text = growth(COUNTED[name], SIZE)
    assert times < 2.6, (times, text)


def test_a_pattern_that_is_not_linear_is_found_wherever_it_stands() -> None:
    source = "import re\n\ndef f(text):\n    return re.sub('a*a*b', '', text) or re.match(text, 'x')\n"
    found = list(_of("functions/rules.py", source))
    assert [(place.name, bool(place.text)) for place in found] == [("'a*a*b'", True), ("of text", False)]
    assert growth(found[0].compiled(), SIZE)[0] > 2.6
