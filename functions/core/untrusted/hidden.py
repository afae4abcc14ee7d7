"""Text that reads otherwise than it is: the one list of it, for gates, page, command line and pull request.

Characters that cannot be seen, or that reorder what can ("Trojan Source", CVE-2021-42574), and words whose
letters come from scripts that look alike (CVE-2021-42694).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

# Unicode 16: Default_Ignorable_Code_Point (DerivedCoreProperties.txt), then format and control characters
# (but line break and tab), line and paragraph separators, the braille blank, and lone surrogates, which
# cannot be encoded at all. Left out: signs of general category Cf that are drawn (ARABIC NUMBER SIGN).
# https://www.unicode.org/Public/16.0.0/ucd/DerivedCoreProperties.txt
_CHARACTERS = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\ud800-\udfff\U00013430-\U0001345f"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
# One selector of a picture's colours behind it, and one joiner between two pictures, are how emoji are
# written; more of them, or elsewhere, is how text is hidden. https://www.unicode.org/reports/tr51/
_PICTURE = "[\u00a9\u00ae\u203c-\u3299\U0001f000-\U0001faff]"
_EMOJI = f"(?<={_PICTURE})\ufe0f?\u200d(?={_PICTURE})|(?<={_PICTURE})[\ufe0e\ufe0f]"
_HIDDEN = re.compile(f"(?P<usual>{_EMOJI}|\r(?=\n))|[{_CHARACTERS}]")
_COLOURS = re.compile(r"\x1b\[[0-9;:?]{0,40}[ -/]{0,8}[@-~]")
_WORD = re.compile(r"[^\W\d_]{2,80}")
# Letters that Unicode's list of confusables draws as Latin ones; whole words of them are words in Russian or
# Greek, too. https://www.unicode.org/Public/security/16.0.0/confusables.txt
_ALIKE = frozenset(
    "\u0430\u0441\u0501\u0435\u04bb\u0456\u0458\u04cf\u043e\u0440\u051b\u0433\u0455\u0475\u051d\u0445\u0443"
    "\u0410\u0412\u0421\u0415\u041d\u0406\u0408\u041a\u041c\u041e\u0420\u0405\u0422\u04ae\u0425\u0423"
    "\u03b1\u03b3\u03b9\u03bd\u03bf\u03c1\u03c3\u03c5"
    "\u0391\u0392\u0395\u0396\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a5\u03a7"
)
# Scripts that are written together as a matter of course ("highly restrictive" in UTS 39, 5.2).
_TOGETHER = frozenset({"LATIN", "CJK", "HIRAGANA", "KATAKANA", "HANGUL", "BOPOMOFO", "KATAKANA-HIRAGANA"})


def without(text: str, replacement: str = "") -> str:
    """`text` without terminal colours, and with `replacement` for every hidden character."""
    return _HIDDEN.sub(lambda m: m["usual"] or replacement, _COLOURS.sub("", text))


def spelled_out(text: str) -> str:
    """`text` without terminal colours, and with every hidden character as `⟨U+202E⟩`."""
    return _HIDDEN.sub(lambda m: m["usual"] or f"⟨U+{ord(m[0]):04X}⟩", _COLOURS.sub("", text))


def characters(text: str) -> tuple[str, ...]:
    """The distinct hidden characters in `text`, as `U+202E`, in order of appearance."""
    found = (match for match in _HIDDEN.finditer(text) if not match["usual"])
    return tuple(dict.fromkeys(f"U+{ord(match[0]):04X}" for match in found))


def mixed_words(text: str) -> tuple[str, ...]:
    """The distinct words whose letters belong to scripts that are not written together, in order."""
    return tuple(dict.fromkeys(match[0] for match in _WORD.finditer(text) if _is_mixed(match[0])))


def disguised_names(text: str) -> tuple[str, ...]:
    """Words that Python reads as other names than they look: it normalises identifiers (NFKC, PEP 3131)."""
    return tuple(dict.fromkeys(match[0] for match in _WORD.finditer(text) if _reads_as_ascii(match[0])))


def words_alike(text: str) -> tuple[str, ...]:
    """Words that look Latin, and of which no letter is: each looks like one (CVE-2021-42694)."""
    return tuple(dict.fromkeys(match[0] for match in _WORD.finditer(text) if _ALIKE.issuperset(match[0])))


def disguises(text: str) -> dict[str, tuple[str, ...]]:
    """All of the above: what it is, in the plural → the words or characters, in order; without what is not
    there."""
    found = {
        "invisible characters": characters(text),
        "words whose letters come from several alphabets": mixed_words(text),
        "words that look Latin, and of which no letter is": words_alike(text),
        "names that Python reads as others": disguised_names(text),
    }
    return {what: those for what, those in found.items() if those}


def _reads_as_ascii(word: str) -> bool:
    return not word.isascii() and unicodedata.normalize("NFKC", word).isascii()


def _is_mixed(word: str) -> bool:
    if word.isascii():
        return False
    scripts = set(_scripts(word))
    return len(scripts) > 1 and not scripts <= _TOGETHER


def _scripts(word: str) -> Iterator[str]:
    for character in word:
        # The first word of a letter's name is its script, as far as letters are mistaken for each other.
        first = unicodedata.name(character, "?").partition(" ")[0]
        if first not in ("MICRO", "FEMININE", "MASCULINE", "MODIFIER", "COMBINING"):
            yield first
