"""AttributeError and ImportError: a name with one letter wrong."""

from __future__ import annotations

import importlib
from collections.abc import Iterator

import libcst as cst

from infra.local.model import naming, scope
from infra.local.model.rule import Crash, Refusal, Repair, RepairExample, Rule
from infra.local.model.source import SourceFile, walk

_BUILTIN_TYPES: dict[str, type] = {
    t.__name__: t for t in (str, bytes, list, dict, set, frozenset, tuple, int, float, bool)
}
_PYTHON_2 = {"iteritems": "items", "itervalues": "values", "iterkeys": "keys"}
SAFE_MODULES = frozenset(
    (
        "base64 collections csv datetime decimal functools hashlib itertools json logging math operator os "
        "random re statistics string textwrap time uuid"
    ).split()
)
"""Standard modules whose contents may be looked at: importing them has no effect."""


class MisspeltAttribute(Rule):
    crash_class = "misspelt attribute"
    errors = ("AttributeError", "ImportError")
    message = "^(?!.*NoneType).*(has no attribute|cannot import name)"
    precondition = (
        "the class is shown, or a built-in type, or the module is a standard one, and exactly one of its "
        "attributes "
        "comes close to the unknown one"
    )
    examples = (
        RepairExample(
            before="def add(rows, row):\n    rows.apend(row)\n    return rows\n",
            call="add([], 1)",
            after="def add(rows, row):\n    rows.append(row)\n    return rows\n",
        ),
        RepairExample(
            before=(
                "class Order:\n    def __init__(self, total):\n        self.total = total\n\n\n"
                "def pay(order):\n    return order.totla\n"
            ),
            call="pay(Order(3))",
            after=(
                "class Order:\n    def __init__(self, total):\n        self.total = total\n\n\n"
                "def pay(order):\n    return order.total\n"
            ),
        ),
    )

    def candidates(self, crash: Crash) -> Iterator[Repair | Refusal]:
        if match := crash.matches(r"cannot import name '(\w+)' from '([\w.]+)'"):
            yield from self._import(crash, match.group(1), match.group(2))
            return
        match = crash.matches(r"'?([\w.]+)'? (?:object )?has no attribute '(\w+)'")
        if match is None or match.group(1) == "NoneType":
            return
        owner, unknown = match.group(1), match.group(2)
        places = [a for a in crash.file.all(cst.Attribute, crash.scope) if a.attr.value == unknown]
        if not any(crash.file.start(a)[0] == crash.line for a in places):
            return
        meant = self._meant(crash, owner, unknown)
        if meant is None:
            return
        failed = crash.the_failing(cst.Attribute)
        if failed is None or failed not in places:
            places = [a for a in places if crash.file.start(a)[0] == crash.line]
        else:
            base = crash.file.code(failed.value)
            places = [a for a in places if crash.file.code(a.value) == base]
        if len({crash.file.code(a.value) for a in places}) != 1:
            return
        stores = _misspelt_stores(crash, owner, unknown, meant)
        where = "assigned" if stores else "read"
        old, new = (meant, unknown) if stores else (unknown, meant)
        yield Repair(
            title=f"Spell the attribute {new} of {owner} right",
            root_cause=f"`{owner}` has no attribute `{unknown}` (line {crash.line}); it has `{meant}`.",
            explanation=f"`{old}` becomes `{new}` where it is {where}; no other attribute comes close.",
            confidence=0.9,
            file=crash.file,
            splices=tuple(crash.file.replace(a.attr, new) for a in stores or places),
        )

    def _meant(self, crash: Crash, owner: str, unknown: str) -> str | None:
        if owner == "dict" and unknown in _PYTHON_2:
            return _PYTHON_2[unknown]
        for file in crash.files.values():
            definition = scope.definition(file, owner)
            if isinstance(definition, cst.ClassDef):
                return naming.closest(unknown, _attributes(definition))
        if owner in _BUILTIN_TYPES:
            return naming.closest(unknown, _public(_BUILTIN_TYPES[owner]))
        if owner in SAFE_MODULES and crash.matches("module '"):
            return naming.closest(unknown, _public(importlib.import_module(owner)))
        return None

    def _import(self, crash: Crash, unknown: str, module: str) -> Iterator[Repair]:
        meant = None
        if module in SAFE_MODULES:
            meant = naming.closest(unknown, _public(importlib.import_module(module)))
        names = [a for a in crash.failing(cst.ImportAlias) if crash.file.code(a.name) == unknown]
        if meant is None or len(names) != 1 or names[0].asname:
            return
        reads = [n for n in _reads(crash.file, crash.file.module) if n.value == unknown]
        yield Repair(
            title=f"Import {meant} from {module}",
            root_cause=f"`{module}` has no `{unknown}`; it has `{meant}`.",
            explanation=f"The import and its uses now say `{meant}`; nothing else in `{module}` comes close.",
            confidence=0.9,
            file=crash.file,
            splices=tuple(crash.file.replace(n, meant) for n in (names[0].name, *reads)),
        )


def _attributes(definition: cst.ClassDef) -> set[str]:
    """Names that the class body binds, and those assigned to `self` in its methods."""
    names = set(scope.methods(definition))
    for statement in definition.body.body:
        if isinstance(statement, cst.SimpleStatementLine):
            names.update(n.value for n in scope.stores(statement))
    return names | {a.attr.value for a in _self_stores(definition)}


def _self_stores(definition: cst.ClassDef) -> list[cst.Attribute]:
    targets = [t.target for t in walk(definition, cst.AssignTarget)]
    targets += [t.target for t in walk(definition, cst.AnnAssign)]
    return [
        t
        for t in targets
        if isinstance(t, cst.Attribute) and isinstance(t.value, cst.Name) and t.value.value == "self"
    ]


def _public(owner: object) -> set[str]:
    return {name for name in dir(owner) if not name.startswith("_")}


def _reads(file: SourceFile, within: cst.CSTNode) -> Iterator[cst.Name]:
    """Names used as variables: neither attribute names nor keyword labels nor names in imports."""
    for name in walk(within, cst.Name):
        parent = file.parent(name)
        label = isinstance(parent, cst.Arg) and parent.keyword is name
        attribute = isinstance(parent, cst.Attribute) and parent.attr is name
        if (
            not label
            and not attribute
            and not isinstance(parent, cst.ImportAlias | cst.Param | cst.FunctionDef)
        ):
            yield name


def _misspelt_stores(crash: Crash, owner: str, unknown: str, meant: str) -> list[cst.Attribute]:
    """The assignments to blame: the class only assigns `self.<meant>`, and everything reads `unknown`."""
    definition = scope.definition(crash.file, owner)
    if not isinstance(definition, cst.ClassDef):
        return []
    stores = [a for a in _self_stores(definition) if a.attr.value == meant]
    uses = [a.attr.value for a in crash.file.all(cst.Attribute)]
    only_stored = uses.count(meant) == len(stores)
    return stores if stores and only_stored and uses.count(unknown) > len(stores) else []
