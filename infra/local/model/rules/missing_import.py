"""NameError: a standard-library module, or a well-known name of one, that was never imported."""

from __future__ import annotations

import importlib
from collections.abc import Iterator

import libcst as cst

from infra.local.model import scope
from infra.local.model.rule import Crash, Refusal, Repair, RepairExample, Rule
from infra.local.model.rules.misspelt import SAFE_MODULES
from infra.local.model.source import Splice

_HOMES = {
    "Counter": "collections",
    "Decimal": "decimal",
    "Enum": "enum",
    "Fraction": "fractions",
    "OrderedDict": "collections",
    "Path": "pathlib",
    "chain": "itertools",
    "dataclass": "dataclasses",
    "date": "datetime",
    "defaultdict": "collections",
    "deque": "collections",
    "islice": "itertools",
    "lru_cache": "functools",
    "namedtuple": "collections",
    "partial": "functools",
    "reduce": "functools",
    "timedelta": "datetime",
    "timezone": "datetime",
    "uuid4": "uuid",
    "wraps": "functools",
}
"""Names that stand for one thing in practice, and the module they come from."""

_CONSTRUCTORS = {"now", "utcnow", "today", "fromisoformat", "fromtimestamp", "strptime", "combine", "utc"}
"""Attributes that say that a class of `datetime` is meant, where `.year` may be one of a variable."""

_THIRD_PARTY = {"np": "numpy", "pd": "pandas", "plt": "matplotlib", "requests": "requests", "boto3": "boto3"}


class MissingImport(Rule):
    crash_class = "missing import"
    errors = ("NameError",)
    message = "is not defined"
    precondition = (
        "the unknown name is a standard-library module used as `name.attribute` with an attribute that it "
        "has, or a "
        "well-known name of one, and the place of the module's imports is shown"
    )
    repair = "adds the import, to the `from` import of the same module if there is one, in order otherwise"
    examples = (
        RepairExample(
            before="import os\n\n\ndef dump(data):\n    return json.dumps(data) + os.sep\n",
            call="dump([])",
            after="import json\nimport os\n\n\ndef dump(data):\n    return json.dumps(data) + os.sep\n",
        ),
        RepairExample(
            before='"""Tallies."""\n\n\ndef tally(words):\n    return defaultdict(int)\n',
            call="tally([])",
            after=(
                '"""Tallies."""\n\nfrom collections import defaultdict\n\n\n'
                "def tally(words):\n    return defaultdict(int)\n"
            ),
        ),
    )

    def candidates(self, crash: Crash) -> Iterator[Repair | Refusal]:
        match = crash.matches(r"name '(\w+)' is not defined")
        if match is None:
            return
        name = match.group(1)
        if name in _THIRD_PARTY:
            yield Refusal(
                "dependency",
                f"{crash.where} uses `{name}`, which is not imported; it comes from {_THIRD_PARTY[name]}, "
                "and "
                "whether that is installed cannot be seen from the source.",
                f"Import it, and make sure that {_THIRD_PARTY[name]} is among the service's dependencies.",
            )
            return
        home = _home(crash, name)
        splice = add_import(crash, name, home) if home is not None else None
        if splice is None:
            return
        line = f"from {home} import {name}" if home else f"import {name}"
        yield Repair(
            title=f"Import {name}" + (f" from {home}" if home else ""),
            root_cause=(
                f"`{crash.function_name}` uses `{name}` on line {crash.line}, but the module never imports "
                "it."
            ),
            explanation=f"`{line}` is added to the imports. It is part of the standard library.",
            confidence=0.95,
            file=crash.file,
            splices=(splice,),
        )


def _home(crash: Crash, name: str) -> str | None:
    """The module to import the name from, "" to import the name as a module, None when it is not known."""
    used = [
        a.attr.value
        for a in crash.file.all(cst.Attribute)
        if isinstance(a.value, cst.Name) and a.value.value == name
    ]
    called = any(crash.file.code(c.func) == name for c in crash.file.all(cst.Call))
    if name == "datetime" and (called or (used and set(used) <= _CONSTRUCTORS)):
        return "datetime"
    if name in SAFE_MODULES and used and not called:
        module = importlib.import_module(name)
        return "" if all(hasattr(module, a) for a in used) else None
    if name.islower() and not called and not (used and set(used) <= _CONSTRUCTORS):
        return None  # as likely a variable that was never bound
    return _HOMES.get(name)


def add_import(crash: Crash, name: str, home: str) -> Splice | None:
    """The change that imports `name` from `home` (a module itself when `home` is empty).

    None when the place for it is not shown: a line that is not shown may hold the import already, or a
    docstring that is cut off.
    """
    file = crash.file
    if name in scope.imported(file):
        return None
    imports = [
        (statement, small)
        for statement in file.body
        if isinstance(statement, cst.SimpleStatementLine)
        and isinstance(small := statement.body[0], cst.Import | cst.ImportFrom)
    ]
    for _, small in imports:
        if isinstance(small, cst.ImportFrom) and small.module and file.code(small.module) == home and home:
            if isinstance(small.names, cst.ImportStar) or small.lpar or small.relative:
                return None
            last = small.names[-1]
            return Splice(file.end(last), file.end(last), f", {name}")
    line = f"from {home} import {name}" if home else f"import {name}"
    return _in_order(crash, imports, line, home or name)


def _in_order(
    crash: Crash,
    imports: list[tuple[cst.SimpleStatementLine, cst.Import | cst.ImportFrom]],
    line: str,
    key: str,
) -> Splice | None:
    file = crash.file
    ordinary = []
    for statement, small in imports:
        module = ""
        if isinstance(small, cst.Import):
            module = file.code(small.names[0].name)
        elif small.module:
            module = "." * len(small.relative) + file.code(small.module)
        if module != "__future__":
            ordinary.append((statement, isinstance(small, cst.ImportFrom), module))
    is_from = line.startswith("from")
    for statement, other_is_from, module in ordinary:
        later = (other_is_from, module.startswith("."), module) > (is_from, False, key)
        if later:
            return file.insert_line(file.start(statement)[0], [line])
    if imports:
        return file.insert_line(file.end(imports[-1][0])[0] + 1, [line])
    return _first_import(crash, line)


def _first_import(crash: Crash, line: str) -> Splice | None:
    file = crash.file
    body = list(file.body)
    if 1 not in file.lines or not body:
        return None
    first = body[0]
    docstring = isinstance(first, cst.SimpleStatementLine) and isinstance(first.body[0], cst.Expr)
    if not docstring:
        return file.insert_line(file.start(first)[0], [line, "", ""])
    end = file.end(first)[0] + 1
    return file.insert_line(end, ["", line])
