"""Rules on ways past the error: the one input that failed, another field, another element."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from functions.harness.names import is_test
from functions.validate_patch.candidate import Candidate, parsed
from functions.validate_patch.honest.borrowed import names_stand_in
from functions.validate_patch.honest.documented import Silent
from functions.validate_patch.honest.support import support
from functions.validate_patch.honest.view import Hit, View, dotted

_AROUND = re.compile(r"\b(?:cycl\w*|circular\w*|wrap\w*|clamp\w*|nearest|rotat\w*|ring)\b", re.IGNORECASE)


def special_cases(candidate: Candidate) -> Iterator[str]:
    """The very value that failed, written into the code: the next such value fails again."""
    message = candidate.facts.incident.title.partition(": ")[2]
    failed = {text[1:-1] for text in re.findall(r"'[^'\n]{2,80}'|\"[^\"\n]{2,80}\"", message)}
    held = b"\n".join(file.data for file in candidate.before.values())
    failed = {v for v in failed if not re.search(rb"(?<!\w)" + re.escape(v.encode()) + rb"(?!\w)", held)}
    for change in candidate.python_changes:
        module = parsed(candidate.after, change.path)
        if module is None or is_test(change.path):
            continue
        entries = {id(key) for table in _tables(module) for key in table.keys}
        known = {
            str(n.value).casefold()
            for n in ast.walk(module)
            if isinstance(n, ast.Constant) and n.value not in failed
        }
        for node in ast.walk(module):
            if not isinstance(node, ast.Constant) or node.value not in failed:
                continue
            # An entry that a table lacked is data, unless it is one that the table has in another spelling.
            if id(node) in entries and str(node.value).casefold() not in known:
                continue
            yield (
                f"{change.path}:{node.lineno}: {node.value!r} is the value that failed this time; mend "
                "the code for all such values"
            )


def _tables(module: ast.Module) -> list[ast.Dict]:
    bound = [node.value for node in module.body if isinstance(node, ast.Assign | ast.AnnAssign)]
    return [value for value in bound if isinstance(value, ast.Dict)]


def other_fields(view: View) -> Iterator[Hit]:
    """`row.memo or row.account`: another field of the record, as if it were the one that is missing."""
    for node in view.walk(ast.BoolOp, ast.IfExp, ast.Call):
        wanted: ast.expr
        if isinstance(node, ast.Call) and len(node.args) in (2, 3):
            wanted, given = node, node.args[1]
        elif isinstance(node, ast.BoolOp):
            wanted, given = node.values[0], node.values[-1]
            if not isinstance(node.op, ast.Or) or any(
                isinstance(up, ast.If | ast.While) and node in ast.walk(up.test)
                for up in view.ancestors(node)
            ):
                continue
        elif isinstance(node, ast.IfExp):
            wanted, given = node.body, node.orelse
        else:
            continue
        record, key = _field(wanted)
        other, name = _field(given)
        if isinstance(node, ast.Call) and dotted(node.func) == "getattr" and len(node.args) == 3:
            record, key = ast.unparse(node.args[0]), str(getattr(node.args[1], "value", ""))
            other, name = _field(node.args[2])
            given = node.args[2]
            record = other and record  # of whatever record: it is another thing
            other = record
        if not record or record != other or name == key or names_stand_in(given):
            continue
        if not support(view, Silent(node, "value", given, key)):
            text = ast.unparse(node)
            yield Hit(
                node.lineno,
                f"{view.where(node)} {text}",
                f"`{text[:80]}` gives `{name}` where `{key}` is missing; neither the code nor its "
                "documentation says that one stands for the other",
            )


def _field(node: ast.expr) -> tuple[str, str]:
    """The record and the field that an expression reads, also through calls such as `strip`."""
    while isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        if node.func.attr == "get" and node.args and isinstance(node.args[0], ast.Constant):
            return ast.unparse(node.func.value), str(node.args[0].value)
        node = node.func.value
    if isinstance(node, ast.Attribute):
        return ast.unparse(node.value), node.attr
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        return ast.unparse(node.value), str(node.slice.value)
    return "", ""


def unheard_keys(view: View) -> Iterator[Hit]:
    """A result read, in a new branch, from a key that nothing in the repository knows."""
    held = [file.data for path, file in view.candidate.before.items()]
    for node in view.walk(ast.Return):
        under = any(isinstance(up, ast.If | ast.ExceptHandler) for up in view.ancestors(node))
        for inner in ast.walk(node) if under else ():
            _, key = _field(inner) if isinstance(inner, ast.Call | ast.Subscript) else ("", "")
            if (
                isinstance(inner, ast.Constant)
                and type(inner.value) is int
                and inner.value in range(500, 600)
            ):
                key = str(inner.value)  # a status
            if key and not any(key.encode() in data for data in held):
                yield Hit(
                    node.lineno,
                    f"{view.where(node)} {key}",
                    f"reads {key!r}, which neither the code nor its documentation knows, in place of what is "
                    "missing",
                )


def other_elements(view: View) -> Iterator[Hit]:
    """`rows[i % len(rows)]` or `rows[min(i, last)]` where `rows[i]` failed: some other element."""
    if view.candidate.facts.incident.error_type.rpartition(".")[2] != "IndexError":
        return
    for node in view.walk(ast.Subscript):
        bent = isinstance(node.slice, ast.BinOp) and isinstance(node.slice.op, ast.Mod)
        clamped = isinstance(node.slice, ast.Call) and dotted(node.slice.func) in ("min", "max")
        function = view.function(node)
        if (not bent and not clamped) or function is None:
            continue
        # A fixed list, such as the days of the week, may begin anew, where that is what comes next.
        fixed = isinstance(node.value, ast.Name) and node.value.id.isupper()
        anew = bent and fixed and ast.unparse(node.slice).endswith(f"% len({ast.unparse(node.value)})")
        if anew and re.search(r"\b(?:after|next|following)\b", ast.get_docstring(function) or ""):
            continue
        if _AROUND.search(f"{function.name.replace('_', ' ')} {ast.get_docstring(function) or ''}"):
            continue
        yield Hit(
            node.lineno,
            f"{view.where(node)} {ast.unparse(node)}",
            f"`{ast.unparse(node)}` gives another element where there is none at that index",
        )


def changed_input(view: View) -> Iterator[Hit]:
    """`given.setdefault(key, …)` only to read it: the default is written into what belongs to the caller."""
    for node in view.walk(ast.Call):
        function, parent = view.function(node), view.parents.get(node)
        if not isinstance(node.func, ast.Attribute) or node.func.attr != "setdefault" or function is None:
            continue
        parameters = {a.arg for a in ast.walk(function.args) if isinstance(a, ast.arg)} - {"self", "cls"}
        read = not isinstance(parent, ast.Expr | ast.Attribute)
        if read and isinstance(node.func.value, ast.Name) and node.func.value.id in parameters:
            yield Hit(
                node.lineno,
                f"{view.where(node)} {ast.unparse(node)}",
                f"`{ast.unparse(node)}` writes the default into the caller's data; `get` only reads it",
            )


def any_element(view: View) -> Iterator[Hit]:
    """`rates.get(country) or next(iter(rates.values()))`: whatever comes first, for what is missing."""
    for node in view.walk(ast.Call):
        first = node.args[0] if node.args and dotted(node.func) == "next" else None
        parent = view.parents.get(node)
        stands_in = isinstance(parent, ast.BoolOp | ast.IfExp) or (
            isinstance(parent, ast.Call) and node in parent.args
        )
        if isinstance(first, ast.Call) and dotted(first.func) == "iter" and stands_in:
            text = f"`{ast.unparse(node)}` gives whatever comes first, for what is missing"
            yield Hit(node.lineno, f"{view.where(node)} {ast.unparse(node)}", text)


def cut_off(view: View) -> Iterator[Hit]:
    """`name, value = pair.split("=")[:2]` where there were too many: the rest is lost."""
    if "too many values to unpack" not in view.candidate.facts.incident.title:
        return
    for node in view.walk(ast.Assign):
        value = node.value
        cut = isinstance(value, ast.Subscript) and isinstance(value.slice, ast.Slice)
        if cut and isinstance(node.targets[0], ast.Tuple):
            text = f"`{ast.unparse(value)}` drops what is more than expected"
            yield Hit(node.lineno, f"{view.where(node)} {ast.unparse(node)}", text)
