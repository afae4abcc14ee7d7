"""Loops over the wrong thing: a dictionary that the loop changes, keys where pairs are meant, a length."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from infra.local.model import scope
from infra.local.model.rule import Crash, Refusal, Repair, RepairExample, Rule
from infra.local.model.source import walk

_REMOVES = {"pop", "remove", "discard", "popitem", "clear"}
_ADDS = {"add", "update", "setdefault"}
_KEYED = {"key", "name", "field", "header", "label"}


class ChangedWhileIterating(Rule):
    crash_class = "collection changed while iterating"
    errors = ("RuntimeError",)
    message = "during iteration"
    precondition = "the failing line is a loop over a dictionary or set that the loop's own body changes"
    repair = "iterates over a copy of the keys, items or elements"
    examples = (
        RepairExample(
            before=(
                "def prune(stock):\n    for k, v in stock.items():\n        if not v:\n            del "
                "stock[k]\n"
            ),
            call="prune({'a': 0, 'b': 1})",
            after=(
                "def prune(stock):\n    for k, v in list(stock.items()):\n        if not v:\n"
                "            del stock[k]\n"
            ),
        ),
        RepairExample(
            before="def drop(seen):\n    for s in seen:\n        seen.discard(s)\n",
            call="drop({1, 2})",
            after="def drop(seen):\n    for s in list(seen):\n        seen.discard(s)\n",
        ),
    )

    def candidates(self, crash: Crash) -> Iterator[Repair | Refusal]:
        loops = crash.failing(cst.For)
        if len(loops) != 1:
            return
        loop, over = loops[0], loops[0].iter
        base = over
        if isinstance(over, cst.Call) and isinstance(over.func, cst.Attribute) and not over.args:
            base = over.func.value
        text = crash.file.code(base)
        if not scope.is_plain(base) or not _changes(crash, loop, text):
            return
        new = f"list({crash.file.code(over)})"
        yield Repair(
            title=f"Iterate over a copy of {text} in {crash.function_name}"[:72],
            root_cause=(
                f"The loop on line {crash.line} goes over `{text}` while its body adds or removes entries."
            ),
            explanation=f"`{new}` is taken before the loop starts; what the body does is unchanged.",
            confidence=0.95,
            file=crash.file,
            splices=(crash.file.replace(over, new),),
        )


class WrongIterable(Rule):
    crash_class = "loop over keys or a length"
    errors = ("ValueError", "TypeError")
    message = "unpack|not iterable"
    precondition = (
        "two names are unpacked from a value that the source shows to be a dictionary, or from `split` of "
        "a keyed "
        "line, or the loop goes over `len(x)`"
    )
    repair = "adds `.items()`, `maxsplit` or `range`"
    examples = (
        RepairExample(
            before="PRICES = {'apple': 1}\n\n\ndef show():\n    return [f'{k}={v}' for k, v in PRICES]\n",
            call="show()",
            after=(
                "PRICES = {'apple': 1}\n\n\ndef show():\n    return [f'{k}={v}' for k, v in PRICES.items()]\n"
            ),
        ),
        RepairExample(
            before="def show(rows):\n    for i in len(rows):\n        print(rows[i])\n",
            call="show([1])",
            after="def show(rows):\n    for i in range(len(rows)):\n        print(rows[i])\n",
        ),
        RepairExample(
            before="def parse(line):\n    key, value = line.split('=')\n    return key, value\n",
            call="parse('a=b=c')",
            after="def parse(line):\n    key, value = line.split('=', 1)\n    return key, value\n",
        ),
    )

    def candidates(self, crash: Crash) -> Iterator[Repair | Refusal]:
        loops: list[cst.For | cst.CompFor] = [*crash.failing(cst.For), *crash.failing(cst.CompFor)]
        if crash.matches("'int' object is not iterable") and len(loops) == 1:
            over = loops[0].iter
            if isinstance(over, cst.Call) and crash.file.code(over.func) == "len":
                yield self._candidate(crash, over, f"range({crash.file.code(over)})", "a number", 0.95)
        elif crash.matches(r"(too many|not enough) values to unpack \(expected 2") or crash.matches(
            "cannot unpack"
        ):
            pairs = [p for p in loops if isinstance(p.target, cst.Tuple) and len(p.target.elements) == 2]
            if len(pairs) == 1 and _is_dictionary(crash, pairs[0].iter):
                over = pairs[0].iter
                yield self._candidate(crash, over, f"{crash.file.code(over)}.items()", "the keys alone", 0.9)
            if crash.matches("too many"):
                yield from self._split(crash)

    def _split(self, crash: Crash) -> Iterator[Repair]:
        """`key, value = line.split(sep)`: a value may hold the separator, a key does not."""
        for node in crash.failing(cst.Assign):
            target, call = node.targets[0].target, node.value
            if (
                not isinstance(target, cst.Tuple)
                or len(target.elements) != 2
                or not isinstance(call, cst.Call)
            ):
                continue
            splits = isinstance(call.func, cst.Attribute) and call.func.attr.value == "split"
            first = target.elements[0].value
            keyed = isinstance(first, cst.Name) and first.value in _KEYED
            if splits and keyed and len(call.args) == 1 and isinstance(call.args[0].value, cst.SimpleString):
                end = crash.file.code(call)
                yield self._candidate(crash, call, f"{end[:-1]}, 1)", "more than two parts", 0.7)

    def _candidate(
        self, crash: Crash, node: cst.BaseExpression, new: str, gives: str, confidence: float
    ) -> Repair:
        old = crash.file.code(node)
        return Repair(
            title=f"Use {new} in {crash.function_name}"[:72],
            root_cause=(
                f"`{old}` on line {crash.line} gives {gives}, which is not what is unpacked or looped over."
            ),
            explanation=f"`{old}` becomes `{new}`; the rest of the statement is unchanged.",
            confidence=confidence,
            file=crash.file,
            splices=(crash.file.replace(node, new),),
        )


def _changes(crash: Crash, loop: cst.For, base: str) -> bool:
    """Whether the body adds to what it loops over, or removes the entry at hand.

    Another entry may come up again in the copy, and be missed then.
    """
    code = crash.file.code
    own = (
        {code(e.value) for e in loop.target.elements[:1]}
        if isinstance(loop.target, cst.Tuple)
        else {code(loop.target)}
    )
    found = False
    for call in walk(loop.body, cst.Call):
        func = call.func
        if not isinstance(func, cst.Attribute) or code(func.value) != base:
            continue
        if func.attr.value in _REMOVES and not (call.args and code(call.args[0].value) in own):
            return False
        found = found or func.attr.value in _REMOVES | _ADDS
    removed = [t.target for t in walk(loop.body, cst.Del)]
    for node in removed:
        if isinstance(node, cst.Subscript) and code(node.value) == base:
            key = scope.index_of(node)
            if key is None or code(key) not in own:
                return False
            found = True
    stored = [t.target for t in walk(loop.body, cst.AssignTarget)]
    return found or any(isinstance(s, cst.Subscript) and code(s.value) == base for s in stored)


def _is_dictionary(crash: Crash, node: cst.BaseExpression) -> bool:
    """Whether the source shows that the name is a dictionary: a display, `dict(…)`, or an annotation."""
    if not isinstance(node, cst.Name):
        return False
    given = scope.parameter(crash.function, node.value)
    if given is not None:
        return scope.annotation(crash.file, given).lower().startswith(("dict[", "dict", "mapping["))
    bound = scope.binding_before(crash.file, crash.scope, node.value, crash.line)
    bound = bound or scope.constants(crash.file).get(node.value)
    if bound is None:
        return False
    return isinstance(bound.value, cst.Dict | cst.DictComp) or crash.file.code(bound.value).startswith(
        "dict("
    )
