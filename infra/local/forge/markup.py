"""Text that strangers wrote, made fit for a page: Markdown, code with syntax colours, and diffs.

Everything returned as Markup is escaped; colours are token classes, so pages need no inline style.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock
from markupsafe import Markup, escape
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import TextLexer, get_lexer_for_filename
from pygments.util import ClassNotFound

from infra.local.forge.git import ChangedFile

# Lexers may take quadratic time on lines nobody wrote by hand; those are shown without colours.
_MAX_COLOURED = 200_000  # characters
_MAX_COLOURED_LINE = 2_000
MAX_DIFF_LINES = 3_000
"""Lines of one file's diff that a page shows."""

# Characters that are invisible or change the direction of text could make code look like other code
# (CVE-2021-42574); they are shown as their code instead.
_HIDDEN = {code: f"\u27e8U+{code:04X}\u27e9" for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))}
_HIDDEN |= {code: chr(0x2400 + code) for code in range(0x20) if code not in (0x09, 0x0A)}

_FOLD = re.compile(r"(?P<open><details>)?(?:<summary>(?P<summary>[^<>]*)</summary>)?|(?P<close></details>)")
_HUNK = re.compile(r"@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@(.*)")
_WORDS = {"A": "added", "D": "deleted", "M": "modified", "T": "type changed"}


@dataclass(frozen=True, slots=True)
class DiffLine:
    """kind: `add`, `del`, `same`, or `note` (a hunk's heading); old, new: 1-based line numbers."""

    kind: str
    html: Markup
    old: int | None = None
    new: int | None = None


@dataclass(frozen=True, slots=True)
class RenderedDiff:
    """One file of a diff, ready for the page; `cut` says how many lines were left out."""

    path: str
    change: str
    added: int
    deleted: int
    lines: tuple[DiffLine, ...]
    cut: int


def visible(text: str) -> str:
    """Text with control and direction-changing characters shown as their codes."""
    return text.translate(_HIDDEN)


def markdown(text: str) -> Markup:
    """CommonMark with tables and foldable `<details>`; all other HTML is shown as text, images as links."""
    parser = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")
    parser.block.ruler.before("paragraph", "comment", _comment, {"alt": ["paragraph"]})
    parser.block.ruler.before("paragraph", "fold", _fold, {"alt": ["paragraph"]})
    return Markup(parser.render(visible(text)))  # noqa: S704 # markdown-it escapes everything when HTML is off


def coloured(path: str, text: str) -> list[Markup]:
    """The lines of a file, with syntax colours chosen by its name."""
    text = visible(text)
    plain = [escape(line) for line in text.split("\n")]
    if len(text) > _MAX_COLOURED or any(len(line) > _MAX_COLOURED_LINE for line in plain):
        return plain
    try:
        lexer = get_lexer_for_filename(path, stripnl=False, ensurenl=False)
    except ClassNotFound:
        lexer = TextLexer(stripnl=False, ensurenl=False)
    html = highlight(text, lexer, HtmlFormatter(nowrap=True)).split("\n")
    # One more line when the formatter ended the last one; anything else means that a lexer dropped text.
    if html[len(plain) :] not in ([], [""]) or len(html) < len(plain):
        return plain
    return [Markup(line) for line in html[: len(plain)]]  # noqa: S704 # the formatter escapes each token


def file_diff(changed: ChangedFile) -> RenderedDiff:
    """Number and colour the lines of one file's patch."""
    heading, at, rest = changed.patch.partition("\n@@ ")
    lines = _numbered(changed.path, (at + rest).lstrip("\n").removesuffix("\n").split("\n")) if at else ()
    if not at and "\nBinary files " in heading:
        lines = (DiffLine("note", Markup("Binary file")),)
    kinds = [line.kind for line in lines]
    return RenderedDiff(
        path=changed.path,
        change=_WORDS.get(changed.status, "changed"),
        added=kinds.count("add"),
        deleted=kinds.count("del"),
        lines=lines[:MAX_DIFF_LINES],
        cut=max(len(lines) - MAX_DIFF_LINES, 0),
    )


def _numbered(path: str, patch: Sequence[str]) -> tuple[DiffLine, ...]:
    # The old and the new text are coloured each as a whole, so that a string over several lines stays one.
    before = iter(coloured(path, "\n".join(line[1:] for line in patch if line[:1] in (" ", "-"))))
    after = iter(coloured(path, "\n".join(line[1:] for line in patch if line[:1] in (" ", "+"))))
    lines: list[DiffLine] = []
    old = new = 0
    for line in patch:
        match line[:1]:
            case "-":
                lines.append(DiffLine("del", next(before), old=old))
                old += 1
            case "+":
                lines.append(DiffLine("add", next(after), new=new))
                new += 1
            case " ":
                next(before)
                lines.append(DiffLine("same", next(after), old=old, new=new))
                old, new = old + 1, new + 1
            case _:
                if hunk := _HUNK.match(line):
                    old, new = int(hunk[1]), int(hunk[2])
                lines.append(DiffLine("note", escape(visible(line.removeprefix("\\ ")))))
    return tuple(lines)


def _comment(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """Markdown block rule: an HTML comment alone on its lines is not shown, as on GitHub."""
    for line in range(start, end):
        text = state.src[state.bMarks[line] + state.tShift[line] : state.eMarks[line]]
        if line == start and (not text.startswith("<!--") or state.is_code_block(line)):
            return False
        if "-->" in text:
            if not text.rstrip().endswith("-->"):
                return False
            if not silent:
                state.line = line + 1
            return True
    return False


def _fold(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """Markdown block rule: `<details>`, `<summary>…</summary>` and `</details>`, alone on a line, fold."""
    text = state.src[state.bMarks[start] + state.tShift[start] : state.eMarks[start]].strip()
    found = _FOLD.fullmatch(text)
    if not text or not found or state.is_code_block(start):
        return False
    if not silent:
        summary = found["summary"]
        token = state.push("html_block", "", 0)
        token.content = (
            (found["open"] or "")
            + (f"<summary>{escape(summary)}</summary>" if summary is not None else "")
            + (found["close"] or "")
        )
        state.line = start + 1
    return True
