"""Text written by strangers, made safe to look at.

HTML escaping alone lets two things through: characters that reorder or hide what an approver reads
("Trojan Source", CVE-2021-42574), and terminal colours that test runners print. The first are made visible,
because a patch that contains them must not look harmless; the second are dropped.
"""

from __future__ import annotations

import re

_COLOURS = re.compile(r"\x1b\[[0-9;:?]*[ -/]*[@-~]")
# Control characters but line break and tab; then soft hyphen, joiners, bidirectional controls, fillers,
# variation selectors, the byte order mark, tags and lone surrogates (which cannot be encoded at all).
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    "\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\ud800-\udfff"
    "\U000e0000-\U000e0fff]"
)


def visible(text: str) -> str:
    """`text` with every hidden character spelled out (`⟨U+202E⟩`) and without terminal colours."""
    return _HIDDEN.sub(_spell, _COLOURS.sub("", text.replace("\r\n", "\n")))


def hidden_characters(text: str) -> tuple[str, ...]:
    """The distinct hidden characters in `text`, spelled out, in order of appearance."""
    return tuple(dict.fromkeys(f"U+{ord(found):04X}" for found in _HIDDEN.findall(text)))


def _spell(match: re.Match[str]) -> str:
    return f"⟨U+{ord(match[0]):04X}⟩"
