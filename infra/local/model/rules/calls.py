"""Parentheses and `await`: a property that is called, a method or coroutine that is not."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from infra.local.model import scope
from infra.local.model.rule import Crash, Refusal, Repair, RepairExample, Rule
from infra.local.model.source import Splice

_NO_ARGUMENTS = {"items", "keys", "values", "strip", "lower", "upper", "title", "copy", "isoformat", "split"}
_PROPERTIES = {"property", "cached_property", "functools.cached_property"}


class CallOrNot(Rule):
    crash_class = "property called, method not called"
    errors = ("TypeError", "AttributeError")
    message = "coroutine|method|'function'|not callable"
    precondition = (
        "the class shown declares the called name as a property; or the name used as a value is a method "
        "without "
        "parameters; or an `async` function of the source is used without `await` inside another"
    )
    repair = "drops or adds the parentheses, or adds `await`"
    examples = (
        RepairExample(
            before=(
                "class Order:\n    @property\n    def total(self):\n        return 3\n\n\n"
                "def pay(order):\n    return order.total()\n"
            ),
            call="pay(Order())",
            after=(
                "class Order:\n    @property\n    def total(self):\n        return 3\n\n\n"
                "def pay(order):\n    return order.total\n"
            ),
        ),
        RepairExample(
            before="def show(stock):\n    for name in stock.items:\n        print(name)\n",
            call="show({})",
            after="def show(stock):\n    for name in stock.items():\n        print(name)\n",
        ),
        RepairExample(
            before=(
                "import asyncio\n\n\nasync def load():\n    return {'a': 1}\n\n\n"
                "async def main():\n    data = load()\n    return data['a']\n"
            ),
            call="import warnings; warnings.simplefilter('ignore'); asyncio.run(main())",
            after=(
                "import asyncio\n\n\nasync def load():\n    return {'a': 1}\n\n\n"
                "async def main():\n    data = await load()\n    return data['a']\n"
            ),
        ),
    )

    def candidates(self, crash: Crash) -> Iterator[Repair | Refusal]:
        if "coroutine" in crash.message:
            yield from self._await(crash)
        elif crash.matches(
            "'(method|builtin_function_or_method|function)' (and|object)|and '(method|builtin)"
        ):
            yield from self._not_called(crash)
        elif crash.matches(r"object is not callable") and "NoneType" not in crash.message:
            yield from self._property(crash)

    def _property(self, crash: Crash) -> Iterator[Repair]:
        for call in crash.failing(cst.Call):
            func = call.func
            if not isinstance(func, cst.Attribute) or call.args or not _is_property(crash, func.attr.value):
                continue
            yield self._candidate(
                crash,
                Splice(crash.file.end(func), crash.file.end(call), ""),
                f"Read the property {func.attr.value} without calling it",
                f"`{func.attr.value}` is a property, so `{crash.file.code(func)}` is its value already.",
            )
            return

    def _not_called(self, crash: Crash) -> Iterator[Repair]:
        found = []
        for node in crash.failing(cst.Attribute):
            parent = crash.file.parent(node)
            called = isinstance(parent, cst.Call) and parent.func is node
            if not called and (node.attr.value in _NO_ARGUMENTS or _is_plain_method(crash, node.attr.value)):
                found.append(node)
        if len(found) != 1:
            return
        end = crash.file.end(found[0])
        text = crash.file.code(found[0])
        yield self._candidate(
            crash,
            Splice(end, end, "()"),
            f"Call {text} in {crash.function_name}",
            f"`{text}` is a method, and line {crash.line} uses it as if it were its result.",
        )

    def _await(self, crash: Crash) -> Iterator[Repair]:
        if crash.function is None or crash.function.asynchronous is None:
            return
        calls = {id(c): c for c in crash.failing(cst.Call) if _is_async(crash, c)}
        for name in {n.value for n in crash.failing(cst.Name)}:
            bound = scope.binding_before(crash.file, crash.scope, name, crash.line)
            if bound and isinstance(bound.value, cst.Call) and _is_async(crash, bound.value):
                calls[id(bound.value)] = bound.value
        if len(calls) != 1:
            return
        call = next(iter(calls.values()))
        text = crash.file.code(call)
        inner = isinstance(crash.file.parent(call), cst.Subscript | cst.Attribute | cst.BinaryOperation)
        yield self._candidate(
            crash,
            crash.file.replace(call, f"(await {text})" if inner else f"await {text}"),
            f"Await {crash.file.code(call.func)} in {crash.function_name}",
            f"`{text}` is a coroutine: without `await` its result never exists (line {crash.line}).",
        )

    def _candidate(self, crash: Crash, splice: Splice, title: str, root_cause: str) -> Repair:
        return Repair(
            title=title,
            root_cause=root_cause,
            explanation="The expression is now used as its definition says; nothing else changes.",
            confidence=0.95,
            file=crash.file,
            splices=(splice,),
        )


def _methods_named(crash: Crash, name: str) -> list[cst.FunctionDef]:
    return [
        scope.methods(owner)[name]
        for file in crash.files.values()
        for owner in file.all(cst.ClassDef)
        if name in scope.methods(owner)
    ]


def _decorators(crash: Crash, function: cst.FunctionDef) -> set[str]:
    return {crash.file.code(d.decorator) for d in function.decorators}


def _is_property(crash: Crash, name: str) -> bool:
    found = _methods_named(crash, name)
    return bool(found) and all(_decorators(crash, f) & _PROPERTIES for f in found)


def _is_plain_method(crash: Crash, name: str) -> bool:
    found = _methods_named(crash, name)
    return bool(found) and all(not f.decorators and len(scope.parameters(f)) == 1 for f in found)


def _is_async(crash: Crash, call: cst.Call) -> bool:
    """Whether the call, not awaited, is of an `async def` of the source."""
    if isinstance(crash.file.parent(call), cst.Await):
        return False
    name = crash.file.code(call.func).rsplit(".", 1)[-1]
    found = _methods_named(crash, name)
    for file in crash.files.values():
        definition = scope.definition(file, name)
        if isinstance(definition, cst.FunctionDef):
            found.append(definition)
    return bool(found) and all(f.asynchronous for f in found)
