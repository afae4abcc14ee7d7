"""Rules on tests: none goes, none is skipped, and no assertion becomes weaker."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator

from functions.harness.names import is_test
from functions.validate_patch.honest.view import Function, Hit, View, dotted, functions_of

_SKIPPING = frozenset(
    {"skip", "skipif", "skipIf", "skipUnless", "skipTest", "xfail", "expectedFailure", "importorskip"}
)
_SKIPPING_NAMES = frozenset(
    {"SkipTest", "__test__", "collect_ignore", "collect_ignore_glob", "__unittest_skip__", "pytest_plugins"}
)


def skips(view: View) -> Iterator[Hit]:
    """Marks and calls that keep a test from running."""
    if not is_test(view.path):
        return
    for node in view.walk(ast.Attribute, ast.Name):
        name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
        if name in _SKIPPING_NAMES or (name in _SKIPPING and _about_tests(node)):
            yield Hit(
                getattr(node, "lineno", 0),
                f"{view.where(node)} {name}",
                f"`{name}` keeps a test from running",
            )


def _about_tests(node: ast.AST) -> bool:
    """`pytest.skip`, `mark.xfail`, `unittest.skip`, `self.skipTest`, or a bare name of that kind."""
    if not isinstance(node, ast.Attribute):
        return True
    return dotted(node.value).rpartition(".")[2] in (
        "pytest",
        "mark",
        "unittest",
        "self",
        "case",
        "testcase",
        "m",
    )


def weaker(before: View | None, after: View) -> Iterator[Hit]:
    """Tests that are gone, and assertions that are gone or no longer hold anything."""
    if not is_test(after.path):
        return
    for function in functions_of(after.module).values():
        for statement in ast.walk(function):
            if isinstance(statement, ast.Assert) and _always_true(statement.test):
                yield Hit(
                    statement.lineno,
                    f"{after.where(statement)} {ast.unparse(statement)}",
                    f"`{ast.unparse(statement)}` holds whatever the code does",
                )
    if before is None:
        return
    old, new = _tests(before.module), _tests(after.module)
    bodies = {_body(function) for function in new.values()}
    for name, function in old.items():
        if name not in new and _body(function) not in bodies:
            yield Hit(function.lineno, f"gone {name}", f"the test {name} is gone")
    kept = Counter((ast.unparse(check), _context(after, check)) for check in _checks(after.module))
    strong = [ast.unparse(check) for check in _checks(after.module)]
    for check in _checks(before.module):
        text, context = ast.unparse(check), _context(before, check)
        held = next((c for c in (context, ()) if kept[text, c] > 0), None)
        if held is not None:
            kept[text, held] -= 1
        elif not _expects_the_incident(after, check) and not _stronger_one(check, strong):
            yield Hit(
                getattr(check, "lineno", 0),
                f"assertion {text}",
                f"the assertion `{text[:120]}` is gone or weaker; code must satisfy tests, not the reverse",
            )


def watches_patch(view: View) -> Iterator[Hit]:
    """Tests that look whether the patch is there, decide what to check by it, or leave before they check."""
    if not is_test(view.path):
        return
    imported = {
        alias.asname or alias.name.partition(".")[0]
        for node in view.walk(ast.Import, ast.ImportFrom)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    for call in view.walk(ast.Call):
        name = dotted(call.func).rpartition(".")[2]
        about = dotted(call.args[0]) if call.args else ""
        probes = name in ("hasattr", "dir", "vars") or (name == "getattr" and len(call.args) > 2)
        texts = [n.value for n in ast.walk(call) if isinstance(n, ast.Constant) and isinstance(n.value, str)]
        if (probes and about.partition(".")[0] in imported) or (
            name in ("open", "read_text", "read_bytes", "read_lines")
            and any(t.endswith(".py") for t in texts)
        ):
            yield Hit(
                call.lineno,
                f"{view.where(call)} {ast.unparse(call)}",
                f"`{ast.unparse(call)[:80]}` looks at the code's text or names, not at what it does",
            )
    for node in view.walk(ast.Return):
        function = view.function(node)
        if function is not None and function.name.startswith("test") and node.value is None:
            yield Hit(node.lineno, f"{view.where(node)} return", "the test leaves before it has checked")


def _context(view: View, check: ast.AST) -> tuple[str, ...]:
    """Conditions, loops and inner functions between a check and its test, outermost first."""
    found = []
    for up in view.ancestors(check):
        if isinstance(up, Function) and up.name.startswith("test"):
            break
        if isinstance(up, ast.If | ast.While):
            found.append(ast.unparse(up.test))
        elif isinstance(up, ast.For | ast.AsyncFor):
            found.append(ast.unparse(up.iter))
        elif isinstance(up, Function):
            found.append(up.name)
    return tuple(reversed(found))


def _tests(module: ast.Module) -> dict[str, Function]:
    return {
        name: function
        for name, function in functions_of(module).items()
        if name.rpartition(".")[2].startswith("test")
    }


def _body(function: Function) -> str:
    return "\n".join(ast.unparse(statement) for statement in function.body)


def _checks(module: ast.Module) -> list[ast.AST]:
    """Assert statements, `self.assert…` calls, and `pytest.raises` and its like; also parametrised cases."""
    found: list[ast.AST] = []
    for node in ast.walk(module):
        if isinstance(node, ast.Assert):
            found.append(node)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            name = node.func.attr
            if name.startswith(("assert", "fail")) or name in ("raises", "warns"):
                found.append(node)
            elif (
                name == "parametrize"
                and len(node.args) > 1
                and isinstance(node.args[1], ast.List | ast.Tuple)
            ):
                found += node.args[1].elts
    return found


def _expects_the_incident(view: View, check: ast.AST) -> bool:
    """A test that wanted the very error to happen may change with the code."""
    if not isinstance(check, ast.Call) or not check.args:
        return False
    wanted = view.candidate.facts.incident.error_type.rpartition(".")[2]
    return dotted(check.args[0]).rpartition(".")[2] == wanted


def _stronger_one(check: ast.AST, texts: list[str]) -> bool:
    """Whether an equality about the same expression took the place of a weaker statement."""
    if not isinstance(check, ast.Assert):
        return False
    test = check.test
    subject = ""
    if isinstance(test, ast.Name | ast.Call | ast.Attribute | ast.Subscript):
        checks_type = isinstance(test, ast.Call) and dotted(test.func) == "isinstance" and len(test.args) == 2
        subject = ast.unparse(test.args[0] if isinstance(test, ast.Call) and checks_type else test)
    elif isinstance(test, ast.Compare) and not isinstance(test.ops[0], ast.Eq | ast.Is):
        subject = ast.unparse(test.comparators[0] if isinstance(test.ops[0], ast.In) else test.left)
    return bool(subject) and any(text.startswith(f"assert {subject} == ") for text in texts)


def _always_true(test: ast.expr) -> bool:
    """A true constant, a non-empty tuple, `x or True`, or something compared with itself."""
    if isinstance(test, ast.Constant):
        return bool(test.value)
    if isinstance(test, ast.Tuple):
        return bool(test.elts)
    if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.Or):
        return any(_always_true(value) for value in test.values)
    if isinstance(test, ast.Compare) and isinstance(test.ops[0], ast.Eq | ast.Is | ast.GtE | ast.LtE):
        return ast.dump(test.left) == ast.dump(test.comparators[0]) and not any(
            isinstance(node, ast.Call) for node in ast.walk(test)
        )
    return False
