"""Chooses what the model sees of the repository: what an engineer would look at, most relevant first."""

from __future__ import annotations

import ast
import posixpath
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from functions.core.incidents.incident import Frame
from functions.core.model.limits import SOURCE_TOKENS
from functions.core.model.requests import estimate_tokens
from functions.core.notify.counts import counted
from functions.core.source import syntax
from functions.core.source.code_mappings import Location, locate
from functions.core.source.syntax_tree import imports_of
from functions.core.untrusted.redaction import redact
from functions.propose_patch.definitions import definitions_for
from functions.propose_patch.origins import CodePosition, origins
from functions.propose_patch.repository import SourceTree, is_test

# Of the files that the traceback leads to, what is shown may be this part, and at least so many tokens: more
# buries what matters, and costs with every attempt.
_SHARE, _LEAST_TOKENS = 0.25, 2_500

# Up to this length the rest of the file that failed is shown too: how its other functions treat the same case
# (a guard, an exception of its own, a default) tells how this one should.
_SMALL_FILE = 120
_MOST_CAUSES = 40
# A function longer than this is shown by its head and what surrounds the failing line.
_LONG_FUNCTION, _HEAD, _BEFORE, _AFTER = 160, 12, 70, 30
_CONSTANT_LINES, _DEFINITION_LINES, _TEST_LINES, _RULE_LINES = 30, 60, 60, 40
_WINDOW = 20
_ORIGIN_TOKENS, _ORIGIN_SHARE = 700, 4
"""The most that may be shown of where a value came from, and the part of the budget where that is small."""
_SHORT = 15
"""Lines of a function that is shown as a whole around them."""
_SECTION_TOKENS, _REASON_TOKENS, _REASONS = 45, 8, 4
"""What a part takes beside its lines, and each reason of it; the reasons that are given."""
_MASKED = "a line with a masked value"
_RULE_FILES = ("AGENTS.md", "CONTRIBUTING.md", ".github/CONTRIBUTING.md", ".selfheal.toml")


@dataclass(frozen=True, slots=True)
class MappedFrame:
    """A frame of the app, its number among all frames (from 1), and its file in the repository, if known.

    line: where its code stands in that file, which is another line than was logged when another revision is
    deployed; problem: what is wrong with the place, if anything.
    """

    frame: Frame
    number: int
    path: str | None
    problem: str = ""
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """Lines of one file, redacted, by real line number; `failing` are the lines that frames point to;
    `required` says that a budget for source does not keep it out."""

    path: str
    lines: Mapping[int, str]
    failing: frozenset[int]
    why: str
    function: str = ""
    required: bool = False

    @property
    def place(self) -> str:
        return f"{self.path} lines {min(self.lines)}-{max(self.lines)}"

    @property
    def tokens(self) -> int:
        return estimate_tokens("".join(self.lines.values())) + 4 * len(self.lines)


@dataclass(frozen=True, slots=True)
class Context:
    """What is shown, most relevant first; what was left out, one line each; how the app's frames map."""

    parts: tuple[Part, ...]
    left_out: tuple[str, ...]
    frames: tuple[MappedFrame, ...]


def map_frames(
    frames: Sequence[Frame], repository: SourceTree, roots: Mapping[str, str]
) -> list[MappedFrame]:
    """The app's own frames, outermost first, each with its file or the problem of finding it.

    A file at the top of the repository has only a base name; it counts when the printed line stands there.
    """
    mapped = []
    for number, frame in enumerate(frames, 1):
        if not frame.in_app:
            continue
        location = locate(frame.file, repository.paths, roots)
        base = posixpath.basename(frame.file.replace("\\", "/"))
        if location.path is None and base in repository.paths and _stands_there(repository, base, frame):
            location = Location(base)
        if location.path is None:
            mapped.append(MappedFrame(frame, number, None, location.problem))
        else:
            line, problem = _line_of(repository, location.path, frame)
            mapped.append(MappedFrame(frame, number, location.path, problem, line))
    return mapped


def _line_of(repository: SourceTree, path: str, frame: Frame) -> tuple[int | None, str]:
    """Where the frame's code stands, and what is to be said of that: a file may have moved on since."""
    code = frame.code.strip()
    if frame.line is None or not code or _stands_there(repository, path, frame):
        return frame.line, ""
    same = [number for number, text in enumerate(repository.lines(path), 1) if text.strip() == code]
    tree = repository.tree(path)
    if len(same) > 1 and tree:
        functions = ((number, syntax.enclosing(tree, number)[0]) for number in same)
        same = [number for number, function in functions if function and function.name == frame.function]
    if len(same) == 1:
        return same[0], f"what was logged as line {frame.line} stands in line {same[0]} of this revision"
    logged = "".join(repository.lines(path)[frame.line - 1 : frame.line]).strip()
    if logged and (logged in code or code in logged):
        return frame.line, ""  # several lines were logged as one, or one was logged in part
    return frame.line, f"line {frame.line} reads differently in this revision; another one may be deployed"


def _stands_there(repository: SourceTree, path: str, frame: Frame) -> bool:
    lines = repository.lines(path)
    inside = frame.line is not None and 0 < frame.line <= len(lines)
    return bool(frame.code) and inside and lines[(frame.line or 0) - 1].strip() == frame.code.strip()


def build_context(
    repository: SourceTree,
    frames: Sequence[Frame],
    roots: Mapping[str, str],
    budget: int = SOURCE_TOKENS,
    causes: Sequence[Frame] = (),
    error: str = "",
) -> Context:
    """The context of an incident with these frames, innermost last. No parts when no app frame has a file.

    budget: estimated tokens of source; the failing functions always get in. causes: frames of the exceptions
    that led to it. error: the exception's type and message.
    """
    mapped = map_frames(frames, repository, roots)
    located = [entry for entry in reversed(mapped) if entry.path and entry.line]
    led = [e for e in reversed(map_frames(causes, repository, roots)) if e.path and e.line][:_MOST_CAUSES]
    whole = sum(estimate_tokens(repository.text(path) or "") for path in {e.path or "" for e in located})
    selection = _Selection(repository, min(budget, max(_LEAST_TOKENS, int(whole * _SHARE))))
    for entry in mapped:
        if entry.problem:
            where = f"{entry.frame.file} line {entry.frame.line} in {entry.frame.function}"
            selection.left_out.append(f"frame {entry.number} of {len(frames)}, {where}: {entry.problem}")
    for rank, entry in enumerate(located):
        selection.add_frame(entry, located, _why(entry, rank, len(frames)))
        if rank == 0:
            selection.add_module_head(entry)
    for entry in led if located else ():
        selection.add_frame(entry, [*located, *led], "a frame of an exception that led to this one")
    if located:
        innermost = located[0]
        selection.add_outer(innermost)
        selection.add_class(innermost)
        selection.add_definitions(innermost)
        selection.add_origins([located, led], error)
        selection.add_rest(innermost)
        selection.add_tests(located)
        selection.add_rules()
        for caller in located[1:]:
            selection.add_class(caller)
            selection.add_module_head(caller, required=False)
    return Context(tuple(selection.parts), tuple(selection.left_out), tuple(mapped))


def _why(entry: MappedFrame, rank: int, total: int) -> str:
    place = f"frame {entry.number} of {total}"
    if rank:
        return f"{place}, a caller"
    return f"{place}, where it failed" + ("" if entry.number == total else ", inside what this line calls")


class _Selection:
    """Parts taken so far. A line is shown once; what does not fit the budget is listed instead."""

    def __init__(self, repository: SourceTree, budget: int) -> None:
        self._repository = repository
        self._left = self._budget = budget
        self._shown: dict[str, set[int]] = {}
        self._redacted: dict[str, list[str]] = {}
        self.parts: list[Part] = []
        self.left_out: list[str] = []

    def add_frame(self, entry: MappedFrame, located: Sequence[MappedFrame], why: str) -> None:
        """The function around a frame's line, whatever the budget says."""
        path, line = entry.path or "", entry.line or 0
        whole, name = self._around(path, line)
        wanted = set(whole)
        if len(whole) > _LONG_FUNCTION:
            near = range(max(line - _BEFORE, whole.start), min(line + _AFTER + 1, whole.stop))
            wanted = {*whole[:_HEAD], *near}
            missing = len(whole) - len(wanted)
            self.left_out.append(
                f"{path}: {counted(missing, 'line')} of {name or 'the module'}, away from line {line}"
            )
        failing = frozenset(e.line for e in located if e.path == path and e.line) & wanted
        self._add(
            path, wanted, why, failing=failing, required=True, function=name or entry.frame.function or ""
        )

    def add_rest(self, entry: MappedFrame) -> None:
        """What is left of the file that failed, if it is small."""
        count = len(self._repository.lines(entry.path or ""))
        if count <= _SMALL_FILE:
            self._add(entry.path or "", set(range(1, count + 1)), f"the rest of {entry.path}")

    def _around(self, path: str, line: int) -> tuple[range, str]:
        """The function around a line and its name, else the module's statement, else the lines nearby."""
        tree = self._repository.tree(path)
        function = syntax.enclosing(tree, line)[0] if tree else None
        statement = function or next(
            (s for s in tree.body if line in syntax.span(s)) if tree else iter(()), None
        )
        if statement is None:
            return range(line - _WINDOW, line + _WINDOW + 1), ""
        return syntax.span(statement), function.name if function else ""

    def add_module_head(self, entry: MappedFrame, *, required: bool = True) -> None:
        """The module's imports and the constants the function uses; the failing one's whatever the budget."""
        path, line = entry.path or "", entry.line or 0
        tree = self._repository.tree(path)
        if tree is None:
            return
        function, owner = syntax.enclosing(tree, line)
        names = syntax.names_in(function or owner or tree)
        wanted = syntax.import_lines(tree) | syntax.constant_lines(tree, names, _CONSTANT_LINES)
        self._add(path, wanted, f"imports and constants of {path}", required=required)

    def add_outer(self, entry: MappedFrame) -> None:
        """The function that a nested one lies in: it reads that one's variables."""
        tree, line = self._repository.tree(entry.path or ""), entry.line or 0
        nodes = ast.walk(tree) if tree else iter(())
        around = [n for n in nodes if isinstance(n, syntax.Function) and line in syntax.span(n)]
        for outer in around[:-1]:  # outermost first, as the tree is walked
            lines = syntax.span(outer)
            wanted = set(lines if len(lines) <= _DEFINITION_LINES else lines[:_HEAD])
            self._add(entry.path or "", wanted, f"around it: {outer.name}")

    def add_class(self, entry: MappedFrame) -> None:
        tree = self._repository.tree(entry.path or "")
        owner = syntax.enclosing(tree, entry.line or 0)[1] if tree else None
        if owner:
            self._add(entry.path or "", syntax.outline_lines(owner), f"outline of class {owner.name}")

    def add_definitions(self, entry: MappedFrame) -> None:
        """What the failing line calls and reads: whole, or a class's outline when it is long."""
        for definition in definitions_for(self._repository, entry.path or "", entry.line or 0):
            lines = syntax.span(definition.node)
            wanted = set(lines)
            if len(lines) > _DEFINITION_LINES and isinstance(definition.node, ast.ClassDef):
                wanted = syntax.outline_lines(definition.node)
            elif len(lines) > _DEFINITION_LINES:
                wanted = set(lines[:_DEFINITION_LINES])
            self._add(definition.path, wanted, f"definition of {definition.name}")

    def add_origins(self, traces: Sequence[Sequence[MappedFrame]], error: str) -> None:
        """Where the value that failed may have been made: first the lines alone, then what they stand in,
        where that is short; beside the budget for what is near."""
        places = [[CodePosition(e.path or "", e.line or 0) for e in trace] for trace in traces]
        left = min(_ORIGIN_TOKENS, self._budget // _ORIGIN_SHARE)
        found = origins(self._repository, places, error) if left else []
        wanted: dict[str, set[int]] = {}
        whys: dict[str, dict[str, None]] = {}
        short = (each for each in found if each.path in wanted and len(each.around) <= _SHORT)
        for origin, lines in chain(((o, o.lines) for o in found), ((o, o.around) for o in short)):
            texts, path = self._repository.lines(origin.path), origin.path
            shown = self._shown.get(path, set()) | wanted.get(path, set())
            fresh = {n for n in lines if n not in shown and n <= len(texts) and texts[n - 1].strip()}
            tokens = sum(estimate_tokens(texts[n - 1]) + 4 for n in fresh)
            tokens += _REASON_TOKENS if path in wanted else _SECTION_TOKENS
            if fresh and tokens <= left:
                left -= tokens
                wanted.setdefault(path, set()).update(fresh)
                masked = self._lines(path)
                # A reason quotes its lines, where a secret has no name that tells it as one.
                told = all(masked[n - 1] == texts[n - 1] for n in origin.lines if n <= len(texts))
                whys.setdefault(path, {})[origin.why if told else _MASKED] = None
        for path, numbers in wanted.items():
            why = "; ".join([*whys[path]][:_REASONS])
            self._add(path, numbers, f"where the value may come from: {why}", beside=True)

    def add_tests(self, located: Sequence[MappedFrame]) -> None:
        """Of the tests that import the failing module, those that name it or a function of the traceback."""
        path = located[0].path or ""
        module = posixpath.splitext(posixpath.basename(path))[0]
        names = {module, *(entry.frame.function or "" for entry in located)}
        for test in sorted(filter(is_test, self._repository.paths)):
            tree = self._repository.tree(test) if module in (self._repository.text(test) or "") else None
            if tree is None or path not in _imported_files(self._repository, test, tree):
                continue
            wanted: set[int] = set()
            for node in ast.walk(tree):
                if isinstance(node, syntax.Function) and names & _words(node) and len(wanted) < _TEST_LINES:
                    wanted |= set(syntax.span(node))
            if wanted:
                self._add(test, wanted | syntax.import_lines(tree), f"tests that import {module}")

    def add_rules(self) -> None:
        for path in _RULE_FILES:
            if text := self._repository.text(path):
                lines = text.count("\n") + 1
                self._add(path, set(range(1, min(lines, _RULE_LINES) + 1)), "the repository's own rules")

    def _add(
        self,
        path: str,
        wanted: set[int],
        why: str,
        *,
        failing: frozenset[int] = frozenset(),
        required: bool = False,
        beside: bool = False,
        function: str = "",
    ) -> None:
        texts = self._lines(path)
        shown = self._shown.setdefault(path, set())
        numbers = sorted(n for n in wanted - shown if 0 < n <= len(texts))
        if numbers and numbers[-1] == len(texts) and not texts[-1]:
            numbers.pop()  # what follows the last line feed is no line
        if not any(texts[n - 1].strip() for n in numbers):
            return
        part = Part(path, {n: texts[n - 1] for n in numbers}, failing, why, function, required)
        if part.tokens > self._left and not required and not beside:
            self.left_out.append(f"{part.place} ({why}): about {part.tokens} tokens, over the budget")
            return
        self._left -= 0 if beside else part.tokens
        shown.update(numbers)
        self.parts.append(part)

    def _lines(self, path: str) -> list[str]:
        if path not in self._redacted:
            # As a whole, so that what spans lines is recognised; redaction keeps the line numbers.
            self._redacted[path] = redact(self._repository.text(path) or "").split("\n")
        return self._redacted[path]


def _words(function: syntax.Function) -> set[str]:
    """Names and attributes that occur in a function."""
    attributes = {node.attr for node in ast.walk(function) if isinstance(node, ast.Attribute)}
    return attributes | syntax.names_in(function)


def _imported_files(repository: SourceTree, path: str, tree: ast.Module) -> Iterator[str | None]:
    for one in imports_of(tree):
        yield repository.module(one.module, one.level, path)
        if isinstance(one.node, ast.ImportFrom):
            yield repository.module(one.dotted, one.level, path)
