"""Syntax colours as a handful of CSS classes: no inline style, so the content security policy allows none."""

from __future__ import annotations

from functools import cache

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


def lines(code: str, path: str) -> list[Markup]:
    """`code` as escaped HTML, one entry per line, coloured when `path` is a Python file.

    A construct that spans lines, such as a docstring, is coloured on each of them.
    """
    done: list[Markup] = []
    current: list[str] = []
    for kind, value in _lexer(path.endswith((".py", ".pyi"))).get_tokens(code):
        name = _class(kind)
        for index, part in enumerate(value.split("\n")):
            if index:
                done.append(Markup("".join(current)))  # noqa: S704 - made of escaped parts only
                current = []
            if part:
                text = escape(part)
                current.append(f'<span class="{name}">{text}</span>' if name else str(text))
    done.append(Markup("".join(current)))  # noqa: S704 - made of escaped parts only
    return done


@cache
def _lexer(python: bool) -> Lexer:
    # Without these options the lexer would strip or add line breaks, and lines would no longer match.
    return PythonLexer(stripnl=False, ensurenl=False) if python else TextLexer(stripnl=False, ensurenl=False)


@cache
def _class(kind: _TokenType) -> str:
    return next((name for parent, name in _KINDS if is_token_subtype(kind, parent)), "")
