"""KeyError: a key that is not there."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import libcst as cst

from infra.local.model import convention, naming, scope
from infra.local.model.rule import Crash, Refusal, Repair, RepairExample, Rule
from infra.local.model.source import walk

_DEFAULT_KEYS = ("default", "DEFAULT", "other", "OTHER", "*", "_")


class MissingKey(Rule):
    crash_class = "missing key"
    errors = ("KeyError",)
    precondition = (
        "one subscript on the failing line can have failed, and the file itself says what a missing key "
        "means: a "
        "default entry or constant, a `.get` of the same key, an exception of its own, or a tally being built"
    )
    examples = (
        RepairExample(
            before=(
                'RATES = {"DE": 0.19, "FR": 0.2}\n\n\n'
                "class UnknownCountry(ValueError):\n    pass\n\n\n"
                "def rate(country):\n    return RATES[country]\n"
            ),
            call="rate('XX')",
            after=(
                'RATES = {"DE": 0.19, "FR": 0.2}\n\n\n'
                "class UnknownCountry(ValueError):\n    pass\n\n\n"
                "def rate(country):\n    if country not in RATES:\n"
                '        raise UnknownCountry(f"unknown country: {country!r}")\n    return RATES[country]\n'
            ),
        ),
        RepairExample(
            before=(
                "def tally(words):\n    counts = {}\n    for w in words:\n        counts[w] += 1\n"
                "    return counts\n"
            ),
            call="tally(['a'])",
            after=(
                "def tally(words):\n    counts = {}\n    for w in words:\n"
                "        counts[w] = counts.get(w, 0) + 1\n    return counts\n"
            ),
        ),
    )

    def candidates(self, crash: Crash) -> Iterator[Repair | Refusal]:
        subscripts = [s for s in crash.failing(cst.Subscript) if self._may_have_failed(crash, s)]
        if len(subscripts) != 1:
            return
        failed = subscripts[0]
        key = scope.index_of(failed)
        if key is None:
            return
        code = crash.file.code
        if code(failed.value) in {"os.environ", "environ"}:
            yield Refusal(
                "configuration",
                f"{crash.where} reads the environment variable {crash.message}, which is not set. "
                "Its value is a matter of deployment; a value made up in the code would hide that.",
                f"Set {crash.message} in the function's environment, or decide on a documented default.",
            )
            return
        yield from self._tally(crash, failed, key)
        yield from self._misspelt(crash, failed, key)
        yield from self._default(crash, failed, key)
        yield from self._own_error(crash, failed, key)

    @staticmethod
    def _may_have_failed(crash: Crash, node: cst.Subscript) -> bool:
        """Not a key that is stored, and not a literal other than the one in the message."""
        key = scope.index_of(node)
        if key is None or isinstance(crash.file.parent(node), cst.AssignTarget):
            return False
        if crash.file.enclosing(node, cst.Annotation):
            return False
        if isinstance(key, cst.SimpleString | cst.Integer):
            return repr(ast.literal_eval(crash.file.code(key))) == crash.message
        return True

    def _tally(self, crash: Crash, failed: cst.Subscript, key: cst.BaseExpression) -> Iterator[Repair]:
        """`counts[k] += …` and `groups[k].append(…)` on a dictionary that starts empty in this function."""
        code = crash.file.code
        if not isinstance(failed.value, cst.Name) or not scope.is_plain(key):
            return
        table = failed.value.value
        start = scope.binding_before(crash.file, crash.scope, table, crash.line)
        if start is None or code(start.value) not in {"{}", "dict()"}:
            return
        parent = crash.file.parent(failed)
        if isinstance(parent, cst.AugAssign) and isinstance(parent.operator, cst.AddAssign):
            if not _is_number(crash, parent.value, table, start.annotation):
                return
            added = code(parent.value)
            if isinstance(parent.value, cst.IfExp | cst.Comparison | cst.BooleanOperation | cst.Lambda):
                added = added if parent.value.lpar else f"({added})"
            new = f"{code(failed)} = {table}.get({code(key)}, 0) + {added}"
            splice = crash.file.replace(parent, new)
        elif isinstance(parent, cst.Attribute) and parent.attr.value in {"append", "add"}:
            empty = "[]" if parent.attr.value == "append" else "set()"
            splice = crash.file.replace(failed, f"{table}.setdefault({code(key)}, {empty})")
        else:
            return
        yield Repair(
            title=f"Start each entry of {table} when its key is first seen",
            root_cause=(
                f"`{table}` starts empty in `{crash.function_name}`, and line {crash.line} updates "
                f"`{code(failed)}` without a first value, so the first occurrence of every key fails."
            ),
            explanation=(
                f"The first update of a key in `{table}` now starts from an empty entry; later updates are "
                "as "
                "before."
            ),
            confidence=0.95,
            file=crash.file,
            splices=(splice,),
        )

    def _misspelt(self, crash: Crash, failed: cst.Subscript, key: cst.BaseExpression) -> Iterator[Repair]:
        """A literal key that the visible dictionary has in a slightly different spelling."""
        text = scope.literal(key)
        table = _visible_table(crash, failed.value)
        if text is None or table is None or (known := _keys(table)) is None or text in known:
            return
        meant = naming.closest(text, known)
        if meant is None or not isinstance(key, cst.SimpleString):
            return
        yield Repair(
            title=f"Read {meant!r}, not {text!r}, in {crash.function_name}",
            root_cause=(
                f"Line {crash.line} reads the key {text!r}, but `{crash.file.code(failed.value)}` has "
                f"{meant!r}; no other key comes close."
            ),
            explanation="The key is spelt as the dictionary spells it. Nothing else changes.",
            confidence=0.9,
            file=crash.file,
            splices=(crash.file.replace(key, f"{key.quote}{meant}{key.quote}"),),
        )

    def _default(self, crash: Crash, failed: cst.Subscript, key: cst.BaseExpression) -> Iterator[Repair]:
        code = crash.file.code
        base, read = code(failed.value), code(key)
        for default, why, confidence in self._defaults(crash, failed, key):
            yield Repair(
                title=f"Fall back to {default} for an unknown key of {base}"[:72],
                root_cause=(
                    f"Line {crash.line} reads `{code(failed)}`, and {crash.message} is not one of its keys."
                ),
                explanation=f"{why} A key that exists gives the same value as before.",
                confidence=confidence,
                file=crash.file,
                splices=(crash.file.replace(failed, f"{base}.get({read}, {default})"),),
                trigger={read: crash.message},
                expects=f"assert {{call}} == {default}" if _is_returned(crash, failed) else "",
            )

    def _defaults(
        self, crash: Crash, failed: cst.Subscript, key: cst.BaseExpression
    ) -> Iterator[tuple[str, str, float]]:
        code = crash.file.code
        base, read = code(failed.value), code(key)
        table = _visible_table(crash, failed.value)
        if table is not None and not isinstance(key, cst.SimpleString):
            for name in (n for n in _DEFAULT_KEYS if n in (_keys(table) or ())):
                yield (
                    f'{base}["{name}"]',
                    f"`{base}` has an entry {name!r} for whatever it does not list.",
                    0.85,
                )
                return
        elsewhere = {
            code(call.args[1].value)
            for call in crash.file.all(cst.Call)
            if isinstance(call.func, cst.Attribute)
            and call.func.attr.value == "get"
            and len(call.args) == 2
            and code(call.args[0].value) == read
            and (code(call.func.value) == base or _alike(key, base, code(call.func.value)))
        }
        free = {n for text in elsewhere for n in scope.names_in(cst.parse_expression(text))}
        if len(elsewhere) == 1 and free <= scope.module_names(crash.file) | scope.BUILTINS:
            default = elsewhere.pop()
            yield (
                default,
                f"The file reads {read} elsewhere with the default `{default}`; this line now does too.",
                0.85,
            )
            return
        constant = convention.default_constant(crash, convention.words_of(crash.file, failed.value))
        if constant and table is not None and _same_kind(crash, table, constant):
            yield constant, f"The module defines `{constant}` as the default of what `{base}` holds.", 0.8

    def _own_error(self, crash: Crash, failed: cst.Subscript, key: cst.BaseExpression) -> Iterator[Repair]:
        code = crash.file.code
        statement = crash.statement_of(failed)
        if statement is None or not scope.is_plain(key) or not scope.is_plain(failed.value):
            return
        base, read = code(failed.value), code(key)
        about = convention.words_of(crash.file, failed.value, key)
        for own in convention.domain_raises(crash, about, read):
            yield Repair(
                title=f"Raise {own.error} for an unknown key of {base}"[:72],
                root_cause=(
                    f"Line {crash.line} reads `{code(failed)}` without checking the key; {crash.message} "
                    "is not "
                    "in it, and the bare KeyError tells the caller nothing."
                ),
                explanation=(
                    f"An unknown key now raises `{own.error}`, the error that the code already has for this, "
                    "which callers can tell from a defect. Known keys behave as before."
                ),
                confidence=0.75,
                file=crash.file,
                splices=(
                    crash.file.insert_before(
                        statement, [f"if {read} not in {base}:", f"{crash.file.indent_unit}{own.statement}"]
                    ),
                ),
                trigger={read: crash.message},
                expects=f"raises {own.error}",
            )


def _visible_table(crash: Crash, base: cst.BaseExpression) -> cst.Dict | None:
    """The dictionary display that the name stands for, when the source shows it and never changes it."""
    if not isinstance(base, cst.Name):
        return None
    bound = scope.binding_before(crash.file, crash.scope, base.value, crash.line)
    bound = bound or scope.constants(crash.file).get(base.value)
    if bound is None or not isinstance(bound.value, cst.Dict):
        return None
    for node in walk(crash.file.module, cst.AssignTarget):
        if isinstance(node.target, cst.Subscript) and crash.file.code(node.target.value) == base.value:
            return None
    return bound.value


def _keys(table: cst.Dict) -> list[str] | None:
    """The string keys of a display; None when some keys cannot be seen."""
    keys = [scope.literal(e.key) if isinstance(e, cst.DictElement) else None for e in table.elements]
    return None if None in keys else [k for k in keys if k is not None]


def _alike(key: cst.BaseExpression, left: str, right: str) -> bool:
    """Whether a literal key of two dictionaries is the same field, because their names share a word."""
    shared = convention.subject(left) & convention.subject(right)
    return isinstance(key, cst.SimpleString) and bool(shared)


def _same_kind(crash: Crash, table: cst.Dict, constant: str) -> bool:
    """Whether the constant is written as the table's values are: number by number, call by call."""
    kinds = {type(e.value) for e in table.elements}
    return kinds == {type(scope.constants(crash.file)[constant].value)}


def _is_returned(crash: Crash, node: cst.CSTNode) -> bool:
    return isinstance(crash.file.parent(node), cst.Return)


def _is_number(crash: Crash, value: cst.BaseExpression, table: str, note: str) -> bool:
    """Whether what is added must be a number: by literal, product, annotation, or the tally's name."""
    if isinstance(value, cst.Integer | cst.Float):
        return True
    if isinstance(value, cst.List | cst.Tuple | cst.Dict | cst.Set | cst.BaseString | cst.BaseComp):
        return False
    if isinstance(value, cst.BinaryOperation) and isinstance(value.operator, cst.Multiply):
        return True
    if note:
        return note.endswith(("int]", "float]", "Decimal]"))
    return bool({"total", "count", "sum", "amount", "balance", "tally"} & set(naming.words(table)))
