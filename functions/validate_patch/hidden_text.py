"""Text that reads otherwise than it runs (CVE-2021-42574, CVE-2021-42694): part of gate 5."""

from __future__ import annotations

import re
from collections.abc import Iterator

from functions.core.untrusted import hidden
from functions.validate_patch.diff import changed_lines
from functions.validate_patch.tree import Change

# PEP 263: only the first two lines count.
_COOKIE = re.compile(r"^[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)")
_OTHERS = re.compile("[\u0370-\u052f]")  # Greek and Cyrillic
_PLAIN_ENCODINGS = frozenset({"utf-8", "utf8", "ascii", "latin-1", "iso-8859-1", "iso-8859-15", "cp1252"})


def findings(change: Change) -> Iterator[str]:
    """Invisible characters, mixed alphabets and unusual encodings on the lines that the patch adds."""
    text = change.after.data.decode(errors="replace") if change.after is not None else ""
    old = change.before.data.decode(errors="replace") if change.before is not None else ""
    lines = text.split("\n")
    written_in = _OTHERS.search(old)  # there, such words are words
    for number in sorted(n for n in changed_lines(change).added if n <= len(lines)):
        line, where = lines[number - 1], f"hidden_text: {change.path}:{number}"
        # With its line break, so that a carriage return before it counts as a part of that.
        if found := hidden.characters(f"{line}\n"):
            yield f"{where}: the added line holds invisible text ({', '.join(found)})"
        if not change.path.endswith(".py"):
            continue
        cookie = _COOKIE.match(line) if number <= 2 else None
        if cookie and cookie.group(1).lower() not in _PLAIN_ENCODINGS:
            yield f"{where}: in the encoding {cookie.group(1)} the file reads otherwise than it looks"
        for word in hidden.mixed_words(line):
            if word not in old:
                yield f"{where}: {word!r} mixes letters of several alphabets"
        for word in hidden.words_alike(line) if not written_in else ():
            yield f"{where}: {word!r} looks Latin, and no letter of it is"
        for word in hidden.disguised_names(line):
            if word not in old:
                yield f"{where}: Python reads {word!r} as another name than it looks"
