"""UnboundLocalError: a local name that some path never binds."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from infra.local.model import convention, naming, scope
from infra.local.model.rule import Crash, Refusal, Repair, RepairExample, Rule
from infra.local.model.source import Splice, Statement, walk

_NUMBERS = {"total", "count", "sum", "amount", "balance", "tally", "subtotal", "number"}


class UnboundLocal(Rule):
    crash_class = "unbound local"
    errors = ("UnboundLocalError",)
    precondition = (
        "the name is a tally that is added to before it has a value, a module-level variable that is "
        "updated without "
        "`global`, the result of a search loop in a function that may return None, bound first inside a "
        "`try` whose "
        "`finally` needs it, or set by an if-chain without `else` while the code has a default or an own "
        "error for it"
    )
    repair = "binds the name on every path: first value, `global`, None, or the missing `else`"
    examples = (
        RepairExample(
            before="def total(prices):\n    for p in prices:\n        total += p\n    return total\n",
            call="total([1])",
            after=(
                "def total(prices):\n    total = 0\n    for p in prices:\n        total += p\n    return "
                "total\n"
            ),
        ),
        RepairExample(
            before=(
                "DEFAULT_RATE = 3\n\n\ndef rate(kind):\n    if kind == 'a':\n        rate = 1\n"
                "    elif kind == 'b':\n        rate = 2\n    return rate\n"
            ),
            call="rate('c')",
            after=(
                "DEFAULT_RATE = 3\n\n\ndef rate(kind):\n    if kind == 'a':\n        rate = 1\n"
                "    elif kind == 'b':\n        rate = 2\n    else:\n        rate = DEFAULT_RATE\n"
                "    return rate\n"
            ),
        ),
    )

    def candidates(self, crash: Crash) -> Iterator[Repair | Refusal]:
        match = crash.matches(r"local variable '(\w+)'")
        if match is None or crash.function is None:
            return
        name = match.group(1)
        added = [
            a
            for a in walk(crash.function.body, cst.AugAssign)
            if isinstance(a.target, cst.Name) and a.target.value == name
        ]
        if added and len(added) == len([n for n in _stores(crash) if n == name]) + len(added):
            yield from self._tally(crash, crash.function, name, added)
            return
        yield from self._search_loop(crash, name)
        yield from self._opened_in_try(crash, name)
        yield from self._if_chain(crash, name)

    def _tally(
        self, crash: Crash, function: cst.FunctionDef, name: str, added: list[cst.AugAssign]
    ) -> Iterator[Repair]:
        """The function only ever adds to the name."""
        first = function.body.body[0] if function.body.body else None
        if not isinstance(first, Statement) or not all(isinstance(a.operator, cst.AddAssign) for a in added):
            return
        outside = name in scope.module_names(crash.file)
        shared = name in scope.constants(crash.file) and name not in {function.name.value}
        if shared:
            lines, what = [f"global {name}"], f"`{name}` is the module's variable"
        elif outside and name != function.name.value:
            return
        elif all(_is_number(a.value, name) for a in added) and (loop := _outer_loop(crash, added[0])):
            first, lines, what = loop, [f"{name} = 0"], f"`{name}` is a sum, which starts at 0"
        else:
            return
        if _is_docstring(first):
            following = function.body.body[1:2]
            if not following or not isinstance(following[0], Statement):
                return
            first = following[0]
        yield Repair(
            title=f"Give {name} a first value in {crash.function_name}",
            root_cause=(
                f"`{crash.function_name}` adds to `{name}` (line {crash.line}) before the name has a value."
            ),
            explanation=f"{what}: `{lines[0]}` says so before the first use.",
            confidence=0.9,
            file=crash.file,
            splices=(crash.file.insert_before(first, lines),),
        )

    def _search_loop(self, crash: Crash, name: str) -> Iterator[Repair]:
        """Bound only inside one loop, and returned from a function that may return None."""
        note = scope.annotation(crash.file, crash.function) if crash.function else ""
        loops = {id(loop): loop for n in _store_nodes(crash, name) if (loop := _outer_loop(crash, n))}
        inside = all(_outer_loop(crash, n) for n in _store_nodes(crash, name))
        returned = [r for r in crash.failing(cst.Return) if r.value and crash.file.code(r.value) == name]
        if len(loops) != 1 or not inside or not returned or not scope.is_optional(note):
            return
        loop = next(iter(loops.values()))
        if not crash.file.stands_alone(loop):
            return
        yield Repair(
            title=f"Return None from {crash.function_name} when nothing is found",
            root_cause=f"`{name}` is only bound inside the loop, which may find nothing (line {crash.line}).",
            explanation=(
                f"The function is declared to return `{note}`; `{name}` starts as None before the loop."
            ),
            confidence=0.85,
            file=crash.file,
            splices=(crash.file.insert_before(loop, [f"{name} = None"]),),
        )

    def _opened_in_try(self, crash: Crash, name: str) -> Iterator[Repair]:
        """`try: x = open() … finally: x.close()`: when the opening itself fails, `x` never existed."""
        for node in crash.file.all(cst.Try, crash.scope):
            first = node.body.body[0] if node.body.body else None
            bound = (
                list(scope.bindings(crash.file, first)) if isinstance(first, cst.SimpleStatementLine) else []
            )
            final = node.finalbody
            in_final = (
                final is not None and crash.file.start(final)[0] <= crash.line <= crash.file.end(final)[0]
            )
            if not in_final or node.handlers or not bound or bound[0].name != name or len(node.body.body) < 2:
                continue
            statement = bound[0].statement
            line = crash.file.start(statement)[0]
            end = crash.file.end(statement)[0]
            text = [crash.file.lines[n].removeprefix(crash.file.indent_unit) for n in range(line, end + 1)]
            yield Repair(
                title=f"Bind {name} before the try block in {crash.function_name}",
                root_cause=(
                    f"When `{crash.file.code(bound[0].value)}` fails, `{name}` is never bound, and the "
                    "`finally` on line "
                    f"{crash.line} hides the real error behind an UnboundLocalError."
                ),
                explanation=(
                    "The assignment moves above the `try`: its own error is seen, and nothing is left to "
                    "close."
                ),
                confidence=0.85,
                file=crash.file,
                splices=(
                    crash.file.insert_line(crash.file.start(node)[0], text),
                    Splice((line, 0), (end + 1, 0), ""),
                ),
            )

    def _if_chain(self, crash: Crash, name: str) -> Iterator[Repair]:
        """Every branch of one if-chain binds the name, and there is no `else`."""
        file = crash.file
        for chain in file.all(cst.If, crash.scope):
            branches = _branches(chain)
            last = branches[-1]
            assigned = [_assigned(b, name) for b in branches]
            if not file.stands_alone(chain) or last.orelse or not all(assigned):
                continue
            if len(assigned) != len(_store_nodes(crash, name)):
                continue
            for outcome, why, confidence in self._else(crash, chain, name):
                lines = ["else:", f"{file.indent_unit}{outcome}"]
                yield Repair(
                    title=f"Add the missing else for {name} in {crash.function_name}",
                    root_cause=f"No branch binds `{name}` for this input, and line {crash.line} reads it.",
                    explanation=f"{why} The existing branches are unchanged.",
                    confidence=confidence,
                    file=file,
                    splices=(file.insert_line(file.end(last)[0] + 1, lines, file.indent(chain)),),
                )
            return

    def _else(self, crash: Crash, chain: cst.If, name: str) -> Iterator[tuple[str, str, float]]:
        constant = convention.default_constant(crash, set(naming.words(name)))
        if constant:
            yield f"{name} = {constant}", f"The module defines `{constant}` for this.", 0.8
        tested = {
            crash.file.code(c.left)
            for branch in _branches(chain)
            for c in walk(branch.test, cst.Comparison)
            if scope.is_plain(c.left)
        }
        if len(tested) != 1:
            return
        key = tested.pop()
        for own in convention.domain_raises(crash, convention.subject(key, name), key):
            yield own.statement, f"The code has `{own.error}` for a value that it does not know.", 0.75


def _stores(crash: Crash) -> list[str]:
    return [n.value for n in scope.stores(crash.scope)]


def _store_nodes(crash: Crash, name: str) -> list[cst.Name]:
    body = crash.function.body if crash.function else crash.scope
    return [n for n in scope.stores(body) if n.value == name]


def _outer_loop(crash: Crash, node: cst.CSTNode) -> cst.For | cst.While | None:
    loops = []
    for up in crash.file.ancestors(node):
        if isinstance(up, cst.FunctionDef):
            break
        if isinstance(up, cst.For | cst.While):
            loops.append(up)
    return loops[-1] if loops else None


def _is_number(value: cst.BaseExpression, name: str) -> bool:
    product = isinstance(value, cst.BinaryOperation) and isinstance(value.operator, cst.Multiply)
    return product or isinstance(value, cst.Integer | cst.Float) or bool(_NUMBERS & set(naming.words(name)))


def _is_docstring(statement: Statement) -> bool:
    return (
        isinstance(statement, cst.SimpleStatementLine)
        and isinstance(statement.body[0], cst.Expr)
        and isinstance(statement.body[0].value, cst.SimpleString | cst.ConcatenatedString)
    )


def _branches(chain: cst.If) -> list[cst.If]:
    branches = [chain]
    while isinstance(branches[-1].orelse, cst.If):
        branches.append(branches[-1].orelse)
    return branches


def _assigned(branch: cst.If, name: str) -> bool:
    """Whether the branch itself, on every path through it, binds the name."""
    return any(
        isinstance(s, cst.SimpleStatementLine) and any(n.value == name for n in scope.stores(s))
        for s in branch.body.body
    )
