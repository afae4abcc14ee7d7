"""Data that newly goes where people or other systems read it: logs, error texts, results. Said, not refused:
whether a record may stand there is for a person to know."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator

from functions.core.source.syntax_tree import Function, dotted, functions_of, module_constants, nodes_of
from functions.harness.names import is_test
from functions.validate_patch.candidate import Candidate, parsed

_SENSITIVE = re.compile(
    r"(?i)card|iban|signature|token|passw|secret|phone|mail|ssn|(?:^|_)(?:key|pin|dob|auth|cookie|session|salary)(?:$|_)"
    r"|address|birth|credential|private|cvv|account_number"
)
LOGS = re.compile(
    r"(?i)(?:.*\.)?_*(?:log|logger|logging)\w*\.(?:debug|info|warning|warn|error|exception|critical|log)"
)
_PRINTS = frozenset({"print", "warnings.warn", "sys.stdout.write", "sys.stderr.write"})
_PLAIN_CALLS = frozenset(
    (
        *("len", "str", "repr", "type", "sorted", "round", "int", "float", "min", "max", "sum", "get"),
        *("join", "format", "list", "strip", "isoformat", "keys", "set", "getattr", "lower", "upper"),
    )
)


def warnings(candidate: Candidate) -> tuple[str, ...]:
    """One sentence for each place at which more is told than before."""
    found: list[str] = []
    for change in candidate.python_changes:
        old, new = parsed(candidate.before, change.path), parsed(candidate.after, change.path)
        if new is not None and not is_test(change.path):
            found += [
                f"{text} ({change.path}:{line})." for line, text in _new(old or ast.Module([], []), new)
            ]
    return tuple(found)


def _new(old: ast.Module, new: ast.Module) -> Iterator[tuple[int, str]]:
    records = _records(new)
    known = Counter(text for _, text in _told(old, records | _records(old)))
    for line, text in _told(new, records):
        if known[text] > 0:
            known[text] -= 1
        else:
            yield line, text


def _told(module: ast.Module, records: set[str]) -> Iterator[tuple[int, str]]:
    for node in nodes_of(module):
        where, parts = _sink(node)
        for part in parts:
            if _is_much(part, records):
                yield node.lineno, f"The patch puts {_short(part)} into {where}"  # type: ignore[attr-defined] # a sink is a call or a statement
    for name, function in functions_of(module).items():
        for key, line in _fields(function).items():
            yield line, f"The patch makes {name} give {key!r} as well"
        for field, line in _handed_on(function).items():
            yield line, f"The patch makes {name} give `{field}` as well"


def _fields(function: ast.AST) -> dict[str, int]:
    """Keys of the results that a function writes out, each with a line."""
    return {
        key.value: node.lineno
        for node in nodes_of(function)
        if isinstance(node, ast.Return) and isinstance(node.value, ast.Dict)
        for key in node.value.keys
        if isinstance(key, ast.Constant) and isinstance(key.value, str)
    }


def _handed_on(function: Function) -> dict[str, int]:
    """Fields of what a function is given that it gives back, as source text without a default, each with a
    line."""
    given = function.args
    parameters = {one.arg for one in (*given.posonlyargs, *given.args, *given.kwonlyargs)}
    values: dict[str, list[ast.expr]] = {}
    for node in nodes_of(function):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            values.setdefault(node.targets[0].id, []).append(node.value)
    returned = [n.value for n in nodes_of(function) if isinstance(n, ast.Return) and n.value is not None]
    named = [
        v for one in returned for n in nodes_of(one) if isinstance(n, ast.Name) for v in values.get(n.id, ())
    ]
    found: dict[str, int] = {}
    for node in (node for value in (*returned, *named) for node in nodes_of(value)):
        key, of = _key(node)
        if isinstance(of, ast.Name) and of.id in parameters:
            found.setdefault(f"{of.id}[{key!r}]", node.lineno)  # type: ignore[attr-defined] # it is an expression
    return found


def _key(node: ast.AST) -> tuple[str, ast.expr | None]:
    """The fixed key that is read, and of what: `x["key"]` or `x.get("key")`."""
    if isinstance(node, ast.Subscript):
        of, key = node.value, node.slice
    elif (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "get"
        and node.args
    ):
        of, key = node.func.value, node.args[0]
    else:
        return "", None
    return (key.value, of) if isinstance(key, ast.Constant) and isinstance(key.value, str) else ("", None)


def _sink(node: ast.AST) -> tuple[str, list[ast.expr]]:
    """Where data goes, and the data."""
    if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
        return "the text of an error", _data(node.exc)
    if isinstance(node, ast.Call):
        name = dotted(node.func)
        if LOGS.fullmatch(name):
            return "the log", _data(node)
        if name in _PRINTS:
            return "the output", _data(node)
    return "", []


def _data(call: ast.Call) -> list[ast.expr]:
    """What of the arguments is no fixed text, taken out of formats."""
    found: list[ast.expr] = []
    waiting = [
        *call.args,
        *(k.value for k in call.keywords if k.arg not in ("exc_info", "stack_info", "stacklevel")),
    ]
    for part in waiting:
        if isinstance(part, ast.JoinedStr):
            waiting += part.values
        elif isinstance(part, ast.FormattedValue):
            waiting.append(part.value)
        elif isinstance(part, ast.BinOp):
            waiting += [part.left, part.right]
        elif isinstance(part, ast.Tuple | ast.List):
            waiting += part.elts
        elif isinstance(part, ast.Dict):
            waiting += part.values
        elif not isinstance(part, ast.Constant):
            found.append(part)
    return found


def _is_much(part: ast.expr, records: set[str]) -> bool:
    """A whole record, a field whose name says that it is private, or what is fetched for the purpose."""
    if isinstance(part, ast.Name) and (part.id in records or _SENSITIVE.search(part.id)):
        return True
    names = [n.attr for n in nodes_of(part) if isinstance(n, ast.Attribute)]
    names += [
        str(n.value) for n in nodes_of(part) if isinstance(n, ast.Constant) and isinstance(n.value, str)
    ]
    if any(_SENSITIVE.search(name) for name in names):
        return True
    calls = [dotted(n.func).rpartition(".")[2] for n in nodes_of(part) if isinstance(n, ast.Call)]
    whole = isinstance(part, ast.Call) and any(_is_much(argument, records) for argument in part.args)
    return whole or any(name not in _PLAIN_CALLS for name in calls)


def _records(module: ast.Module) -> set[str]:
    """Names whose fields the file reads, but for tables of its own."""
    found = set()
    for node in nodes_of(module):
        if isinstance(node, ast.Subscript | ast.Attribute) and isinstance(node.value, ast.Name):
            subscript = isinstance(node, ast.Subscript)
            called = isinstance(node, ast.Attribute) and node.attr in _METHODS
            if subscript or not called:
                found.add(node.value.id)
    return found - module_constants(module).keys()


_METHODS = frozenset(dir(str)) | frozenset(dir(int)) | frozenset({"isoformat", "name", "value"})


def _short(node: ast.expr) -> str:
    text = " ".join(ast.unparse(node).split())
    return f"`{text if len(text) <= 60 else text[:57] + '...'}`"
