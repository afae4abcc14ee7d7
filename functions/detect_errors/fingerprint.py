"""An error's identity: a hash over components, each of which says why it counts.

What moves between occurrences of one bug (line numbers, addresses, ids, times, values, deployment
directories, library and interpreter versions, launchers) is left out; what tells two bugs apart (type,
function, source line, the app's own causes) is kept. A change of these rules is a new VERSION, because it
renames every incident; `tests/data/detect_errors/fingerprints_v4.json` pins the results.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from dataclasses import dataclass
from itertools import takewhile

from functions.core.incidents.incident import Frame
from functions.detect_errors.formats import pattern
from functions.detect_errors.grammar import Stack
from functions.detect_errors.in_app import MAX_PATH, AppRules
from functions.detect_errors.message_template import template, without_hint
from functions.detect_errors.model import Component, PrintedException, is_environment

VERSION = 4

# botocore raises a class per error code in newer versions, ClientError in older ones: the code is the type.
_AWS_ERROR = re.compile(r"An error occurred \(([\w.]{1,80})\) when calling the (\w{1,80})")
# SQLAlchemy's and Django's exceptions name the driver's, which tells more.
_DRIVER_ERROR = re.compile(r"\([\w.]{0,100}?\b(\w{1,80})\) ")
# Names that Python itself made aliases of, by the documentation of the built-in exceptions (3.3, 3.10).
_ALIASES = {
    "IOError": "OSError",
    "EnvironmentError": "OSError",
    "WindowsError": "OSError",
    "socket.error": "OSError",
    "select.error": "OSError",
    "socket.timeout": "TimeoutError",
    "Runtime.UserCodeSyntaxError": "SyntaxError",
}
_COMPREHENSIONS = frozenset(("<listcomp>", "<setcomp>", "<dictcomp>"))
_LAUNCHERS = frozenset(("__main__.py", "manage.py", "wsgi.py", "asgi.py"))
_IMPORTS = ("import ", "from ")
_NAMED = re.compile(r"has no attribute '(\w{1,80})'|(?:name|variable) '(\w{1,80})'")
_TOLD = pattern("told")
_TELLERS = frozenset(("AttributeError", "TypeError", "ImportError", "ModuleNotFoundError"))
# pydantic: the model, then each field's path in a line of its own, above what is wrong with it.
_MODEL = re.compile(r"\d validation errors? for ([^\n]{1,120})")
_FIELD = re.compile(r"^([\w.\[\]<>-]{1,200}|\w{1,80}(?: -> [\w.]{1,80}){1,20})$", re.MULTILINE)
_INDEX = re.compile(r"\b\d++\b")
_MAX_FIELDS = 20
_LIBRARY = re.compile(
    r".*(?:site-packages|dist-packages|/python\d[\d.]*+|/var/runtime|/opt/python|\.egg|\.zip|\.whl)/"
)
_MAX_WORDS = 100
_LITERAL_LENGTHS = range(3, 81)

_WHY = {
    "version": "a change of these rules renames incidents on purpose",
    "platform": "no exception: what the platform said, without its values",
    "type": "unqualified, as Lambda prints it; an AWS error counts by its code",
    "frame": "the app's own: path, function, source line",
    "constant": "a literal of the source line that the message repeats",
    "told": "a name of the program's that the message tells",
    "message": "the message without its values: no frame is the app's, or none has a source line",
    "cause": "raised or passed through the app's own code",
    "cause frame": "the app's own: path, function, source line",
    "member": "a sub-exception; repetitions and order do not count",
    "library": "no frame is the app's: the innermost one",
}
_Part = tuple[str, str]


@dataclass(frozen=True, slots=True)
class _Site:
    """What a stack contributes, remembered with it: its parts, and its source lines."""

    parts: tuple[_Part, ...]
    code: str
    sourced: bool


class Fingerprinter:
    """Computes fingerprints under one app's rules."""

    def __init__(self, rules: AppRules) -> None:
        self._rules = rules

    def fingerprint(self, raised: PrintedException, platform: str = "") -> str:
        """`v<version>-<16 hexadecimal digits>`: safe in object keys, branch names and URLs."""
        joined = "\n".join([part[1] for part in self._parts(raised, platform)]).encode("utf-8", "replace")
        return f"v{VERSION}-{hashlib.sha256(joined).hexdigest()[:16]}"

    def components(self, raised: PrintedException, platform: str = "") -> tuple[Component, ...]:
        """The same parts, to show."""
        return tuple(Component(name, value, _WHY[name]) for name, value in self._parts(raised, platform))

    def _parts(self, raised: PrintedException, platform: str) -> list[_Part]:
        version = ("version", f"v{VERSION}")
        if platform:
            return [version, ("platform", template(platform))]
        return [version, ("type", _type_name(raised)), *(self._own(raised) or self._fallback(raised))]

    def _own(self, raised: PrintedException) -> list[_Part]:
        """The parts that come from the app's own code, in the exception, its causes and its members."""
        site = self._site(raised)
        parts = list(site.parts)
        if parts:
            if constants := _constants(raised, site):
                parts.append(("constant", " ".join(constants)))
            # Most errors are of a key that is a value.
            is_value = raised.type == "KeyError" and raised.frames[-1].function != "__getitem__"
            if not is_value and (told := _told(raised)):
                parts.append(("told", told))
            if not site.sourced and raised.frames[-1].function:
                parts.append(("message", template(raised.message)))
        for index, cause in enumerate(raised.chain):
            if _type_name(cause) == "CancelledError":
                continue  # how asyncio stops a task, printed by some versions only
            # Causes inside libraries vary with their versions, and Lambda's text mode drops them.
            own, last = self._own(cause), index + 1 == len(raised.chain)
            if own and not parts and last and _type_name(cause) == _type_name(raised):
                parts = own  # raised in another process, and again here, where no frame is the app's
            elif own:
                parts += [("cause", _type_name(cause)), *(("cause frame", value) for _, value in own)]
        if raised.members:
            parts += [("member", one) for one in sorted(set(map(self._member, raised.members)))]
        return parts

    def _member(self, member: PrintedException) -> str:
        own = self._own(member) or self._fallback(member)
        return "\n".join([_type_name(member), *(value for _, value in own)])

    def _site(self, raised: PrintedException) -> _Site:
        frames = raised.frames
        site: _Site | None = getattr(frames, "site", None)
        if site is None:
            site = self._read_site(frames, recursion=_type_name(raised) == "RecursionError")
            if isinstance(frames, Stack):
                frames.site = site
        return site

    def _read_site(self, frames: tuple[Frame, ...], *, recursion: bool) -> _Site:
        own = [frame for frame in frames if frame.in_app]
        if not own:
            return _Site((), "", False)
        verdict = self._rules.verdict
        paths: list[str | None] = [verdict(frame.file, frame.function).below for frame in own]
        if None in paths:
            paths = _relative(own, paths)
        entries: list[tuple[str, str, str]] = []
        for frame, path in zip(own, paths, strict=True):
            # A syntax error's own location has no function: versions point at different lines.
            code = " ".join(frame.code.split()) if frame.function else ""
            function = frame.function or ""
            if function in _COMPREHENSIONS and entries and entries[-1][0] == path:
                # Python 3.12 inlines comprehensions: the caller's frame shows the line.
                entries[-1] = (entries[-1][0], entries[-1][1], code)
            else:
                entries.append((path or "", function, code))
        kept = _repeating(entries) if recursion else list(dict.fromkeys(entries[_entry(entries) :]))
        code = "\n".join(entry[2] for entry in kept)
        return _Site(tuple(("frame", "|".join(entry)) for entry in kept), code, bool(code.strip()))

    def _fallback(self, raised: PrintedException) -> list[_Part]:
        """No frame of the app: where in a library it was raised, and what was said."""
        parts: list[_Part] = []
        for frame in reversed(raised.frames):
            if not frame.file.startswith("<"):
                path = frame.file[-MAX_PATH:].replace("\\", "/")
                library = _LIBRARY.match(path)
                where = path[library.end() :] if library else path
                parts.append(("library", f"{where}|{frame.function or ''}"))
                break
        return [*parts, ("message", template(raised.message))]


def _type_name(raised: PrintedException) -> str:
    name = raised.type or ""
    if raised.message.startswith("An error occurred (") and (aws := _AWS_ERROR.match(raised.message)):
        return f"aws:{aws[1]}:{aws[2]}"
    name = _ALIASES.get(name) or _ALIASES.get(last := name.rpartition(".")[2], last)
    driver = _DRIVER_ERROR.match(raised.message) if raised.message[:1] == "(" else None
    return name if driver is None or driver[1] == name else f"{name}:{driver[1]}"


def _relative(frames: list[Frame], belows: list[str | None]) -> list[str | None]:
    """Paths below the deployment root; below their common directory where the root is unknown."""
    files = [frame.file.replace("\\", "/") for frame in frames]
    unknown = [file for file, below in zip(files, belows, strict=True) if below is None]
    levels = zip(*(file.split("/")[:-1] for file in unknown), strict=False)
    common = sum(1 for _ in takewhile(lambda names: len({*names}) == 1, levels))
    return [
        "/".join(file.split("/")[common:]) if below is None else below
        for file, below in zip(files, belows, strict=True)
    ]


def _entry(entries: list[tuple[str, str, str]]) -> int:
    """Index of the first entry that counts: the launcher decides who imports and starts what."""
    start = 0
    for index, (path, function, code) in enumerate(entries[:-1]):
        imports = function == "<module>" and code.startswith(_IMPORTS)
        launches = function == "<module>" and index == 0 and path.rpartition("/")[2] in _LAUNCHERS
        if imports or launches:
            start = index + 1
    return start


def _repeating(entries: list[tuple[str, str, str]]) -> list[tuple[str, str, str]]:
    """The cycle of a runaway recursion. Where in the cycle the limit struck is chance."""
    counts = Counter(entries)
    cycle = sorted(entry for entry, count in counts.items() if count > 1)
    if not cycle:
        return list(dict.fromkeys(entries))
    first = next(index for index, entry in enumerate(entries) if counts[entry] > 1)
    return [*dict.fromkeys(entries[:first][_entry(entries[: first + 1]) :]), *cycle]


def _told(raised: PrintedException) -> str:
    """The names of the program that the message of the interpreter, or of pydantic, tells."""
    name = (raised.type or "").rpartition(".")[2]
    if name not in _TELLERS and name != "KeyError" and "validation error" not in raised.message[:200]:
        return ""
    if name == "KeyError" and not is_environment(raised.frames[-1]):
        return ""
    first = raised.message.partition("\n")[0][:1000]
    if name in _TELLERS:
        return " ".join(
            dict.fromkeys(group for match in _TOLD.findall(without_hint(first)) for group in match if group)
        )
    model = None if name == "KeyError" else _MODEL.search(first)
    if model is None:
        return first if name == "KeyError" else ""
    fields = {_INDEX.sub("<n>", field) for field in _FIELD.findall(raised.message[:20_000])[:_MAX_FIELDS]}
    return " ".join([model[1], *sorted(fields)])


def _constants(raised: PrintedException, site: _Site) -> list[str]:
    """Words of the message that are literals in the source lines, or the name that the error is about.

    They are the program's own words, so they cannot vary with its input; they tell apart two failures on
    one line (`need('db.dsn'), need('mail.host')`).
    """
    message = raised.message
    found = set()
    if "'" in site.code or '"' in site.code:
        for word in message[:1000].split(None, _MAX_WORDS)[:_MAX_WORDS]:
            bare = word.strip("'\".,:;()[]{}")
            if word[:2] in ("u'", 'u"'):  # Python 2
                bare = bare[2:]
            if len(bare) in _LITERAL_LENGTHS and (f"'{bare}'" in site.code or f'"{bare}"' in site.code):
                found.add(bare)
    if " '" in message and (named := _NAMED.search(without_hint(message.partition("\n")[0][:1000]))):
        name = named[1] or named[2]
        last = site.code.rpartition("\n")[2]
        if f".{name}" in last if named[1] else name in last:
            found.add(name)
    return sorted(found)
