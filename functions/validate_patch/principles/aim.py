"""It aims at the incident: something on the way of the failing calls changes, and nothing else."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from functions.harness.experiment import Proof
from functions.harness.names import is_test
from functions.validate_patch.candidate import Candidate, parsed
from functions.validate_patch.principles.finding import Example, Finding, Principle, Severity
from functions.validate_patch.syntax_tree import functions_of, names_in
from functions.validate_patch.tree import Tree


def judge(candidate: Candidate, proof: Proof) -> Iterator[Finding]:
    """What does not change what failed, and what changes besides."""
    reason = _no_fix(candidate)
    if reason:
        yield Finding(Severity.REFUSE, reason)
        return
    yield from (Finding(Severity.REFUSE, text, where) for where, text in _unrelated(candidate))


def _no_fix(candidate: Candidate) -> str:
    """Why the error stays: nothing changes but comments, layout, tests, or code that has no part in it."""
    if any(not change.path.endswith(".py") for change in candidate.changes):
        return ""
    code = [change for change in candidate.python_changes if not is_test(change.path)]
    pairs = [(parsed(candidate.before, c.path), parsed(candidate.after, c.path)) for c in code]
    if not any(new is not None and (old is None or _dump(old) != _dump(new)) for old, new in pairs):
        return "the patch changes no code outside of tests, so the error stays"
    if candidate.places and not _touches(_reached(candidate) | _owners(candidate), pairs):
        where = candidate.places[-1].function
        return f"the patch changes nothing that {where} or its callers use, so the error stays"
    return ""


def _owners(candidate: Candidate) -> set[str]:
    """Names of the classes whose methods the traceback passed through: what they hold may be the cause."""
    found: set[str] = set()
    for place in candidate.places:
        module = parsed(candidate.before, place.path)
        names = functions_of(module) if module is not None else {}
        found |= {part for name in names if name.endswith(f".{place.function}") for part in name.split(".")}
    return found


def _touches(reached: set[str], pairs: list[tuple[ast.Module | None, ast.Module | None]]) -> bool:
    """Whether a definition, or an import, that the failing functions use is new or another."""
    for before, after in pairs:
        old = _definitions(before) | _imports(before) if before is not None else {}
        new = _definitions(after) | _imports(after) if after is not None else {}
        changed = {name for name in old.keys() | new.keys() if old.get(name) != new.get(name)}
        if any({name.partition(".")[0], name.rpartition(".")[2]} & reached for name in changed):
            return True
        # Statements of a module that define nothing, such as a guard at its end, may do anything.
        if before is not None and after is not None and not changed:
            return True
    return False


def _imports(module: ast.Module) -> dict[str, str]:
    """Local name → where it is imported from."""
    return {
        alias.asname or alias.name.partition(".")[0]: ast.dump(node)
        for node in ast.walk(module)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }


def _unrelated(candidate: Candidate) -> Iterator[tuple[str, str]]:
    """Changed definitions that neither the functions in the traceback nor what they use have to do with."""
    if not candidate.places:
        return
    reached = _reached(candidate)
    classes = reached | _owners(candidate)
    for change in candidate.python_changes:
        before, after = parsed(candidate.before, change.path), parsed(candidate.after, change.path)
        if before is None or after is None or is_test(change.path):
            continue
        old, new, methods = _definitions(before), _definitions(after), functions_of(before)
        for name, text in old.items():
            last = name.rpartition(".")[2]
            top, dot, _ = name.partition(".")
            # Of a class that is used, what is not named counts only where the language itself calls it.
            held = top in classes and (not dot or name not in methods or last.startswith("__"))
            if new.get(name) != text and last not in reached and not held:
                verb = "changes" if name in new else "removes"
                said = f"it {verb} {name}, which the functions in the traceback do not use"
                yield change.path, f"{said}; change only what the incident needs"


def _reached(candidate: Candidate) -> set[str]:
    """Names of the functions in the traceback, of what they use, and of what that uses."""
    names: set[str] = set()
    beside: set[str] = set()
    for place in candidate.places:
        names.add(place.function)
        module = parsed(candidate.before, place.path)
        if module is None or place.function == "<module>":
            return names | set(definitions_of(candidate.before, None))
        for name, function in functions_of(module).items():
            if name.rpartition(".")[2] == place.function:
                names |= names_in(function) | {place.function}
                beside |= _sharing_state(module, name)
        if place.function.startswith("<"):  # a lambda or comprehension: the line is all there is to go by
            names |= _names_at(module, place.line)
    for nodes in definitions_of(candidate.before, names).values():
        for node in nodes:
            names |= names_in(node)
    return names | beside


def _sharing_state(module: ast.Module, method: str) -> set[str]:
    """Methods of the same class that keep on `self` what a method reads: the cause may be what they keep."""
    functions, owner = functions_of(module), method.rpartition(".")[0]
    read = _kept(functions[method]) if owner else set()
    called = {f"{owner}.{name}" for name in read} & functions.keys()
    for name in called:
        read |= _kept(functions[name])
    return {
        name.rpartition(".")[2]
        for name, function in functions.items()
        if owner and name.rpartition(".")[0] == owner and read & _kept(function)
    }


def _kept(function: ast.AST) -> set[str]:
    """Names of the attributes of `self` that a function reads."""
    return {
        node.attr
        for node in ast.walk(function)
        if isinstance(node, ast.Attribute)
        and isinstance(node.ctx, ast.Load)
        and isinstance(node.value, ast.Name)
        and node.value.id == "self"
    }


def _names_at(module: ast.Module, line: int) -> set[str]:
    found: set[str] = set()
    for statement in ast.walk(module):
        if isinstance(statement, ast.stmt) and statement.lineno <= line <= (statement.end_lineno or 0):
            found |= names_in(statement)
    return found


def definitions_of(tree: Tree, names: set[str] | None) -> dict[str, list[ast.AST]]:
    """Name → definitions anywhere in the repository's code: of these names, or of all.

    Only files that seem to define one of the names are parsed: a large repository has thousands of others.
    """
    found: dict[str, list[ast.AST]] = {}
    any_of = "|".join(map(re.escape, sorted(names))) if names is not None else r"\w+"
    hint = re.compile(rf"\b(?:def|class)\s+(?:{any_of})\b|\b(?:{any_of})\s*(?::[^=\n]*)?=".encode())
    for path, file in tree.items():
        if not path.endswith(".py") or is_test(path) or not hint.search(file.data):
            continue
        module = parsed(tree, path)
        for node in ast.walk(module) if module is not None else ():
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                found.setdefault(node.name, []).append(node)
            elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                for target in targets:
                    if isinstance(target, ast.Name):
                        found.setdefault(target.id, []).append(node.value)
    return found if names is None else {name: nodes for name, nodes in found.items() if name in names}


def _definitions(module: ast.Module) -> dict[str, str]:
    """Qualified name → content, for functions, class headers and assignments at module and class level."""
    found = {name: ast.dump(function) for name, function in functions_of(module).items()}

    def assignments(body: list[ast.stmt], prefix: str) -> None:
        for statement in body:
            if isinstance(statement, ast.ClassDef):
                header = [*statement.bases, *statement.decorator_list]
                found[prefix + statement.name] = " ".join(map(ast.dump, header))
                assignments(statement.body, f"{prefix}{statement.name}.")
            elif isinstance(statement, ast.Assign | ast.AnnAssign):
                targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
                for target in targets:
                    found[f"{prefix}{ast.unparse(target)}"] = ast.dump(statement)

    assignments(module.body, "")
    return found


def _dump(module: ast.Module) -> str:
    """A tree without its docstrings."""
    copy = ast.parse(ast.unparse(module))
    for node in ast.walk(copy):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = node.body[int(ast.get_docstring(node) is not None) :] or [ast.Pass()]
    return ast.dump(copy)


_MEAN = "def other():\n    return 1\n\n\ndef mean(values):\n    return sum(values) / len(values)\n"
_EXAMPLES = (
    Example(
        _MEAN,
        _MEAN.replace("return sum", "if not values:\n        return 0\n    return sum"),
        "ZeroDivisionError: division by zero",
    ),
    Example(
        _MEAN,
        _MEAN.replace("return 1", "return 2").replace("len(values)", "len(values or [0])"),
        "ZeroDivisionError: division by zero",
        objects=Severity.REFUSE,
    ),
    Example(
        _MEAN,
        _MEAN.replace("def mean", "# mended\ndef mean"),
        "ZeroDivisionError: division by zero",
        objects=Severity.REFUSE,
    ),
)

AIMS_AT_THE_INCIDENT = Principle(
    "aims",
    "Something on the way of the failing calls changes, and nothing else.",
    judge,
    _EXAMPLES,
)
