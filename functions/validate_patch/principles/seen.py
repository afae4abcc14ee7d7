"""No error becomes unseen: a new handler raises again, translates, or goes on with what is stated."""

from __future__ import annotations

import ast
import builtins
import io
import re
import tokenize
from collections import Counter
from collections.abc import Iterator, Mapping

from functions.core.source.syntax_tree import dotted, imports_of, module_constants, nodes_of
from functions.harness.names import is_test
from functions.harness.proof import Proof
from functions.validate_patch.candidate import Candidate, parsed
from functions.validate_patch.principles.finding import Example, Finding, Principle, Severity
from functions.validate_patch.principles.results import leaves
from functions.validate_patch.principles.sources import Sources
from functions.validate_patch.tree import Change

_BROAD = frozenset({"Exception", "BaseException", "object", "StandardError"})
_MANY = 4
"""Built-in exception types in one handler that together catch nearly everything."""
_ENDS_ITERATION = frozenset({"StopIteration", "StopAsyncIteration", "EOFError", "Empty", "QueueEmpty"})
_NO_ERRORS = frozenset(
    {"SystemExit", "KeyboardInterrupt", "GeneratorExit", "StopIteration", "StopAsyncIteration"}
)
_FOR_ALL = frozenset(
    {
        "traps",
        "seterr",
        "raiseExceptions",
        "simplefilter",
        "filterwarnings",
        "set_exception_handler",
        "excepthook",
    }
)
"""Switches of the process that decide which errors anybody sees."""
_LENIENT: dict[str, tuple[object, ...]] = {
    "errors": ("ignore", "replace", "coerce", "surrogateescape", "backslashreplace", "namereplace"),
    "return_exceptions": (True,),
    "ignore_errors": (True,),
    "on_bad_lines": ("skip", "warn"),
    "strict": (False,),
    "check": (False,),
}
_SAYS = frozenset(
    {"debug", "info", "warning", "warn", "error", "exception", "critical", "log", "print", "write"}
)
_MARKERS = re.compile(
    r"#\s*(noqa|type:\s*ignore|pragma:\s*no\s*(?:cover|branch)|nosec|pylint:\s*disable|pyright:\s*ignore|mypy:"
    r"|ruff:\s*noqa|flake8:|fmt:\s*(?:off|skip)|isort:\s*skip)",
    re.IGNORECASE,
)


def judge(candidate: Candidate, proof: Proof) -> Iterator[Finding]:
    """What the patch's own files do about errors that they did not do before."""
    stated = _Stated(candidate, proof)
    for change in candidate.python_changes:
        new, old = parsed(candidate.after, change.path), parsed(candidate.before, change.path)
        if new is None:
            continue
        before, after = candidate.differing(change)
        had = (
            Counter(key for key, _ in _found(before, old, stated, change.path))
            if before is not None and old is not None
            else Counter[str]()
        )
        for key, finding in _found(after or new, new, stated, change.path):
            if had[key] > 0:
                had[key] -= 1
            else:
                yield finding
        yield from _markers(change)
        if old is not None and not is_test(change.path):
            yield from _unguarded(old, new, change.path)


class _Stated:
    """Whether what a handler goes on with was seen in the results, which another principle judges."""

    def __init__(self, candidate: Candidate, proof: Proof) -> None:
        incident = candidate.context.incident
        message = incident.title.partition(": ")[2]
        self.sources = Sources(candidate, candidate.places[-1], message) if candidate.places else None
        self.ran = proof.calls is not None and any("value" in now for _, now in proof.calls.mended)
        self.passed_over = self.sources is not None and bool(self.sources.leaving_out())


def _found(part: ast.Module, module: ast.Module, stated: _Stated, path: str) -> Iterator[tuple[str, Finding]]:
    """Of a part of a module, whose names the module binds."""
    parents = {child: node for node in nodes_of(part) for child in ast.iter_child_nodes(node)}
    imports = {i.local: i.dotted for i in imports_of(module) if isinstance(i.node, ast.ImportFrom)}
    for node in parents:
        said: tuple[Severity, str] | None = None
        if isinstance(node, ast.ExceptHandler):
            said = _handler(module, node, parents, stated)
        elif isinstance(node, ast.Call):
            said = _call(imports, node)
        elif isinstance(node, ast.Try | ast.TryStar):
            said = _finally(node)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            said = _exit(node)
        elif isinstance(node, ast.Raise):
            said = _no_error(node, parents)
        elif isinstance(node, ast.Attribute | ast.Name):
            name = node.attr if isinstance(node, ast.Attribute) else node.id
            if name in _FOR_ALL:
                said = Severity.REFUSE, f"`{name}` changes for the whole process which errors are seen"
        if said is not None and not (is_test(path) and isinstance(node, ast.Call | ast.Raise)):
            kind, text = said
            line = getattr(node, "lineno", 0)
            yield f"{type(node).__name__} {ast.dump(node)}", Finding(kind, text, f"{path}:{line}")


def _handler(
    module: ast.Module, node: ast.ExceptHandler, parents: dict[ast.AST, ast.AST], stated: _Stated
) -> tuple[Severity, str] | None:
    names = caught(module, node)
    many = sum(hasattr(builtins, name) for name in names) >= _MANY
    wide = node.type is None or _BROAD & set(names) or many
    shown = f"except {ast.unparse(node.type)}" if node.type is not None else "bare except"
    if raises_always(node.body):
        again = any(isinstance(n, ast.Raise) and n.exc is None for n in nodes_of(node))
        everything = node.type is None or "BaseException" in names
        return (
            (Severity.REFUSE, f"`{shown}` makes an error of an interrupt, too")
            if everything and not again
            else None
        )
    if wide:
        return (
            Severity.REFUSE,
            f"`{shown}` catches errors that nobody looked at; catch the type that the cause raises",
        )
    rest = [s for s in node.body if not _says_nothing(s)]
    loop = next(
        (up for up in _ups(node, parents) if isinstance(up, ast.For | ast.AsyncFor | ast.While)), None
    )
    passes_over = not rest or isinstance(rest[-1], ast.Continue | ast.Break)
    if passes_over and not (_ENDS_ITERATION & set(names)) and not _raises_later(node, loop, parents):
        if loop is not None and not stated.passed_over:
            return Severity.QUESTION, "the handler passes over what failed, and nothing says that it may"
        if loop is None and not stated.ran:
            return Severity.QUESTION, "the handler does nothing about the error, so nobody learns of it"
    if rest and (value := _invents(rest, stated)):
        return (
            Severity.QUESTION,
            f"the handler goes on with `{value}`, which nothing in the repository states",
        )
    if rest and _tells_only_the_error(node, rest[-1]):
        return Severity.QUESTION, "the handler goes on with the error's text as if it were a result"
    if rest and isinstance(rest[-1], ast.Return) and loop is not None and not stated.passed_over:
        return Severity.QUESTION, "the handler ends a loop with what was done until it failed"
    return None


def _call(imports: Mapping[str, str], node: ast.Call) -> tuple[Severity, str] | None:
    name = dotted(node.func)
    if imports.get(name, name).endswith("suppress") and name:
        return Severity.REFUSE, "`contextlib.suppress` discards the error"
    for keyword in node.keywords:
        value = keyword.value
        if isinstance(value, ast.Constant) and value.value in _LENIENT.get(keyword.arg or "", ()):
            return (
                Severity.QUESTION,
                f"`{keyword.arg}={value.value!r}` passes over the error and loses what caused it",
            )
    decodes = (
        isinstance(node.func, ast.Attribute) and node.func.attr in ("decode", "encode") and len(node.args) > 1
    )
    return (Severity.QUESTION, f"`{ast.unparse(node)[:80]}` is told to pass over errors") if decodes else None


def _finally(node: ast.Try | ast.TryStar) -> tuple[Severity, str] | None:
    leaving = (ast.Return, ast.Break, ast.Continue)
    leaves = any(isinstance(inner, leaving) for statement in node.finalbody for inner in nodes_of(statement))
    return (Severity.REFUSE, "leaving a `finally` block discards the error") if leaves else None


def _exit(node: ast.FunctionDef | ast.AsyncFunctionDef) -> tuple[Severity, str] | None:
    returns = [
        inner.value for inner in nodes_of(node) if isinstance(inner, ast.Return) and inner.value is not None
    ]
    true = [v for v in returns if not (isinstance(v, ast.Constant) and not v.value)]
    discards = node.name in ("__exit__", "__aexit__") and bool(true)
    return (Severity.REFUSE, f"`{node.name}` may discard the error") if discards else None


def _no_error(node: ast.Raise, parents: dict[ast.AST, ast.AST]) -> tuple[Severity, str] | None:
    name = dotted(node.exc.func if isinstance(node.exc, ast.Call) else node.exc) if node.exc else ""
    inside = [up.name for up in _ups(node, parents) if isinstance(up, ast.FunctionDef | ast.AsyncFunctionDef)]
    allowed = not inside or inside[0] in ("main", "__next__", "__anext__")
    if name in _NO_ERRORS and not allowed:
        return (
            Severity.REFUSE,
            f"`{name}` is not an error: it ends the caller's loop or the process as if all were well",
        )
    return None


_GUARDING = re.compile(r"compare_digest|(?:verify|check|validate|authenti|authori|escape|saniti)")


def _unguarded(old: ast.Module, new: ast.Module, path: str) -> Iterator[Finding]:
    """Calls that guard, which a file no longer makes."""
    kept = {dotted(node.func).rpartition(".")[2] for node in nodes_of(new) if isinstance(node, ast.Call)}
    for node in nodes_of(old):
        name = dotted(node.func).rpartition(".")[2] if isinstance(node, ast.Call) else ""
        if name not in kept and _GUARDING.match(name):
            yield Finding(
                Severity.REFUSE, f"`{name}(…)` is no longer called, and with it goes what it guarded", path
            )


def _markers(change: Change) -> Iterator[Finding]:
    """New comments that silence a checker."""
    known = Counter(kind for kind, _ in _silenced(change.before.data if change.before else b""))
    for kind, line in _silenced(change.after.data if change.after else b""):
        if known[kind] > 0:
            known[kind] -= 1
        else:
            yield Finding(Severity.REFUSE, f"`# {kind}` switches a check off", f"{change.path}:{line}")


def _silenced(source: bytes) -> Iterator[tuple[str, int]]:
    text = source.decode(errors="replace")
    if not _MARKERS.search(text):
        return
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            found = _MARKERS.search(token.string) if token.type == tokenize.COMMENT else None
            if found:
                yield found[1].lower(), token.start[0]
    except (tokenize.TokenError, SyntaxError):
        return


def caught(module: ast.Module, handler: ast.ExceptHandler) -> list[str]:
    """Names of the types in a handler, without their modules; names of tuples are looked up in the module."""
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    names: list[str] = []
    for kind in kinds:
        name = dotted(kind).rpartition(".")[2] if kind is not None else ""
        bound = module_constants(module).get(name)
        parts = bound.elts if isinstance(bound, ast.Tuple) else [bound]
        names += [dotted(p).rpartition(".")[2] for p in parts if p is not None and dotted(p)] or [name]
    return names


def raises_always(body: list[ast.stmt]) -> bool:
    """Whether a block cannot end without raising, judged by its last statement."""
    last = body[-1] if body else None
    if isinstance(last, ast.If):
        return bool(last.orelse) and raises_always(last.body) and raises_always(last.orelse)
    return raises_always(last.body) if isinstance(last, ast.With) else isinstance(last, ast.Raise)


def _ups(node: ast.AST, parents: dict[ast.AST, ast.AST]) -> Iterator[ast.AST]:
    """From the parent outwards, up to the function."""
    while (parent := parents.get(node)) is not None:
        yield parent
        if isinstance(parent, ast.FunctionDef | ast.AsyncFunctionDef):
            return
        node = parent


def _says_nothing(statement: ast.stmt) -> bool:
    """`pass`, a bare constant, or a call that only logs."""
    if not isinstance(statement, ast.Expr):
        return isinstance(statement, ast.Pass)
    value = statement.value
    logs = isinstance(value, ast.Call) and dotted(value.func).rpartition(".")[2] in _SAYS
    return isinstance(value, ast.Constant) or logs


def _raises_later(handler: ast.AST, loop: ast.AST | None, parents: dict[ast.AST, ast.AST]) -> bool:
    """Whether a loop that tries again gives up with an error: a `raise` after the loop, or in its `else`."""
    if loop is None:
        return False
    block = getattr(parents.get(loop), "body", [])
    after = block[block.index(loop) + 1 :] if loop in block else []
    return raises_always(getattr(loop, "orelse", [])) or raises_always(after)


def _invents(rest: list[ast.stmt], stated: _Stated) -> str:
    """What a handler binds to a name, where that is made of constants and not stated; else "".

    What it returns is a result, which another principle judges.
    """
    if len(rest) != 1 or not isinstance(rest[0], ast.Assign | ast.AnnAssign) or rest[0].value is None:
        return ""
    try:
        value = ast.literal_eval(rest[0].value)
    except (ValueError, TypeError):
        return ""
    parts = [*leaves(value)]
    known = stated.sources is not None and all(stated.sources.of(part) for part in parts)
    return "" if known else ast.unparse(rest[0].value)


def _tells_only_the_error(handler: ast.ExceptHandler, last: ast.stmt) -> bool:
    """`return str(error)` and f-strings of it."""
    value = getattr(last, "value", None)
    if handler.name is None or not isinstance(value, ast.AST):
        return False
    text = isinstance(value, ast.JoinedStr) or (
        isinstance(value, ast.Call) and dotted(value.func) in ("str", "repr")
    )
    return text and any(isinstance(node, ast.Name) and node.id == handler.name for node in nodes_of(value))


_PARSE = "def amount(text):\n    return int(text)\n"
_EXAMPLES = (
    Example(
        _PARSE,
        "def amount(text):\n    try:\n        return int(text)\n    except ValueError as error:\n"
        '        raise LookupError(f"no amount: {text}") from error\n',
        "ValueError: invalid literal for int() with base 10: 'x'",
    ),
    Example(
        _PARSE,
        "def amount(text):\n    try:\n        return int(text)\n    except Exception:\n        return 0\n",
        "ValueError: invalid literal for int() with base 10: 'x'",
        objects=Severity.REFUSE,
    ),
)

NO_ERROR_UNSEEN = Principle(
    "error_seen",
    "A new handler raises again, translates, or goes on with what is stated; no check is switched off.",
    judge,
    _EXAMPLES,
)
