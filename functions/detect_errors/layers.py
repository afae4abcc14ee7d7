"""One layered reader: transport, record, text, traceback. formats.toml says what each layer undoes.

| level | module | what it undoes |
|---|---|---|
| transport | transport, or patterns alone | characters, envelopes, prefixes of shippers, terminals, viewers |
| record | records, literals | JSON documents; texts squeezed into a literal, a list or one line |
| text | printers, layouts | layouts of other printers than the interpreter's |
| traceback | traceback_parser, groups | what the interpreter prints: chains, groups, messages, cut texts |

A text is canonical when only the last level has something to do. That is decided by the shape of what stands
around its stacks and by the signs of all layers, so a layer cannot be missing from the short way. A line that
no layer understands stays as it is: it never hides a traceback that is one. Adding a format is one entry of
formats.toml with its signs and examples.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from functions.detect_errors import layouts, literals, printers, transport
from functions.detect_errors.formats import FORMATS
from functions.detect_errors.grammar import (
    BARE_HEADER,
    HEADER,
    RECORD_SEPARATOR,
    STACK,
    exception_line,
)
from functions.detect_errors.records import (
    decoded,
    documents,
    entries,
    is_partial,
    level_of,
    platform_of,
    text_of,
    texts_of,
)
from functions.detect_errors.transport import Line

FIRST_FRAME = f'{HEADER}\n  File "'
_JSON = ("{", "[{", "[\n")
# Deeper than any shipper packs records into records.
_MAX_DEPTH = 6


@dataclass(frozen=True, slots=True)
class CanonicalText:
    """A canonical text: of one source, or of one record.

    origin: for each line the number of the line of the log text that it came from, or one number for all.
    level: of the record. alone: the text is one formatted exception and nothing else. record: tells apart
    the records of one text, which may repeat one error in several fields; -1 outside of records.
    """

    text: str
    origin: Sequence[int] | int
    level: str = ""
    alone: bool = False
    record: int = -1

    def line(self, number: int) -> int:
        """The line of the log text that a line of this text came from."""
        return self.origin if isinstance(self.origin, int) else self.origin[min(number, len(self.origin) - 1)]


@dataclass(frozen=True, slots=True)
class Layer:
    """One thing that is undone (see formats.toml); rewrite: None where the result is several texts."""

    level: str
    name: str
    rewrite: Callable[[list[Line]], list[Line]] | None
    signs: tuple[str, ...] = ()
    pattern: re.Pattern[str] | None = None
    examples: tuple[str, ...] = ()
    always: bool = False


def _layer(row: dict[str, Any]) -> Layer:
    module, _, function = row.get("rewrite", "").partition(".")
    rewrite = getattr(_MODULES[module], function) if module else None
    if "substitute" in row:
        rewrite = transport.line_by_line(row)
    signs, examples = tuple(row.get("signs", ())), tuple(row.get("examples", ()))
    pattern = re.compile(row["pattern"]) if "pattern" in row else None
    always = row.get("always", not (signs or pattern))
    return Layer(row["level"], row["name"], rewrite, signs, pattern, examples, always)


_MODULES = {"transport": transport, "literals": literals, "layouts": layouts, "printers": printers}
LAYERS = tuple(map(_layer, FORMATS["layer"]))
_BEHIND_JSON = [layer.name for layer in LAYERS].index("JSON") + 1
_SIGNS = {sign for layer in LAYERS for sign in layer.signs}
_SIGNS = {sign for sign in _SIGNS if not any(other in sign for other in _SIGNS - {sign})}
ASCII_SIGNS = tuple(sign for sign in _SIGNS if sign.isascii())
_OTHER_SIGNS = (*(sign for sign in _SIGNS if not sign.isascii()), "\u2502")
# Inside of a stack they are not source code either.
_EVERYWHERE = tuple(sign for sign in ASCII_SIGNS if len(sign) == 1)


def sections(text: str, depth: int = 0) -> Iterator[CanonicalText]:
    """The text's sections."""
    record = decoded(text) if text[:1] == "{" else None
    if isinstance(record, dict) and entries(record) == [record]:  # as services that log JSON write each error
        found = list(_of_record(record, 0, 0, depth))
        said = text_of(record)
        if found or outside_stacks(said) is not None:
            yield from found or [CanonicalText(said, 0)]
        else:
            yield from _apply([(0, line) for line in said.split("\n")], _BEHIND_JSON, depth)
    else:
        yield from _apply(list(enumerate(text.split("\n"))), 0, depth)


def _apply(lines: list[Line], first: int, depth: int) -> Iterator[CanonicalText]:
    """Apply the layers from the first on, each to what shows a sign of it."""
    text = ""
    for index in range(first, len(LAYERS)):
        layer = LAYERS[index]
        if not layer.always:
            text = text or "\n".join(["", *[line for _, line in lines], ""])
            if not (layer.pattern.search(text) if layer.pattern else _shows(text, layer.signs)):
                continue
        if layer.rewrite is not None:
            before, lines = lines, layer.rewrite(lines)
            text = text if lines is before else ""
        elif layer.level == "record":
            yield from _records(lines, index + 1, depth)
            return
        else:
            for source in transport.sources(lines):
                section = _section(source)
                if outside_stacks(section.text) is not None:
                    yield section
                else:
                    yield from _apply(source, index + 1, depth)
            return
    yield _section(lines)


def _section(lines: list[Line]) -> CanonicalText:
    return CanonicalText("\n".join([line for _, line in lines]), [number for number, _ in lines])


def _shows(text: str, signs: Sequence[str]) -> bool:
    return any(map(text.__contains__, signs))


def _records(lines: list[Line], first: int, depth: int) -> Iterator[CanonicalText]:
    """The records that hold errors, each on its own; between them the lines of the others, joined."""
    between: list[Line] = []
    joined = plain = False
    for serial, (number, record, line) in enumerate(documents(lines)):
        found = list(_of_record(record, number, serial, depth)) if record is not None else []
        if found:
            if between:
                yield from _apply(between, first, depth)
            yield from found
            between, joined = [], False
            continue
        if between and (record is None) is not plain:
            between.append((number, RECORD_SEPARATOR))
        plain = record is None
        fields = record if isinstance(record, dict) else {}
        parts = (line if record is None else text_of(fields).removesuffix("\n")).split("\n")
        if joined and record is not None:
            between[-1] = (between[-1][0], between[-1][1] + parts.pop(0))
        between += [(number, part) for part in parts]
        joined = bool(fields) and is_partial(fields)
    yield from _apply(between, first, depth)


def _of_record(record: object, number: int, serial: int, depth: int) -> Iterator[CanonicalText]:
    level = level_of(record) if isinstance(record, dict) else ""
    for text, alone in texts_of(record) if depth < _MAX_DEPTH else ():
        # An envelope around one line of a traceback: the line counts, and is joined with the others.
        if alone or "\n" in text.strip() or "\\n" in text:
            if outside_stacks(text) is not None:
                yield CanonicalText(text, number, level, alone, serial)
            else:
                for part in sections(text, depth + 1):
                    yield CanonicalText(part.text, number, part.level or level, alone, serial)
    if isinstance(record, dict) and (said := platform_of(record)):
        yield CanonicalText(said, number, "ERROR", False, serial)


def outside_stacks(text: str) -> str | None:
    """What a canonical text says outside of its stacks; None when the text is not canonical."""
    if is_marked(text):
        return None
    index = text.find(BARE_HEADER)
    outside = []
    end, broken = 0, False
    while index >= 0:
        if not text.startswith(FIRST_FRAME, index) or (index and text[index - 1] != "\n"):
            return None
        stack = STACK.match(text, index + len(HEADER))
        outside.append(text[end:index])
        # The newline that ends the stack stays: patterns are anchored to line starts.
        end = index + len(HEADER) if stack is None else stack.end() - 1
        broken = broken or exception_line(text[end + 1 : text.find("\n", end + 1)]) is None
        index = text.find(BARE_HEADER, max(end, index + len(HEADER)))
    if not outside and 'File "' in text:
        return None
    outside.append(text[end:])
    rest = "".join(outside)
    # Where something else was written into a stack, more of it follows; or there is one without a header.
    more = "\n    " in rest and (broken or 'File "' in rest)
    odd = more or rest.startswith(_JSON) or _shows(rest, ASCII_SIGNS)
    return None if odd else rest


def is_marked(text: str) -> bool:
    """Whether a text shows what is not canonical even within a stack."""
    return _shows(text, _EVERYWHERE) or (not text.isascii() and _shows(text, _OTHER_SIGNS))
