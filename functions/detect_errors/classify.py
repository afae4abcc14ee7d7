"""What kind of trouble an error is, why we think so, and what a human should do next.

Only `code` starts a heal by itself. What an exception's name, codes and message mean is data, in
classes.toml; here is the order in which the evidence counts: the exception itself, what it was raised from,
what its code line does.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import takewhile
from pathlib import Path

from functions.core.incidents.incident import ErrorClass
from functions.detect_errors.in_app import AppRules
from functions.detect_errors.model import PrintedException, is_environment
from functions.detect_errors.platform_lines import LEFT_OUT, NODE

# How much of a message is looked at.
_SAID = 1000


@dataclass(frozen=True, slots=True)
class Judgement:
    """A class, and one sentence that says why."""

    error_class: ErrorClass
    reason: str


_OWN = Judgement(ErrorClass.CODE, "an exception that the app's code raised or let through")

_Library = dict[str, ErrorClass]
"""Exceptions of a library whose class their names do not tell."""
Phrases = list[tuple[ErrorClass, re.Pattern[str]]]


class _Table:
    """classes.toml, ready to be asked."""

    def __init__(self, path: Path) -> None:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
        self.next_action = {ErrorClass(kind): str(row["next"]) for kind, row in data["class"].items()}
        self.meaning = {ErrorClass(kind): str(row.get("means", "")) for kind, row in data["class"].items()}
        self.aws = [(code, kind) for kind, words in _by_class(data["aws"]) for code in words.split()]
        self.codes = {
            section: {word: kind for kind, words in _by_class(data[section]) for word in words.split()}
            for section in ("grpc", "oauth", "http", "errno", "sqlstate", "number", "name")
        }
        self.spellings = [
            (section, re.compile("|".join(data[section]["pattern"])), "lowered" in data[section])
            for section in ("grpc", "oauth", "number", "http", "errno")
        ]
        self.platform = [(kind, re.compile(said)) for kind, said in _by_class(data["platform"])]
        self.words = [(kind, re.compile(pattern)) for kind, pattern in _by_class(data["word"])]
        # Phrases start where a word does, also in CamelCase: most places need no look.
        self.strong, self.weak = (
            [(kind, re.compile(f"(?<![a-z])(?:{pattern})")) for kind, pattern in _by_class(section)]
            for section in (data["said"]["strong"], data["said"]["weak"])
        )
        self.speaks, self.mistake = (re.compile(data["raised"][name]) for name in ("speaks", "mistake"))
        self.throttled = dict(self.weak)[ErrorClass.THROTTLING]
        self.plain = frozenset(data["generic"]["plain"].split())
        self.generic = frozenset(data["generic"]["names"].split())
        self.libraries: dict[str, _Library] = {}
        self.rows = data["library"]
        for row in self.rows.values():
            names = {name: kind for kind, words in _by_class(row) for name in words.split()}
            self.libraries |= dict.fromkeys(row["modules"].split(), names)


def _by_class(section: dict[str, str]) -> Iterator[tuple[ErrorClass, str]]:
    return ((ErrorClass(kind), value) for kind, value in section.items() if kind in set(ErrorClass))


@cache
def _table() -> _Table:
    return _Table(Path(__file__).with_name("classes.toml"))


def next_action(error_class: ErrorClass) -> str:
    """What a human should do next."""
    return _table().next_action[error_class]


_AWS_CODE = re.compile(r"An error occurred \(([\w.]{1,80})\) when calling the (\w{1,80})")
# Where a word ends in a name or a constant.
_JOINT = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[_-]")
_SYSTEM = ("OSError", "IOError", "error")
# The driver's exception within SQLAlchemy's, asyncpg's within both, and what urllib3 and others name as the
# cause.
_WRAPPED = re.compile(
    r"^\(([A-Za-z_][\w.]{1,100})\) (?:<class '([\w.]{1,100})'>: )?|(?i:caused by)[ :-]{1,3}([A-Z]\w{2,60})\("
    r"|\b((?:Connection|Timeout|Remote|Name|SSL|NewConn|ReadT|ConnectT)\w{3,40})\(|\braised (\w{3,60})>"
)
_IMPORT_ERRORS = ("ImportError", "ModuleNotFoundError", "ImportModuleError")
_CONFIGURATION_NAME = re.compile(
    r"Config(?:uration)?(?:Error|Exception)$|Settings?(?:Error|Missing)$|MissingSetting"
)
# A model of settings, or a variable's name, as the first line's subject.
_SETTING = re.compile(
    r"^[A-Z][A-Z0-9]*_[A-Z0-9_]+ (?:is |was )?(?:not set|missing|required|undefined|must be set|environment)"
    r"|\d validation errors? for \w{0,60}(?:Settings|Config|Configuration|Env|Environment)$"
)
_MODULE = re.compile(
    r"No module named '?([\w.]{1,200})"
    r"|cannot import name '[^']{1,200}' from (?:partially initialized module )?'([\w.]{1,200})'"
)
_IN_FILE = re.compile(r"\((/[^()\s]{1,500}|[A-Za-z]:[^()]{1,500})\)$")
_TOP = re.compile(r".*(?:site-packages|dist-packages|/python)/([A-Za-z_]\w*)")
# Modules whose exceptions say of themselves what they are.
_PYTHON = sys.stdlib_module_names | {"Runtime", "Function", "Sandbox", "__main__", "__mp_main__"}
_PLATFORM_REASONS = {
    ErrorClass.DEPENDENCY: "; native code crashed the interpreter",
    ErrorClass.CODE: "; the process ended itself during the invocation",
}
_READS = frozenset(("KeyError", "TypeError", "ValueError", "AttributeError"))


def classify(raised: PrintedException, rules: AppRules, *, level: str = "", platform: str = "") -> Judgement:
    """Judge one error by what was raised, the level it was logged at, and what the platform said."""
    if platform:
        return _platform(platform)
    if level in ("WARNING", "INFO", "DEBUG", "NOTICE"):
        return Judgement(ErrorClass.EXPECTED, f"handled: the program logged it at level {level}")
    if raised.frames and raised.frames[-1].why == NODE:
        return Judgement(ErrorClass.NODEJS, "an error of Node.js: recorded, not healed")
    if raised.type is None:
        return Judgement(ErrorClass.CUT, "the log ends before it says what was raised")
    if judged := _by_exception(raised, rules) or _by_causes(raised, rules):
        return judged
    printed = (raised, *raised.chain, *raised.members) if raised.chain or raised.members else (raised,)
    if not any(frame.in_app for one in printed for frame in reversed(one.frames)):
        if any(frame.why == "installed package" for frame in raised.frames):
            why = "raised inside installed packages; no frame is the app's own"
            return Judgement(ErrorClass.DEPENDENCY, why)
        if not raised.frames and not raised.type.startswith("Runtime."):
            return Judgement(ErrorClass.CUT, "the log names the exception, but not where it was raised")
    return _OWN


def _by_causes(raised: PrintedException, rules: AppRules) -> Judgement | None:
    for cause in reversed(raised.chain):
        # What an exception was raised *from* explains it; what was merely being handled does only where a
        # library handled it, and says by an exception of its own what came of it.
        if cause.relation != "cause" and not _raising(raised):
            break
        if (by_cause := _by_exception(cause, rules)) is not None:
            return Judgement(by_cause.error_class, f"caused by {cause.type}: {by_cause.reason}")
    if raised.members and all((member := _by_exception(one, rules)) for one in raised.members) and member:
        return Judgement(member.error_class, f"every sub-exception: {member.reason}")
    return None


def _by_exception(raised: PrintedException, rules: AppRules) -> Judgement | None:
    name = raised.type or ""
    if name == "Runtime.ExitError":
        return _platform(raised.message)
    if name in _READS and (by_code := _environment(name, raised)) is not None:
        return by_code
    if name in _table().plain and (name != "KeyError" or " " not in raised.message):
        return None
    if name.rpartition(".")[2] in _IMPORT_ERRORS:
        return _import(raised.message, rules)
    judged = _by_name(name, raised.message[:_SAID], _library_of(raised, rules), 0)
    if judged is None and (library := _speaking(raised)):
        return _judged(ErrorClass.EXTERNAL, f"{library} raised it where it speaks to another system")
    return None if judged is None or not judged.reason else judged


def _by_name(name: str, message: str, library: _Library | None, depth: int) -> Judgement | None:
    """Judge a name and a message. A judgement CODE without a reason: no doubt, but nothing to say of it."""
    table, last = _table(), name.rpartition(".")[2]
    if message.startswith("An error occurred (") and (aws := _AWS_CODE.match(message)):
        answered = next((kind for code, kind in table.aws if code in aws[1]), ErrorClass.CODE)
        why = f": {_table().meaning[answered]}" if answered is ErrorClass.CODE else ""
        return Judgement(answered, f"AWS answered {aws[1]} to {aws[2]}{why}")
    if _CONFIGURATION_NAME.search(last) or _SETTING.search(message.partition("\n")[0]):
        return Judgement(ErrorClass.CONFIGURATION, f"{last}: a setting is missing or wrong")
    if library is not None and last in library:
        return _judged(library[last], last)
    generic = last in table.generic or name in table.generic
    named = table.codes["name"].get(last)
    if named is not None and last.startswith("SSL"):  # its number is none of the system's
        return _judged(named, last)
    if library is not None or generic:
        wrapped = _WRAPPED.search(message)
        if wrapped and depth < 2 and (inner := wrapped[2] or wrapped[wrapped.lastindex or 0]):
            rest = message[wrapped.end() :] if wrapped[1] else message.partition(inner)[2]
            library_inside = table.libraries.get(inner.partition(".")[0], library)
            judged = _by_name(inner, rest, library_inside, depth + 1)
            if judged is not None:
                return judged
        if (numbered := _by_number(table, last, message)) is not None:
            return _judged(numbered, f"{last}: {message[:60]}")
    if named is not None:
        return _judged(named, last)
    said = _said(table.strong, message.lower())
    if said is None and library is not None and not generic:
        said = _said(table.words, last)
    if said in (None, ErrorClass.EXTERNAL) and (library is not None or last in _SYSTEM):
        weak = _said(table.weak, _words(last, message))
        said = weak if said is None or weak in (ErrorClass.PERMISSION, ErrorClass.THROTTLING) else said
    first = message.partition("\n")[0][:80]
    return None if said is None else _judged(said, f"{last}: {first}".rstrip(": "))


def _said(phrases: Phrases, text: str) -> ErrorClass | None:
    return next((kind for kind, phrase in phrases if phrase.search(text)), None)


def _by_number(table: _Table, last: str, message: str) -> ErrorClass | None:
    """The class of the first code that a name or a message holds: gRPC's, SQL's, HTTP's, the system's."""
    lowered = message.lower()
    for section, spelled, low in table.spellings:
        match = spelled.search(lowered if low else message)
        code = match[match.lastindex or 0] if match else ""
        kind = table.codes[section].get(code) or (
            table.codes["sqlstate"].get(code) if section == "number" else None
        )
        if kind is ErrorClass.PERMISSION and section == "http" and table.throttled.search(lowered):
            return ErrorClass.THROTTLING  # as GitHub and Google say it
        if kind is not None:
            return kind
        if section == "http" and code.startswith("4"):
            return ErrorClass.CODE
    return table.codes["sqlstate"].get(last.removesuffix("Error")) or table.codes["sqlstate"].get(last)


def _judged(kind: ErrorClass, what: str) -> Judgement:
    return Judgement(kind, "" if kind is ErrorClass.CODE else f"{what}: {_table().meaning[kind]}")


def _library_of(raised: PrintedException, rules: AppRules) -> _Library | None:
    """The library that an exception is of: by its module, else, unqualified, by the innermost frame's
    package. One that the table does not know has no names of its own; None for the app's and Python's."""
    libraries = _table().libraries
    top, dot, _ = (raised.type or "").partition(".")
    if not dot:
        return libraries.get(_package(raised))
    return libraries.get(top) or (None if _is_own(top, raised, rules) else {})


def _speaking(raised: PrintedException) -> str:
    """The library that raised an exception of its own in a call to another system, whose mistake it is then
    unless the exception says that it is the caller's; "" for none."""
    table, library = _table(), _raising(raised)
    inside = takewhile(lambda frame: library and not frame.in_app, reversed(raised.frames))
    speaks = any(table.speaks.search(f"{frame.function} {frame.code}") for frame in inside)
    return library if speaks and not table.mistake.search(_words(raised.type or "", raised.message)) else ""


def _raising(raised: PrintedException) -> str:
    """The library that raised an exception of its own; "" for none."""
    library = _package(raised)
    return library if library and (raised.type or "").startswith(f"{library}.") else ""


def _package(raised: PrintedException) -> str:
    """The installed package that the innermost frame lies in; "" for none."""
    frame = raised.frames[-1] if raised.frames else None
    match = _TOP.match(frame.file[-1000:]) if frame is not None and not frame.in_app else None
    return match[1] if match else ""


def _words(name: str, message: str) -> str:
    return _JOINT.sub(" ", f"{name.rpartition('.')[2]}: {message[:_SAID]}").lower()


def _is_own(module: str, raised: PrintedException, rules: AppRules) -> bool:
    """Whether a top-level module is the app's: by name, or because its own frames lie there."""
    if module in rules.packages or module in _PYTHON:
        return True
    places = {frame.file for one in (raised, *raised.chain) for frame in one.frames if frame.in_app}
    parts = (f"/{place}".replace("\\", "/") for place in places)
    return any(f"/{module}/" in part or f"/{module}." in part for part in parts)


def _environment(type_name: str, raised: PrintedException) -> Judgement | None:
    """A variable that is not set, whatever the line that reads it looks like."""
    frame = raised.frames[-1] if raised.frames else None
    if frame is None:
        return None
    if type_name == "KeyError":
        reads = "environ[" in frame.code
        if not reads and frame.function != "__getitem__":
            return None
        name = raised.message.strip().strip("'\"")[:100]
        if is_environment(frame) or (reads and (f"['{name}']" in frame.code or f'["{name}"]' in frame.code)):
            return Judgement(ErrorClass.CONFIGURATION, f"environment variable {name!r} is not set")
    elif ("environ" in frame.code or "getenv(" in frame.code) and (
        "NoneType" in raised.message or "invalid literal" in raised.message
    ):
        return Judgement(ErrorClass.CONFIGURATION, "an environment variable is not set, or no such value")
    return None


def _import(message: str, rules: AppRules) -> Judgement:
    match = _MODULE.search(message[:_SAID])
    module = (match[1] or match[2] or "") if match else ""
    if "partially initialized module" in message:
        return Judgement(ErrorClass.CODE, f"circular import of {module}")
    file = _IN_FILE.search(message[:_SAID])
    if module.partition(".")[0] in rules.packages or (file and rules.verdict(file[1]).in_app):
        why = f"{module} is the app's own module, and does not hold what is imported"
        return Judgement(ErrorClass.CODE, why)
    why = f"module {module} is not installed" if module else "an import failed"
    return Judgement(ErrorClass.DEPENDENCY, why)


def _platform(line: str) -> Judgement:
    if line.startswith(LEFT_OUT):
        return Judgement(ErrorClass.CUT, line)
    kind = next((kind for kind, said in _table().platform if said.search(line)), None)
    if kind is not None:
        return Judgement(kind, f"the platform reported: {line[:200]}{_PLATFORM_REASONS.get(kind, '')}")
    return Judgement(ErrorClass.EXPECTED, "logged as an error without a traceback: the program handled it")
