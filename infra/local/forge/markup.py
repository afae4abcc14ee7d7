"""Markdown that strangers wrote, made fit for a page. Code and diffs are rendered as on the approval page."""

from __future__ import annotations

import re
from collections.abc import Sequence

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock
from markdown_it.token import Token
from markupsafe import Markup, escape

from functions.core.untrusted.hidden import spelled_out

_FOLD = re.compile(r"(?P<open><details>)?(?:<summary>(?P<summary>[^<>]*)</summary>)?|(?P<close></details>)")
_MAY_BREAK = re.compile(
    r"(?<=[_/.,:=])(?=\w)|(?<=[(\[{])(?![(\[{)\]}])|(?<=[a-z])(?=[A-Z])|(?<=\w{24})(?=\w)"
)
"""Where code may go on in the next line: between words, and anywhere in what is longer than a word."""


def markdown(text: str) -> Markup:
    """CommonMark with tables and foldable `<details>`; all other HTML is shown as text, images as links."""
    parser = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")
    parser.block.ruler.before("paragraph", "comment", _comment, {"alt": ["paragraph"]})
    parser.block.ruler.before("paragraph", "fold", _fold, {"alt": ["paragraph"]})
    parser.add_render_rule("code_inline", _code)
    rendered = parser.render(spelled_out(text))
    # What scrolls can be reached by keyboard; none of these is in there otherwise, as HTML is off.
    reached = re.sub(r"<(pre|table)>", r'<\1 tabindex="0">', rendered)
    return Markup(reached)  # noqa: S704 # markdown-it escapes everything


def _code(_: object, tokens: Sequence[Token], index: int, *__: object) -> str:
    """Markdown render rule: code within a line, whose words stay whole in a narrow table."""
    return f"<code>{'<wbr>'.join(map(escape, _MAY_BREAK.split(tokens[index].content)))}</code>"


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
