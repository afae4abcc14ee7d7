"""Syntax colours as a handful of CSS classes: no inline style, so the content security policy allows none."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache, lru_cache
from itertools import groupby
from operator import itemgetter

from markupsafe import Markup, escape
from pygments.lexer import Lexer
from pygments.lexers.python import PythonLexer
from pygments.lexers.special import TextLexer
from pygments.token import (
    Comment,
    Keyword,
    Name,
    Number,
    Operator,
    String,
    _TokenType,
    is_token_subtype,
)

# Eight kinds are enough for eyes and keep the page small; the first that contains a token's type wins.
_KINDS = (
    (Keyword.Constant, "n"),
    (Keyword, "k"),
    (Operator.Word, "k"),
    (Comment, "c"),
    (String, "s"),
    (Number, "n"),
    (Name.Function, "f"),
    (Name.Class, "f"),
    (Name.Decorator, "d"),
    (Name.Builtin, "b"),
    (Name.Exception, "b"),
)


# Lexing is most of what a page costs, and a page is opened more than once: by several approvers, and again
# after a mistake in the form. Entries are hunks and single lines, so this stays small.
@lru_cache(maxsize=256)
def lines(code: str, path: str) -> tuple[Markup, ...]:
    """`code` as escaped HTML, one entry per line, coloured when `path` is a Python file.

    A construct that spans lines, such as a docstring, is coloured on each of them.
    """
    done: list[Markup] = []
    spans: list[str] = []
    for name, text in _runs(code, path.endswith((".py", ".pyi"))):
        for index, part in enumerate(text.split("\n")):
            if index:
                done.append(Markup("".join(spans)))  # noqa: S704 - made of escaped parts only
                spans = []
            if part:
                spans.append(f'<span class="{name}">{escape(part)}</span>' if name else str(escape(part)))
    done.append(Markup("".join(spans)))  # noqa: S704 - made of escaped parts only
    return tuple(done)


def _runs(code: str, python: bool) -> Iterator[tuple[str, str]]:
    """Class and text, neighbours of one class joined: the page stays small."""
    tokens = _lexer(python).get_tokens(code)
    for name, group in groupby(((_class(kind), text) for kind, text in tokens), key=itemgetter(0)):
        yield name, "".join(text for _, text in group)


@cache
def _lexer(python: bool) -> Lexer:
    # Without these options the lexer would strip or add line breaks, and lines would no longer match.
    return PythonLexer(stripnl=False, ensurenl=False) if python else TextLexer(stripnl=False, ensurenl=False)


@cache
def _class(kind: _TokenType) -> str:
    return next((name for parent, name in _KINDS if is_token_subtype(kind, parent)), "")
