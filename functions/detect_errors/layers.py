"""One layered reader: transport, record, text, traceback. This table says what is undone, in which order.

| level | layer | what it undoes |
|---|---|---|
| transport | the first entries of LAYERS | characters, envelopes and prefixes of shippers, terminals and viewers |
| record | records, literals | JSON documents; texts that were squeezed into a literal, a list or one line |
| text | printers, groups, stacks | layouts of other printers than the interpreter's |
| traceback | traceback_parser | what the interpreter prints: chains, groups, messages, cut at either end |

A text is canonical when only the last level has something to do. That is decided by the shape of what stands around
its stacks, and by the signs of all layers (see `outside_stacks`), so a layer cannot be missing from the short way. A
line that no layer understands stays as it is: it never hides a traceback that is one.

Adding a format: one entry with its signs and examples; tests/unit/detect_errors/test_layers.py reads the examples.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from functions.detect_errors import layouts, transport
from functions.detect_errors.grammar import HEADER, STACK, exception_line
from functions.detect_errors.literals import expand
from functions.detect_errors.records import documents, is_partial, level_of, platform_of, text_of, texts_of
from functions.detect_errors.transport import Line

BARE_HEADER = HEADER[:-1]
FIRST_FRAME = f'{HEADER}\n  File "'
# Deeper than any shipper packs records into records.
_MAX_DEPTH = 6


@dataclass(frozen=True, slots=True)
class Section:
    """Lines of one source or one record, canonical or on their way.

    level: of the record; alone: the lines are one formatted exception and nothing else; record: tells apart the
    records of one text, whose texts may repeat one error, -1 for lines outside of records.
    """

    lines: list[Line]
    level: str = ""
    alone: bool = False
    record: int = -1

    @property
    def text(self) -> str:
        return "\n".join([line for _, line in self.lines])


@dataclass(frozen=True, slots=True)
class Layer:
    """One thing that is undone.

    signs: one of them stands in every text that needs it, outside of canonical stacks. always: no sign tells, but the
    shape of the text around its headers, so it sees every text that is not canonical. examples: texts that read as one `KeyError: 'x'` raised at /app/x.py, line 3, in f.
    """

    level: str
    name: str
    rewrite: Callable[[list[Line]], list[Line]] | None
    signs: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()
    always: bool = False


def _each(prefix: str) -> str:
    return "".join(prefix + line + "\n" for line in _EXAMPLE.splitlines())


_EXAMPLE = f'{HEADER}\n  File "/app/x.py", line 3, in f\n    g()\nKeyError: \'x\'\n'
_FRAME = '  File "/app/x.py", line 3, in f\n    g()\n'
_ESCAPED = _EXAMPLE.replace("\n", "\\n").replace('"', '\\"')

LAYERS = (
    Layer("transport", "carriage returns", transport.carriage_returns, ("\r",), (_EXAMPLE.replace("\n", "\r\n"),)),
    Layer("transport", "colours", transport.colours, ("\x1b", "#033[", "^[["), (_each("\x1b[31m"),)),
    Layer("transport", "byte order marks", transport.characters("\ufeff", ""), ("\ufeff",), ("\ufeff" + _EXAMPLE,)),
    Layer("transport", "no-break indents", transport.no_break_indents, ("\xa0",), (_EXAMPLE.replace("  ", "\xa0\xa0"),)),
    Layer("transport", "opening quotes", transport.characters("\u201c", '"'), ("File \u201c",),
          (_EXAMPLE.replace('"/', "\u201c/").replace('",', "\u201d,"),)),
    Layer("transport", "closing quotes", transport.characters("\u201d", '"'), ("\u201d, line",)),
    Layer("transport", "markup", transport.markup, ("&quot;, line", "<pre", "<error", "<failure", "&#x27;", "&#39;"),
          (f"<pre>{_EXAMPLE.replace(chr(34), '&quot;')}</pre>",)),
    Layer("transport", "CSV", transport.csv, ('File ""', ',"[ERROR]', ',"Traceback'),
          ('when,text\n1,"' + _EXAMPLE.replace('"', '""') + '"\n',)),
    Layer("transport", "partial lines", transport.container_runtime, (" stdout P", " stderr P"),
          (_each("2026-01-01T00:00:00.1Z stderr P \n2026-01-01T00:00:00.1Z stderr F "),)),
    Layer("transport", "Ruby hashes", transport.ruby_hashes, ('"=>"',),
          ("".join(f'[0] app: [1.5, {{"log"=>"{line}"}}]\n' for line in _ESCAPED.split("\\n")),)),
    Layer("transport", "journal export", transport.journal_export, ("\nMESSAGE=",), ("_PID=1\n" + _each("MESSAGE="),)),
    Layer("record", "JSON", None, ('{"', "{\n", "[\n"), (f'{{"level": "ERROR", "exc_info": "{_ESCAPED}"}}',)),
    Layer("transport", "empty lines", transport.airy, (), (_EXAMPLE.replace("\n", "\n\n"),)),
    Layer("transport", "fixed width", transport.unwrap),
    Layer("transport", "prefixes", None, (), (_each("web-1  | "), _each("2026-01-01 10:00:00,1 ERROR [w] "))),
    Layer("record", "literals", expand, (), (f'err="{_ESCAPED}"', f"ERROR {_EXAMPLE.splitlines(True)!r}")),
    Layer("text", "printers", layouts.printed, ("\nE  ", "\n> File ", "\nTraceback:\n", "Cell In"), (
        f"{'_' * 20} test_f {'_' * 20}\n/app/x.py:3: in f\n    g()\nE   KeyError: 'x'\n",
        f"{'-' * 75}\nKeyError{' ' * 33}{BARE_HEADER}\nFile /app/x.py:3, in f(a)\n----> 3 g()\n\nKeyError: 'x'\n",
    ), always=True),
    Layer("text", "Azure Functions", layouts.azure, ("\nStack: ",), (f"Exception: KeyError: 'x'\nStack: {_FRAME}",)),
    Layer("text", "embedded exceptions", layouts.embedded, ("embedded exception",)),
    Layer("text", "never retrieved", layouts.unretrieved, ("never retrieved",)),
    Layer("text", "stacks", layouts.straighten, (
        '\n\n  File "', "\n--- <exception", "\nFile ", '\n  File "', "\n    ",
    ), (_each("    "), "".join(line.lstrip() + "\n" for line in _EXAMPLE.splitlines()), f"{_FRAME}KeyError: 'x'\n"), always=True),
)  # fmt: skip
_SIGNS = tuple(sign for layer in LAYERS for sign in layer.signs)
ASCII_SIGNS = tuple(sign for sign in _SIGNS if sign.isascii())
_OTHER_SIGNS = tuple(sign for sign in _SIGNS if not sign.isascii()) + ("\u2502",)
# Inside of a stack they are not source code either.
_EVERYWHERE = tuple(sign for sign in ASCII_SIGNS if len(sign) == 1)


def sections(text: str, depth: int = 0) -> Iterator[Section]:
    """The text's sections, each canonical."""
    yield from _apply(Section(list(enumerate(text.split("\n")))), 0, depth)


def _apply(section: Section, first: int, depth: int) -> Iterator[Section]:
    """Apply the layers from the first on, each to what shows a sign of it."""
    text = ""
    for index in range(first, len(LAYERS)):
        layer = LAYERS[index]
        if layer.signs and not layer.always:
            text = text or f"\n{section.text}\n"
            if not any(sign in text for sign in layer.signs) and (layer.name != "JSON" or text[1] not in "{["):
                continue
        if layer.rewrite is not None:
            lines = layer.rewrite(section.lines)
            if lines != section.lines:
                section, text = replace(section, lines=lines), ""
            continue
        if layer.level == "record":
            parts = _records(section, depth)
        else:
            parts = (replace(section, lines=lines) for lines in transport.sources(section.lines))
        for part in parts:
            if part.record != section.record:
                yield part
            else:
                yield from _apply(part, index + 1, depth)
        return
    yield section


def _records(section: Section, depth: int) -> Iterator[Section]:
    """The records that hold errors, each on its own; between them the lines of the others, joined."""
    lines: list[Line] = []
    joined = False
    for number, record, line in documents(section.lines):
        if record is None:
            lines.append((number, line))
            joined = False
            continue
        found = list(_sections_of(record, number, depth))
        fields = record if isinstance(record, dict) else {}
        if found:
            if lines:
                yield replace(section, lines=lines)
            yield from found
            lines, joined = [], False
            continue
        parts = text_of(fields).removesuffix("\n").split("\n")
        if joined:
            lines[-1] = (lines[-1][0], lines[-1][1] + parts.pop(0))
        lines += [(number, part) for part in parts]
        joined = bool(fields) and is_partial(fields)
    yield replace(section, lines=lines)


def _sections_of(record: object, number: int, depth: int) -> Iterator[Section]:
    level = level_of(record) if isinstance(record, dict) else ""
    for text in texts_of(record) if depth < _MAX_DEPTH else ():
        # An envelope around one line of a traceback: the line counts, and is joined with the others.
        if "\n" not in text.text.strip() and not text.alone and "\\n" not in text.text:
            continue
        for part in canonical(text.text, depth + 1):
            lines = [(number, line) for _, line in part.lines]
            yield replace(part, lines=lines, level=part.level or level, alone=text.alone, record=number)
    if isinstance(record, dict) and (said := platform_of(record)):
        yield Section([(number, said)], "ERROR", record=number)


def canonical(text: str, depth: int = 0) -> Iterator[Section]:
    """The sections of a text; one that is canonical already comes back as it is, at little cost."""
    if outside_stacks(text) is not None:
        yield Section(list(enumerate(text.split("\n"))))
    else:
        yield from sections(text, depth)


def outside_stacks(text: str) -> str | None:
    """What a canonical text says outside of its stacks; None when the text is not canonical."""
    for odd in _EVERYWHERE:
        if odd in text:
            return None
    if not text.isascii():
        for odd in _OTHER_SIGNS:
            if odd in text:
                return None
    index = text.find(BARE_HEADER)
    outside = []
    end = 0
    while index >= 0:
        if text.startswith(FIRST_FRAME, index) and (index == 0 or text[index - 1] == "\n"):
            stack = STACK.match(text, index + len(HEADER))
            outside.append(text[end:index])
            # The newline that ends the stack stays: patterns are anchored to line starts.
            end = index + len(HEADER) if stack is None else stack.end() - 1
        elif not _is_quotation(text, index, end):
            return None
        index = text.find(BARE_HEADER, max(end, index + len(HEADER)))
    if not outside and 'File "' in text:
        return None
    outside.append(text[end:])
    rest = "".join(outside)
    if rest[:1] in ("{", "["):
        return None
    for odd in ASCII_SIGNS:
        if odd in rest:
            return None
    return rest


def _is_quotation(text: str, index: int, stack_end: int) -> bool:
    """Whether the header at `index` is a group's, stands in its gutters, or is only mentioned in a line.

    stack_end: where the stack before it ends: its exception line may say anything.
    """
    end = index + len(HEADER)
    if text[end - 1 : end] != ":":
        return False
    line_start = text.rfind("\n", 0, index) + 1
    before = text[line_start:index]
    behind = text[end : end + 1]
    if line_start == stack_end + 1 and exception_line(before + HEADER) is not None:
        return True
    if not before:
        return behind in ("", "\n") and not text[end + 1 :].strip()
    gutter = before.replace("+ Exception Group ", "")
    if gutter.strip(" |") or before.isspace() or ("+" in before and gutter != "  "):
        return behind not in ("", "\n", "\\", " ", "#")
    return behind in ("", "\n")
