"""Rules on handlers: a new `except` must be narrow, and must do something about what it catches."""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterator

from functions.validate_patch.honest import values
from functions.validate_patch.honest.documented import Silent
from functions.validate_patch.honest.support import support
from functions.validate_patch.honest.view import Hit, View, dotted, module_constants

_BROAD = frozenset({"Exception", "BaseException", "object", "StandardError"})
_MANY = 4
"""Built-in exception types in one handler that together catch nearly everything."""
_ENDS_ITERATION = frozenset({"StopIteration", "StopAsyncIteration", "EOFError", "Empty", "QueueEmpty"})
_NO_ERRORS = frozenset(
    {"SystemExit", "KeyboardInterrupt", "GeneratorExit", "StopIteration", "StopAsyncIteration"}
)
_MAY_END = re.compile(r"__a?next__|main|<module>")
_FOR_ALL = frozenset(
    {"traps", "seterr", "raiseExceptions", "simplefilter", "filterwarnings", "set_exception_handler"}
)
"""Switches of the process that decide which errors anybody sees."""
_LOG_METHODS = frozenset(
    {
        "debug",
        "info",
        "warning",
        "warn",
        "error",
        "exception",
        "critical",
        "log",
        "print",
        "print_exc",
        "write",
    }
)


def broad(view: View) -> Iterator[Hit]:
    """`except:`, `except Exception:` and their disguises, unless they always raise again."""
    for handler in view.walk(ast.ExceptHandler):
        names = caught(view, handler)
        everything = handler.type is None or "BaseException" in names  # an interrupt or exit, too
        if raises_always(handler.body) and not (everything and not _raises_again(handler)):
            continue
        wide = _BROAD & set(names)
        many = [name for name in names if hasattr(builtins, name)]
        if handler.type is None or wide or len(many) >= _MANY:
            shown = f"except {ast.unparse(handler.type)}" if handler.type is not None else "bare except"
            yield Hit(
                handler.lineno,
                f"{view.where(handler)} {ast.dump(handler)}",
                f"`{shown}` catches errors that nobody looked at; catch the one type that the cause raises",
            )


def _raises_again(handler: ast.ExceptHandler) -> bool:
    last = handler.body[-1]
    same = isinstance(last, ast.Raise) and isinstance(last.exc, ast.Name) and last.exc.id == handler.name
    return not isinstance(last, ast.Raise) or last.exc is None or same


def swallowed(view: View) -> Iterator[Hit]:
    """A handler that passes, logs only, or goes on with a constant that nothing vouches for."""
    for handler in view.walk(ast.ExceptHandler):
        if raises_always(handler.body):
            continue
        what = _silence(view, handler)
        if what:
            yield Hit(
                handler.lineno,
                f"{view.where(handler)} {ast.dump(handler)}",
                f"the handler {what}: the error stays unseen; mend its cause, or raise an error that says it",
            )


def suppressed(view: View) -> Iterator[Hit]:
    """`contextlib.suppress`, under any name, and context managers or `finally` blocks that swallow."""
    for call in view.walk(ast.Call):
        if _imported_as(view, dotted(call.func)).endswith("suppress"):
            yield Hit(call.lineno, _key(view, call), "`contextlib.suppress` discards the error")
    for node in view.walk(ast.Try, ast.TryStar):
        if isinstance(node, ast.Try | ast.TryStar):
            for inner in (i for statement in node.finalbody for i in ast.walk(statement)):
                if isinstance(inner, ast.Return | ast.Break | ast.Continue):
                    yield Hit(inner.lineno, _key(view, inner), "leaving a `finally` block discards the error")
    for function in view.walk(ast.FunctionDef, ast.AsyncFunctionDef):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef) and function.name in (
            "__exit__",
            "__aexit__",
        ):
            for inner in ast.walk(function):
                if (
                    isinstance(inner, ast.Return)
                    and inner.value is not None
                    and not values.is_false(inner.value)
                ):
                    yield Hit(inner.lineno, _key(view, inner), f"`{function.name}` may discard the error")


def disguised(view: View) -> Iterator[Hit]:
    """Raising what is no error: what ends a loop, a coroutine or the process without anybody being told."""
    for node in view.walk(ast.Raise):
        name = dotted(node.exc.func if isinstance(node.exc, ast.Call) else node.exc) if node.exc else ""
        if name in _NO_ERRORS and not _MAY_END.fullmatch(view.where(node).rpartition(".")[2]):
            yield Hit(
                node.lineno,
                _key(view, node),
                f"`{name}` is not an error: it ends the caller's loop or the process as if all were well",
            )


def tolerated(view: View) -> Iterator[Hit]:
    """Arguments that make a library pass over errors or lose data."""
    lenient: dict[str, tuple[object, ...]] = {
        "errors": ("ignore", "replace", "coerce", "surrogateescape", "backslashreplace", "namereplace"),
        "return_exceptions": (True,),
        "ignore_errors": (True,),
        "on_bad_lines": ("skip", "warn"),
        "error_bad_lines": (False,),
        "strict": (False,),
        "check": (False,),
        "raise_on_error": (False,),
        "silent": (True,),
    }
    for node in view.walk(ast.Attribute, ast.Name):
        name = node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
        if name in _FOR_ALL:
            yield Hit(
                getattr(node, "lineno", 0),
                f"{view.where(node)} {name}",
                f"`{name}` changes for the whole process which errors are seen",
            )
    for call in view.walk(ast.Call):
        for keyword in call.keywords:
            value = keyword.value
            if isinstance(value, ast.Constant) and value.value in lenient.get(keyword.arg or "", ()):
                yield Hit(
                    call.lineno,
                    f"{view.where(call)} {dotted(call.func)} {keyword.arg}",
                    f"`{keyword.arg}={value.value!r}` passes over the error and loses what caused it",
                )
        method = call.func.attr if isinstance(call.func, ast.Attribute) else ""
        given = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
        owner = ast.unparse(call.func.value) if isinstance(call.func, ast.Attribute) else ""
        if method == "replace" and given.get("tzinfo") == "None" and "astimezone(" not in owner:
            yield Hit(call.lineno, f"{view.where(call)} tzinfo", "drops the zone, so that times are mixed up")
        if method in ("decode", "encode") and len(call.args) > 1 and isinstance(call.args[1], ast.Constant):
            yield Hit(call.lineno, f"{view.where(call)} {method}", f"`{method}` is told to pass over errors")


def caught(view: View, handler: ast.ExceptHandler) -> list[str]:
    """Names of the types in a handler, without their modules; names of tuples are looked up in the module."""
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    names: list[str] = []
    for kind in kinds:
        name = dotted(kind).rpartition(".")[2] if kind is not None else ""
        bound = module_constants(view.module).get(name)
        parts = bound.elts if isinstance(bound, ast.Tuple) else [bound]
        resolved = [dotted(p).rpartition(".")[2] for p in parts if p is not None and dotted(p)]
        names += resolved or [name]
    return names


def raises_always(body: list[ast.stmt]) -> bool:
    """Whether a block cannot end without raising, judged by its last statement."""
    last = body[-1] if body else None
    if isinstance(last, ast.If):
        return bool(last.orelse) and raises_always(last.body) and raises_always(last.orelse)
    if isinstance(last, ast.With):
        return raises_always(last.body)
    return isinstance(last, ast.Raise)


def _silence(view: View, handler: ast.ExceptHandler) -> str:
    """How a handler keeps silent; "" when it does something."""
    rest = [s for s in handler.body if not says_or_does_nothing(s)]
    logs = len(rest) < len(handler.body) and not all(isinstance(s, ast.Pass) for s in handler.body)
    if not rest:
        return "only logs" if logs else "does nothing"
    last = rest[-1]
    if isinstance(last, ast.Continue | ast.Break):
        if any(not isinstance(s, ast.Continue | ast.Break) and not _waits(s) for s in rest):
            return ""
        if _ENDS_ITERATION & set(caught(view, handler)) or support(view, Silent(handler, "skip", None)):
            return ""
        return "" if _raises_later(view, handler) else "skips what failed"
    silent: ast.expr | None = None
    if isinstance(last, ast.Return):
        silent = last.value or ast.Constant(None)
    elif isinstance(last, ast.Assign | ast.AnnAssign) and last.value is not None:
        silent = last.value
    if silent is None or any(not isinstance(s, ast.Assign | ast.AnnAssign | ast.Return) for s in rest):
        return ""
    if _tells_only_the_error(handler, silent):
        return "goes on with the error's text as if it were a result"
    if isinstance(silent, ast.Name) and isinstance(last, ast.Return) and _half_done(view, handler, silent.id):
        return "" if _ENDS_ITERATION & set(caught(view, handler)) else "returns what was done until it failed"
    if not values.is_constant(view, silent) and not _another_input(view, silent):
        return ""
    kind = "return" if isinstance(last, ast.Return) else "value"
    if any(support(view, Silent(handler, kind, silent, key)) for key in ("", *_keys_tried(view, handler))):
        return ""
    return f"goes on with {ast.unparse(silent)}, which neither code nor documentation gives as the default"


def _half_done(view: View, handler: ast.ExceptHandler, name: str) -> bool:
    """Whether the `try` adds to what a name is bound to, in a loop: some records are then left out."""
    tried = view.parents.get(handler)
    for loop in ast.walk(tried) if isinstance(tried, ast.Try) else ():
        for node in ast.walk(loop) if isinstance(loop, ast.For | ast.AsyncFor | ast.While) else ():
            if isinstance(node, ast.AugAssign) and dotted(node.target) == name:
                return True
            grows = isinstance(node, ast.Attribute) and node.attr in ("append", "extend", "add", "update")
            if isinstance(node, ast.Attribute) and grows and dotted(node.value) == name:
                return True
            if (
                isinstance(node, ast.Subscript)
                and isinstance(node.ctx, ast.Store)
                and dotted(node.value) == name
            ):
                return True
    return False


def _another_input(view: View, value: ast.expr) -> bool:
    """Whether a value is just a parameter: something else that was given, as if it were the result."""
    function = view.function(value)
    if not isinstance(value, ast.Name) or function is None:
        return False
    return any(isinstance(n, ast.arg) and n.arg == value.id for n in ast.walk(function.args))


def _keys_tried(view: View, handler: ast.ExceptHandler) -> set[str]:
    """The constant keys that the handler's `try` reads: what may be missing."""
    tried = getattr(view.parents.get(handler), "body", [])
    reads = [node for statement in tried for node in ast.walk(statement) if isinstance(node, ast.Subscript)]
    return {str(node.slice.value) for node in reads if isinstance(node.slice, ast.Constant)}


def _waits(statement: ast.stmt) -> bool:
    """A call of `sleep`, awaited or not."""
    value = statement.value if isinstance(statement, ast.Expr) else None
    value = value.value if isinstance(value, ast.Await) else value
    return isinstance(value, ast.Call) and dotted(value.func).rpartition(".")[2] == "sleep"


def _raises_later(view: View, handler: ast.ExceptHandler) -> bool:
    """Whether a loop that tries again gives up with an error: a `raise` after the loop, or in its `else`."""
    for up in view.ancestors(handler):
        if isinstance(up, ast.For | ast.While | ast.AsyncFor):
            block = getattr(view.parents.get(up), "body", [])
            after = block[block.index(up) + 1 :] if up in block else []
            return raises_always(up.orelse) or raises_always(after)
    return False


def _tells_only_the_error(handler: ast.ExceptHandler, value: ast.expr) -> bool:
    """`str(error)` and f-strings of it."""
    if handler.name is None:
        return False
    text = isinstance(value, ast.JoinedStr) or (
        isinstance(value, ast.Call) and dotted(value.func) in ("str", "repr") and bool(value.args)
    )
    return text and any(isinstance(node, ast.Name) and node.id == handler.name for node in ast.walk(value))


def says_or_does_nothing(statement: ast.stmt) -> bool:
    """`pass`, a bare constant, or a call that only logs."""
    if isinstance(statement, ast.Pass):
        return True
    if not isinstance(statement, ast.Expr):
        return False
    value = statement.value
    if isinstance(value, ast.Constant):
        return True
    return isinstance(value, ast.Call) and dotted(value.func).rpartition(".")[2] in _LOG_METHODS


def _imported_as(view: View, name: str) -> str:
    """The dotted name behind a local one, for `from contextlib import suppress as quiet`."""
    for node in ast.walk(view.module):
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    return f"{node.module}.{alias.name}"
    return name if name.endswith(".suppress") else ""


def _key(view: View, node: ast.AST) -> str:
    return f"{view.where(node)} {ast.dump(node)}"
