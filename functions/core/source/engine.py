"""The Python that runs this system, which reads apps' source with its own parser: it must be no older than
theirs. On AWS it is the newest that Lambda has; elsewhere it is whatever starts it."""

from __future__ import annotations

import ast
import os
import sys
import warnings

from functions.core.source.python import Python

ENGINE = "{}.{}".format(*sys.version_info[:2])


def too_new(path: str, source: bytes | str, python: Python) -> str:
    """Why a file cannot be read here though the app's own Python, which is newer, may: one clause.

    "" for a file that can be read, and for one that is no older syntax either: that one is broken.
    """
    if _number(python.version) <= _number(ENGINE):
        return ""
    problem = syntax_error(path, source)
    if not problem:
        return ""
    return (
        f"{problem}, for Python {ENGINE}, which runs this system; the app's Python {python.version}"
        f" ({python.why}) is newer and may read it"
    )


def what_to_do(python: Python) -> str:
    """The next action after `too_new`, as a sentence."""
    return f"Run this system on Python {python.version} or newer, then start the heal again."


def syntax_error(path: str, source: bytes | str) -> str:
    """`path:line: does not parse: why`, as this Python sees it; "" for what parses."""
    with warnings.catch_warnings():
        # What the compiler thinks of its escapes is not ours to print: the warning would quote the source.
        warnings.simplefilter("ignore")
        try:
            ast.parse(source, path)
        except SyntaxError as error:
            return f"{path}:{error.lineno}: does not parse: {error.msg}"
        except (ValueError, RecursionError, MemoryError) as error:
            return f"{path}: does not parse: {error}"
    return ""


def _number(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def bare_environment() -> dict[str, str]:
    """What this system's own Python must be given to start at all: AWS's is linked through a path. Nothing
    else of the function's environment."""
    return {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
