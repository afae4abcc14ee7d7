"""The search within the repository's tests: they run as they are, then with one literal changed at a time.

What no call can be made up for, a test has at hand: its fixtures, stand-ins, files and connections. The
functions of the traceback tell each call that they get, so that a call is known that fails as the incident
did, together with the test and the change that leads to it.
"""

from __future__ import annotations

import ast
import builtins
import contextlib
import itertools
import signal
import sys
from collections.abc import Iterator, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import FrameType, ModuleType
from typing import Any, Callable

import pytest

from functions.harness.names import is_test
from functions.harness.report import write_line
from functions.harness.search.explore import quiet
from functions.harness.search.given import literals, quoted, raised_as_given
from functions.harness.search.likeness import FORMS, POOL, Likeness
from functions.harness.search.literals import CHECKED, KNOWN, ChangedLiteral, Marked, constants_of
from functions.harness.search.results import answer, is_plain
from functions.harness.search.values import Value, in_turn, render, variants
from functions.harness.search.watched import WATCHED, WatchedCall, WatchedCalls, mark, watched

_MOST_TESTS, _MOST_RUNS, _MOST_CALLS, _MOST_WORKED = 80, 1200, 40, 150
"""Tests that are changed, runs of changed ones, calls that one run tells of, calls that worked."""
_ENOUGH = 25
_RUN_SECONDS = 1.0
_LONGEST = 300


class _TooLong(BaseException):
    """A changed test took longer than it may."""


def run(task: dict[str, Any], root: str, report: int, main: Callable[[InTests], int]) -> int:
    """See `InTests`. main: runs pytest with the plugin."""
    quiet()
    plugin = InTests(root, report, task["within"])
    plugin.start()
    return main(plugin)


class InTests(MetaPathFinder):
    """pytest's plugin that runs the tests so; reports one line per call and a last one.

    task: `{"places", "type", "message"}` as for a search: each line is `{"call", "imports", "exact",
    "function", "within"}`, with what it gave where it gave a result. `within`: the test, its
    `[path, number, value]` (see `literals.ChangedLiteral`), and which call of which function. With
    `"probe": [{"call", "within"}]`: answers as those of a search, and `"checked"`: what the test then
    compares, line → source text.
    """

    def __init__(self, root: str, report: int, task: dict[str, Any]) -> None:
        self._root, self._report, self._task = root, report, task
        self._likeness = Likeness(task, root)
        self._constants: dict[tuple[str, int], tuple[ModuleType, str]] = {}
        self._change = ChangedLiteral("")
        self._calls = WatchedCalls(list, 0)
        self._met: dict[tuple[str, int], Value] = {}
        self._checked: dict[str, str] = {}
        self._pool: list[Value] = [*quoted(task["message"]), *raised_as_given(task), *POOL]

    def start(self) -> None:
        """Instrument what is imported from here on."""
        signal.signal(signal.SIGALRM, _stop)
        for name, value in ((KNOWN, self._given), (CHECKED, self._compared), (WATCHED, self._watching)):
            setattr(builtins, name, value)
        sys.meta_path.insert(0, self)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        spec = PathFinder.find_spec(fullname, path, target)
        file = (spec.origin if spec is not None else None) or ""
        inner = file[len(self._root) + 1 :] if file.startswith(f"{self._root}/") else ""
        if spec is None or not inner.endswith(".py"):
            return None
        places = [place for place in self._task["places"] if place["path"] == inner]
        if not places and not is_test(inner):
            return None
        spec.loader = _Loader(fullname, file, inner, places, self)
        return spec

    def bound(self, path: str, module: ModuleType, names: dict[int, str]) -> None:
        """What names of a test's module are bound to is changed there."""
        self._constants.update({(path, number): (module, name) for number, name in names.items()})

    def add(self, values: list[Value]) -> None:
        self._pool += [value for value in values if value not in self._pool]

    def _given(self, path: str, number: int, value: Value) -> Value:
        if (path, number) == (self._change.path, self._change.number):
            value = _changed(value, self._change.value)
        self._met.setdefault((path, number), value)
        return value

    def _inside(self) -> list[Value]:
        """What the test has met, what is changed in it first."""
        changed = (self._change.path, self._change.number)
        return [value for _, value in sorted(self._met.items(), key=lambda item: item[0] != changed)]

    def _compared(self, number: int, value: Value) -> Value:
        text = render(value) if is_plain(value) else ""
        self._checked[str(number)] = text if len(text) <= _LONGEST else ""
        return value

    def _watching(self, name: str, owned: bool) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        return lambda function: watched(function, name, owned, lambda: self._calls)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        if "probe" in self._task:
            self._probe(session)
        else:
            self._search(session)
        write_line(self._report, {"end": True})
        return True

    def _probe(self, session: pytest.Session) -> None:
        items = {item.nodeid: item for item in session.items}
        asked = list(enumerate(self._task["probe"]))
        for (name, change), group in itertools.groupby(asked, key=lambda pair: pair[1]["within"][:2]):
            if name not in items:
                continue
            calls = self._run(items[name], ChangedLiteral(*change))
            for number, wanted in group:
                place = wanted["within"][2]
                found = next((call for call in calls if [call.function, call.number] == place), None)
                if found is not None:
                    told = answer(found.outcome, self._root)
                    write_line(self._report, {"n": number, **told, "checked": dict(self._checked)})

    def _search(self, session: pytest.Session) -> None:
        seen: set[str] = set()
        exact = 0
        order = {place["function"]: number for number, place in enumerate(self._task["places"])}
        streams = []
        for item in session.items[:_MOST_TESTS]:
            calls = self._run(item, ChangedLiteral(""))
            exact += self._tell(item, ChangedLiteral(""), calls, seen)
            if calls:
                depth = max(order.get(call.function, 0) for call in calls)
                streams.append((depth, item, self._inputs(item)))
        streams.sort(key=lambda stream: -stream[0])
        self.add(list(FORMS))
        going = ((item, self._changes(inputs)) for _, item, inputs in streams)
        for item, change in itertools.islice(in_turn(going), _MOST_RUNS):
            if exact >= _ENOUGH:
                return
            exact += self._tell(item, change, self._run(item, change), seen)

    def _inputs(self, item: pytest.Item) -> dict[tuple[str, int], Value]:
        """The literals that the test met, and those that its module's names are bound to."""
        module = getattr(item, "module", None)
        bound = {key: vars(held)[name] for key, (held, name) in self._constants.items() if held is module}
        return {**self._met, **bound}

    def _changes(self, inputs: dict[tuple[str, int], Value]) -> Iterator[ChangedLiteral]:
        streams = ((key, _values(value, self._pool)) for key, value in inputs.items())
        for (path, number), text in in_turn(streams):
            yield ChangedLiteral(path, number, text)

    def _tell(
        self, item: pytest.Item, change: ChangedLiteral, calls: list[WatchedCall], seen: set[str]
    ) -> int:
        """Report what is new; how many of these are the incident itself."""
        exact = 0
        changed = [change.path, change.number, change.value]
        for call in calls:
            error = call.outcome.error
            how = self._likeness.of(error) if error is not None else 0
            key = f"{how} {call.text}"
            # A call that gives nothing tells nothing of what is usual.
            tells = how if error is not None else call.outcome.value is not None and len(seen) < _MOST_WORKED
            if key in seen or not tells:
                continue
            seen.add(key)
            exact += how == 2
            within = [item.nodeid, changed, [call.function, call.number]]
            line = {"call": call.text, "imports": [], "exact": how == 2, "within": within}
            if error is None:
                line.update(answer(call.outcome, self._root), function=call.function)
            write_line(self._report, line)
        return exact

    def _run(self, item: pytest.Item, change: ChangedLiteral) -> list[WatchedCall]:
        """Run a test with its fixtures, as pytest does, but for the reports; the calls of what is watched."""
        self._change, self._met, self._checked = change, {}, {}
        self._calls = WatchedCalls(self._inside, _MOST_CALLS)
        restore = self._rebind(change)
        if not getattr(item, "_request", True):
            item._initrequest()  # type: ignore[attr-defined] # as pytest's own `runtestprotocol` does
        signal.setitimer(signal.ITIMER_REAL, _RUN_SECONDS)
        with contextlib.suppress(BaseException):  # how a changed test ends is told by the calls that it made
            item.ihook.pytest_runtest_setup(item=item)
            item.ihook.pytest_runtest_call(item=item)
        signal.setitimer(signal.ITIMER_REAL, 0)
        with contextlib.suppress(BaseException):
            item.ihook.pytest_runtest_teardown(item=item, nextitem=_Parents(item))
        if hasattr(item, "_request"):
            item._request = False
            item.funcargs = None  # type: ignore[attr-defined] # as pytest's own `runtestprotocol` does
        restore()
        return self._calls.made

    def _rebind(self, change: ChangedLiteral) -> Callable[[], None]:
        held = self._constants.get((change.path, change.number))
        if held is None:
            return lambda: None
        module, name = held
        was = vars(module)[name]
        setattr(module, name, _changed(was, change.value))
        return lambda: setattr(module, name, was)


class _Parents:
    """Stands for a next test in the same place: what is set up for the module stays."""

    def __init__(self, item: pytest.Item) -> None:
        self._item = item

    def listchain(self) -> list[Any]:
        return self._item.listchain()[:-1]


class _Loader(SourceFileLoader):
    def __init__(
        self, fullname: str, file: str, path: str, places: list[dict[str, Any]], plugin: InTests
    ) -> None:
        super().__init__(fullname, file)
        self._path, self._places, self._plugin = path, places, plugin
        self._names: dict[int, str] = {}

    def path_stats(self, path: Any) -> Any:
        raise OSError("compiled anew: what lies in a cache has no marks")

    def source_to_code(self, data: Any, path: Any, *, _optimize: int = -1) -> Any:  # type: ignore[override] # as importlib calls it
        module = ast.parse(data, path)
        for node in filter(None, (mark(module, place["line"]) for place in self._places)):
            self._plugin.add(literals(node, 15))
        if is_test(self._path):
            self._names = constants_of(module)
            Marked(self._path, module).visit(module)
        return compile(module, path, "exec", dont_inherit=True, optimize=_optimize)

    def exec_module(self, module: ModuleType) -> None:
        super().exec_module(module)
        self._plugin.bound(self._path, module, self._names)


def _values(value: Value, pool: list[Value]) -> Iterator[str]:
    """Source texts of other values for a literal; of a container that holds more, what lacks a key."""
    if is_plain(value):
        for other in variants(value, pool):
            yield render(other)
    elif isinstance(value, dict):
        yield from (f"del {key!r}" for key in value if isinstance(key, str))
        yield "{}"
    elif isinstance(value, (list, tuple)):
        yield render(type(value)())


def _changed(value: Value, text: str) -> Value:
    if text.startswith("del "):
        key = ast.literal_eval(text[4:])
        return {k: v for k, v in value.items() if k != key} if isinstance(value, dict) else value
    return eval(text, {})  # noqa: S307 - a literal, or an error, that the search wrote, in the sandbox


def _stop(number: int, frame: FrameType | None) -> None:
    raise _TooLong
