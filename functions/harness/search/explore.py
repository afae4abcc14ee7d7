"""The search itself, inside the sandbox: calls the unpatched code until it fails as the incident did.

Bounded by a number of calls, so that the same tree gives the same answer on a slow machine, and by the
sandbox's wall clock. Inputs come from calls in the repository's tests, from how the code uses its parameters,
from annotations, from the exception's message, and from changing one place of such an input at a time.
"""

from __future__ import annotations

import ast
import importlib
import itertools
import linecache
import os
import re
import signal
import sys
import traceback
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any

from functions.harness.report import frames_of, write_line
from functions.harness.search.edges import Edges, constants_in
from functions.harness.search.given import keys_in, literals, quoted, raised_as_given
from functions.harness.search.results import answer, listen, outcome
from functions.harness.search.shapes import calls_of
from functions.harness.search.targets import (
    Callee,
    Classes,
    classes_of,
    data_of,
    helpers_of,
    module_name,
    shapes,
    targets_of,
)
from functions.harness.search.values import New, Value, in_turn, is_error, names_used, render, variants
from functions.harness.tracer import Tracer

_POOL: tuple[Value, ...] = (None, "", 0, 1, -1, "x", [], {}, 1.5, "1", True, "é", -0.5, ["x"], {"key": "x"})
# Texts in the forms that data comes in: what code was not written for is often one of these.
_FORMS: tuple[Value, ...] = ("1,5", "2024-02-29", "29.02.2024", "12:30", "0.1", "A b", "", " x ", "long " * 9)
_MOST_BASES, _MOST_AT_EDGES = 8, 200
_FIRST, _MOST_KNOWN, _MOST_FURTHER = 250, 1000, 4
"""Plans before those that got furthest are changed, and then of these; how many are looked at, and chosen."""
_LONGEST_CHANGED = 2000
"""Characters of a call that is changed further: changing one of a thousand rows outlasts all others."""
_ENOUGH = 100
"""Failing inputs after which the search ends: enough to find one that the patched code takes well."""


class _TooLong(BaseException):
    """A call took longer than a call may."""


def explore(task: dict[str, Any], root: str, report: int) -> int:
    """Search for failing calls, or probe given ones; reports one line per call and a last one.

    `{"places", "type", "message", "tests", "files", "calls", "skip"}`, of which `skip` says how many of the
    innermost functions to pass over: each find is `{"call", "imports", "exact"}`.
    `{"probe": [{"call", "imports"}]}`: each answer is `{"value", "shown"}` or `{"raised", "deliberate"}`, and
    `"left"` where the call changed its arguments or its object: what they are then, and `"logged"`. Of a
    result that is too long to be told, there is `"long"`: its digest.
    With `"trace"`, what the calls execute is told too (see `functions.harness.tracer.py`).
    `{"survey": true, "constants", "helpers", ...}`, else as for a search: every call of every place is
    reported, those at the edges that constants draw first, with its answer, `"function"`, and its
    `"likeness"` to the incident (see `_Incident.likeness`), `"exact"` where that is 2. Functions of the tests
    in `helpers` make inputs, too.
    """
    _quiet()
    listen()
    signal.signal(signal.SIGALRM, _stop)
    if "survey" in task:
        _survey(task, root, report)
    elif "probe" in task:
        tracer = Tracer(root, report, task.get("trace", []))
        tracer.start()
        for number, call in enumerate(task["probe"]):
            write_line(report, {"n": number, **answer(outcome(call), root)})
        tracer.stop()
    else:
        _search(task, root, report)
    write_line(report, {"end": True})
    return 0


def _search(task: dict[str, Any], root: str, report: int) -> None:
    incident = _Incident(task, root)
    place = task["places"][-1]
    name = module_name(place["path"])
    try:
        importlib.import_module(name)
    except BaseException as error:  # noqa: BLE001 - a stranger's module may raise anything
        how = incident.likeness(error)
        found = {
            "call": f"importlib.import_module({name!r})",
            "imports": [["", "importlib"]],
            "exact": how == 2,
        }
        write_line(
            report, found if how else {"problem": f"importing {name} fails: {type(error).__name__}: {error}"}
        )
        return
    classes = classes_of(Path(root), task["files"])
    left = task["calls"]
    exact = 0
    for target in itertools.islice(targets_of(Path(root), task["places"]), task["skip"], None):
        further = _Further()
        for call in itertools.islice(_calls(target, classes, task, Path(root), further), left):
            left -= 1
            raised = outcome(call).error
            further.told(target, raised)
            how = incident.likeness(raised) if raised is not None else 0
            if how:
                write_line(report, {**call, "exact": how == 2})
                exact += how == 2
            if exact >= _ENOUGH:
                return
        if exact:
            return


def _survey(task: dict[str, Any], root: str, report: int) -> None:
    incident = _Incident(task, root)
    classes = replace(classes_of(Path(root), task["files"]), helpers=helpers_of(Path(root), task["helpers"]))
    targets = targets_of(Path(root), task["places"])
    streams = []
    for target in targets:
        further = _Further()
        calls = itertools.islice(_calls(target, classes, task, Path(root), further), task["calls"])
        streams.append(((target, further), calls))
    # In turn: a function whose calls take long does not use up the time of the others.
    for (target, further), call in in_turn(streams):
        found = outcome(call)
        further.told(target, found.error)
        how = incident.likeness(found.error) if found.error is not None else 0
        known = {"function": target.function.name, "exact": how == 2, "likeness": how}
        write_line(report, {**call, **known, **answer(found, root)})


class _Further:
    """How far calls got, so that those that got furthest are changed next: what is needed in several places
    is found one place after the other."""

    def __init__(self) -> None:
        self.now: _Plan | None = None
        """What the call that is made now is of."""
        self._known: list[tuple[int, _Plan]] = []

    def told(self, target: Callee, error: BaseException | None) -> None:
        """How the call ended: by the last line of the target that it reached; a result is further still."""
        frames = traceback.walk_tb(error.__traceback__ if error is not None else None)
        name = target.function.name
        lines = [line for frame, line in frames if frame.f_code.co_name == name]
        if self.now is not None and len(self._known) < _MOST_KNOWN:
            self._known.append((max(lines, default=0) if error is not None else sys.maxsize, self.now))

    def furthest(self) -> list[_Plan]:
        best = max((reached for reached, _ in self._known), default=0)
        return [plan for reached, plan in self._known if reached == best][:_MOST_FURTHER]


class _Incident:
    """What to look for: the type, the place, and, as far as it tells, the message."""

    def __init__(self, task: dict[str, Any], root: str) -> None:
        self._type = task["type"].rpartition(".")[2]
        # Since 3.10 a printed traceback may end with a hint that is no part of the message itself.
        self._message = re.sub(r"\. Did you (?:mean|forget).*$", "", " ".join(task["message"].split()))
        self._place = task["places"][-1]
        self._root = root

    def likeness(self, error: BaseException) -> int:
        """2: this is the incident; 1: it is like it but for values in the message; 0: something else."""
        if type(error).__name__ != self._type:
            return 0
        own = [
            frame
            for frame in frames_of(error.__traceback__, self._root)
            if not frame[0].startswith(("/", "<"))
        ]
        if not own or own[-1][0] != self._place["path"] or own[-1][2] != self._place["function"]:
            return 0
        line = linecache.getline(str(Path(self._root, own[-1][0])), own[-1][1]).strip()
        if own[-1][1] != self._place["line"] and line != self._place["code"]:
            return 0
        message = " ".join(str(error).split())
        if message == self._message or isinstance(error, RecursionError):
            return 2  # where the stack ends is chance
        return int(_form(message) == _form(self._message))


def _form(message: str) -> str:
    """A message without its values."""
    return re.sub(r"'[^']*'|\"[^\"]*\"|\[redacted[^\]]*\]|\d+(?:\.\d+)?", "*", message)


def _calls(
    target: Callee, classes: Classes, task: dict[str, Any], root: Path, further: _Further
) -> Iterator[dict[str, Any]]:
    """Calls of a target as source text with the imports it needs; likely ones first, each once."""
    pool = [
        *quoted(task["message"]),
        *raised_as_given(task),
        *_POOL,
        *literals(target.function, 15),
    ]
    pool += [value for value in literals(data_of(target, root), 40) if value not in pool]
    pool += [value for value in _FORMS if value not in pool]
    examples = [found for path in task["tests"] for found in _examples(root / path, target, classes)]
    read = shapes(target, root)
    shaped: _Base = ([], {a.arg: classes.of_annotation(a, read.get(a.arg)) for a in target.required()})
    whole = replace(classes, whole=True)
    everything: _Base = ([], {a.arg: whole.of_annotation(a, read.get(a.arg)) for a in target.parameters()})
    bases = [*examples[:20], _positional(target, shaped), everything]
    receivers = [*_receivers(target, classes, task, root), *classes.constructors(target)]
    receivers += [full for full in whole.constructors(target) if full not in receivers]
    pool += [key for key in keys_in(receivers[:4]) if key not in pool]
    seen = set()
    plans = _plans(bases, receivers or [None], pool)
    if "survey" in task:
        code = (*constants_in(target.function), *constants_in(data_of(target, root)))
        at_edges = _at_edges(bases, (receivers or [None])[0], Edges.of([*task["constants"], *code]))
        plans = itertools.chain(itertools.islice(at_edges, _MOST_AT_EDGES), plans)
    for receiver, arguments, keywords in itertools.chain(
        itertools.islice(plans, _FIRST), _from(further, pool), plans
    ):
        call = _source(target, receiver, arguments, keywords)
        further.now = (receiver, arguments, keywords) if len(call) <= _LONGEST_CHANGED else None
        if call not in seen:  # three of four have been there
            seen.add(call)
            used = names_used([receiver, arguments, keywords])
            yield {"call": call, "imports": _imports(target, used, classes)}


_Base = tuple[list[Value], dict[str, Value]]
"""Positional and keyword arguments."""
_Plan = tuple[Value, list[Value], dict[str, Value]]


def _plans(bases: list[_Base], receivers: list[Value], pool: list[Value]) -> Iterator[_Plan]:
    """Bases as they are, then with one place changed, then with two."""
    for receiver in receivers:
        for arguments, keywords in bases:
            yield receiver, arguments, keywords
    singles: list[_Plan] = []
    # Round-robin over the bases: the first change of each before the second change of any.
    streams = [_changed(receiver, *base, pool) for receiver in receivers[:4] for base in bases]
    for plan in (p for group in itertools.zip_longest(*streams) for p in group if p is not None):
        singles.append(plan)
        yield plan
    for receiver, arguments, keywords in singles:
        yield from itertools.islice(_changed(receiver, arguments, keywords, pool[:6]), 40)


def _from(further: _Further, pool: list[Value]) -> Iterator[_Plan]:
    """What got furthest, with one place changed."""
    streams = [(None, _changed(*plan, pool)) for plan in further.furthest()]
    yield from (plan for _, plan in itertools.islice(in_turn(streams), _FIRST))


def _at_edges(bases: list[_Base], receiver: Value, edges: Edges) -> Iterator[_Plan]:
    """Bases with one place at an edge: every place of every base gets its turn."""

    places = [
        ((base, place), edges.beside(value))
        for base in bases[:_MOST_BASES]
        for place, value in (*enumerate(base[0]), *base[1].items())
    ]
    for (base, place), other in in_turn(places):
        arguments, keywords = base
        if isinstance(place, int):
            yield receiver, [*arguments[:place], other, *arguments[place + 1 :]], keywords
        else:
            yield receiver, arguments, {**keywords, str(place): other}
    for arguments, keywords in bases[:1]:
        yield from ((other, arguments, keywords) for other in edges.beside(receiver))


def _changed(
    receiver: Value, arguments: list[Value], keywords: dict[str, Value], pool: list[Value]
) -> Iterator[_Plan]:
    for i, value in enumerate(arguments):
        for other in variants(value, pool):
            yield receiver, [*arguments[:i], other, *arguments[i + 1 :]], keywords
    for name, value in keywords.items():
        for other in variants(value, pool):
            yield receiver, arguments, {**keywords, name: other}
    if isinstance(receiver, New):
        for other in variants(receiver, pool):
            if isinstance(other, New):
                yield other, arguments, keywords


def _positional(target: Callee, base: _Base) -> _Base:
    """Arguments without their names, where the signature allows it: as a person would write the call."""
    arguments = target.function.args
    names = {a.arg for a in (*arguments.posonlyargs, *arguments.args)}
    given = base[1]
    return [v for k, v in given.items() if k in names], {k: v for k, v in given.items() if k not in names}


def _source(target: Callee, receiver: Value, arguments: list[Value], keywords: dict[str, Value]) -> str:
    given = ", ".join([*map(render, arguments), *(f"{k}={render(v)}" for k, v in keywords.items())])
    name = target.function.name
    if target.owner is not None:
        base = target.owner.name if target.static or receiver is None else render(receiver)
        call = (
            f"{base}({given})"
            if name == "__init__"
            else f"{base}.{name}" + ("" if target.is_property else f"({given})")
        )
    else:
        call = f"{name}({given})"
    return f"{target.wrapper}({call})" if target.wrapper else call


def _imports(target: Callee, used: set[str], classes: Classes) -> list[list[str]]:
    """[module, name] of what a call uses; an empty module means `import name`."""
    imports = {(target.module, target.imported)}
    imports |= {(classes.module_of(name), name) for name in used if not is_error(name)}
    if target.wrapper == "asyncio.run":
        imports.add(("", "asyncio"))
    return sorted(map(list, imports))


def _examples(path: Path, target: Callee, classes: Classes) -> Iterator[_Base]:
    try:
        module = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return
    for arguments, keywords in calls_of(target.function.name, module, classes.parameters()):
        yield (
            [*map(classes.spelled_out, arguments)],
            {name: classes.spelled_out(v) for name, v in keywords.items()},
        )


def _receivers(target: Callee, classes: Classes, task: dict[str, Any], root: Path) -> list[Value]:
    """Objects of the target's class as the tests make them."""
    if target.owner is None:
        return []
    found: list[Value] = []
    for path in task["tests"]:
        try:
            module = ast.parse((root / path).read_bytes())
        except (OSError, SyntaxError, ValueError):
            continue
        for arguments, keywords in calls_of(target.owner.name, module, classes.parameters()):
            found.append(New(target.owner.name, keywords, tuple(arguments)))
    return found[:8]


def _quiet() -> None:
    """Thousands of calls may print; nobody reads it."""
    with Path(os.devnull).open("wb") as nothing:
        sys.stdout.flush()
        os.dup2(nothing.fileno(), 1)


def _stop(number: int, frame: FrameType | None) -> None:
    raise _TooLong
