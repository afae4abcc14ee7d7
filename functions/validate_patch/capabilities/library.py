"""What the standard library's names mean: which of its modules a fix may newly use, and what a chain of
attributes ends at, found out on the real modules.

A fix for a crash computes; what it may newly reach is therefore a list of what is allowed, not of what is
known to be bad.
"""

from __future__ import annotations

import importlib
import re
import sys
from functools import cache
from types import ModuleType

_ALL = r"[a-zA-Z]\w*+(?:\.\w++)*+"
_LOGGING = (
    r"getLogger|debug|info|warning|error|exception|critical|log|(?:DEBUG|INFO|WARNING|ERROR|CRITICAL|NOTSET)"
    r"|Logger|LoggerAdapter|LogRecord|NullHandler"
)
HARMLESS: dict[str, str] = {
    **dict.fromkeys(
        (
            *("abc", "array", "base64", "binascii", "bisect", "cmath", "collections", "colorsys"),
            *("collections.abc", "contextlib", "contextvars", "copy", "dataclasses", "datetime"),
            *("difflib", "email", "enum", "errno", "fractions", "functools", "graphlib"),
            *("hashlib", "heapq", "hmac", "html", "ipaddress", "itertools", "json", "keyword", "math"),
            *("numbers", "os.path", "pathlib", "pprint", "queue", "quopri", "re", "reprlib"),
            *("secrets", "shlex", "statistics", "stringprep", "struct", "textwrap", "traceback"),
            *("typing", "unicodedata", "urllib.parse", "urllib.error", "uuid", "zlib", "zoneinfo"),
            *("__future__", "concurrent", "urllib", "http", "xml.sax.saxutils"),
        ),
        _ALL,
    ),
    "decimal": r"(?![gs]etcontext|\w+Context$)[a-zA-Z]\w*",
    "random": r"(?!seed|setstate)[a-zA-Z]\w*",
    "csv": r"(?!field_size_limit|(?:un)?register_dialect)[a-zA-Z]\w*",
    "calendar": r"(?!setfirstweekday)[a-zA-Z]\w*",
    "mimetypes": r"(?!add_type|init)[a-zA-Z]\w*",
    "asyncio": r"gather|sleep|wait|wait_for|shield|timeout|TaskGroup|Lock|Event|Condition|Semaphore|Queue"
    r"|iscoroutine\w*|CancelledError|TimeoutError|Task|Future|as_completed|run",
    "http": r"HTTPStatus(?:\.\w++)*+|HTTPMethod(?:\.\w++)*+",
    "concurrent.futures": r"\w*Error|Future|as_completed|wait",
    "inspect": r"iscoroutine\w*|isawaitable|isgenerator\w*|isasyncgen\w*|isclass|isfunction|cleandoc",
    "io": r"StringIO|BytesIO|TextIOBase|IOBase|BufferedIOBase|RawIOBase|UnsupportedOperation|SEEK_\w+",
    "locale": r"atof|atoi|str|format_string",
    "logging": _LOGGING,
    "string": r"(?!Formatter|formatter_)[a-zA-Z]\w*",
    "operator": r"(?!attrgetter|methodcaller)[a-z]\w*",
    "os": r"path(?:\.\w++)*+|(?:line|path|alt|ext)?sep|curdir|pardir|fspath|fsencode|fsdecode|PathLike|name",
    "sys": r"maxsize|version_info|float_info|byteorder|getsizeof|exc_info|platform|maxunicode|intern",
    "threading": r"R?Lock|local|Event|Condition|\w*Semaphore|current_thread|get_ident",
    "time": r"time(?:_ns)?|monotonic\w*|perf_counter\w*|strftime|strptime|gmtime|localtime|mktime"
    r"|struct_time",
    "types": r"SimpleNamespace|MappingProxyType|NoneType|NotImplementedType|EllipsisType|GenericAlias"
    r"|ModuleType|UnionType|TracebackType|FrameType",
    "warnings": r"warn|deprecated",
    "weakref": r"ref|Weak\w+|proxy",
}
"""Module → a pattern that those of its names match which a fix may newly use."""

# Importing these does something.
_NOT_IMPORTED = frozenset({"antigravity", "this", "idlelib", "turtledemo", "test", "__main__", "lib2to3"})
_SAME = {"posix": "os", "nt": "os", "posixpath": "os.path", "ntpath": "os.path", "_io": "io"}


def is_standard(name: str) -> bool:
    return name.partition(".")[0] in sys.stdlib_module_names


@cache
def resolved(dotted: str) -> str:
    """A name of the standard library by the module that it ends in: `logging.os.system` is `os.system`."""
    first, *rest = dotted.split(".")
    value, name = _module(first), first
    for number, part in enumerate(rest):
        if not isinstance(value, ModuleType):
            return ".".join((name, *rest[number:]))
        inner = _attribute(value, part)
        name = _named(inner) if isinstance(inner, ModuleType) else f"{_named(value)}.{part}"
        value = inner
    return _named(value) if isinstance(value, ModuleType) else name


@cache
def is_module(name: str) -> bool:
    """Whether a resolved name is a module's."""
    first, *rest = name.split(".")
    value = _module(first)
    for part in rest:
        value = _attribute(value, part) if isinstance(value, ModuleType) else None
    return isinstance(value, ModuleType)


@cache
def is_error(name: str) -> bool:
    """Whether a resolved name is an exception's class."""
    module, _, attribute = name.rpartition(".")
    value = _module(module) if module else None
    found = getattr(value, attribute, None)
    return isinstance(found, type) and issubclass(found, BaseException)


@cache
def is_harmless(name: str) -> bool:
    """Whether a resolved name is one that a fix may newly use; a module is if anything in it is."""
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        module, rest = ".".join(parts[:end]), ".".join(parts[end:])
        if module in HARMLESS:
            return not rest or re.fullmatch(HARMLESS[module] + r"(?:\.\w+)*", rest) is not None
    return False


def _attribute(module: ModuleType, name: str) -> object:
    found = getattr(module, name, None)
    return _module(f"{module.__name__}.{name}") if found is None else found


@cache
def _module(name: str) -> object:
    if not is_standard(name) or name.partition(".")[0] in _NOT_IMPORTED:
        return None
    try:
        return importlib.import_module(name)
    except Exception:  # noqa: BLE001 - a module of another system may fail in any way
        return None


def _named(module: ModuleType) -> str:
    name = module.__name__
    plain = name.removeprefix("_")
    return _SAME.get(name, plain if plain != name and is_standard(plain) else name)
