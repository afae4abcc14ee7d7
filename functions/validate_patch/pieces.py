"""What a patch adds: the smallest parts of the code that may or may not be executed."""

from __future__ import annotations

import ast
import builtins
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from functions.core.source.syntax_tree import imports_of, is_false, nodes_of
from functions.harness.names import is_test
from functions.harness.tracer import Range
from functions.validate_patch.candidate import Candidate, parsed
from functions.validate_patch.diff import changed_lines

# What ends a block in another way than by its last statement.
_LEAVING = ast.Return | ast.Yield | ast.YieldFrom | ast.Break | ast.Continue
_NAMED = (
    ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.ExceptHandler | ast.MatchAs | ast.MatchStar
)
# Defining is done when a module is imported; it is what the blocks hold that counts.
_DEFINING = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Try | ast.TryStar


@dataclass(frozen=True, slots=True)
class Piece:
    """A statement, or an arm of a conditional expression, that the patch adds."""

    path: str
    span: Range
    text: str
    only_raises: bool
    """An exception follows in any case: what nothing runs here can hide nothing."""


@lru_cache(maxsize=4)
def added(candidate: Candidate) -> list[Piece]:
    """What the patch adds to code other than tests, in source order.

    Code that only moves, or is indented anew, is not added, nor is an expression that now stands under a
    condition, or a statement in which a name that nothing defines is replaced: the lines that the patch
    replaces had it.
    """
    found = []
    for change in candidate.python_changes:
        before, after = candidate.differing(change)
        if after is None or change.after is None or is_test(change.path):
            continue
        before = before or ast.Module([], [])
        lines, new = changed_lines(change), change.after.data.splitlines()
        old, came = _on(before, lines.removed), _on(after, lines.added)
        had = Counter(_key(node) for node in old if isinstance(node, ast.stmt))
        had.update({_key(node): 1 for node in _standing_on(before, lines.removed)})
        whole = parsed(candidate.before, change.path)
        misspelt = _misspelt(whole, lines.removed) if whole is not None and lines.removed else []
        has = Counter(map(_key, came))
        harmless = _raising(after)
        for node in sorted(came, key=_span):
            key = _key(node)
            known = had[key] if isinstance(node, ast.expr) else had[key] >= has[key]
            known = known or (isinstance(node, ast.expr) and is_false(node))  # the honesty rules judge it
            if not known and not any(pattern.fullmatch(key) for pattern in misspelt):
                text = new[_span(node)[0] - 1].decode(errors="replace").strip()
                found.append(Piece(change.path, _span(node), text, node in harmless))
    return found


def _on(module: ast.Module, lines: frozenset[int]) -> list[ast.stmt | ast.expr]:
    """The parts that stand on some of these lines: what stands on others is in both trees alike."""
    spans = ((node, _span(node)) for node in _parts(module)) if lines else ()
    return [node for node, (first, _, last, _) in spans if lines.intersection(range(first, last + 1))]


def _standing_on(module: ast.Module, lines: frozenset[int]) -> Iterator[ast.expr]:
    yield from (n for n in nodes_of(module) if isinstance(n, ast.expr) and n.lineno in lines)


def _misspelt(module: ast.Module, lines: frozenset[int]) -> list[re.Pattern[str]]:
    """What the parts on these lines that use a name that nothing defines look like with any other name."""
    nodes = list(nodes_of(module))
    names = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    bound = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    bound |= {node.arg for node in nodes if isinstance(node, ast.arg)}
    bound |= {node.name for node in nodes if isinstance(node, _NAMED) and node.name}
    bound |= {imported.local for imported in imports_of(module)}
    unknown = [re.escape(f"id='{name}'") for name in names - bound - set(dir(builtins))]
    if not unknown:
        return []
    keys = [re.escape(_key(node)) for node in _parts(module) if node.lineno in lines]
    patterns = [re.sub("|".join(map(re.escape, unknown)), r"id='\\w+'", key) for key in keys]
    return [re.compile(pattern) for key, pattern in zip(keys, patterns, strict=True) if pattern != key]


def _raising(module: ast.Module) -> set[ast.AST]:
    """Statements after which an exception leaves the block in any case: those can hide nothing."""
    blocks = [
        block
        for node in nodes_of(module)
        for name in ("body", "orelse", "finalbody")
        if isinstance(block := getattr(node, name, None), list)
    ]
    return {
        inner
        for block in blocks
        if block and isinstance(block[-1], ast.Raise) and not isinstance(block[0], _DEFINING)
        for statement in block
        if not any(isinstance(inner, _LEAVING) for inner in nodes_of(statement))
        for inner in nodes_of(statement)
    }


def _parts(module: ast.Module) -> Iterator[ast.stmt | ast.expr]:
    """Whatever may or may not be executed when the code around it is."""
    waiting: list[ast.AST] = [module]
    for node in waiting:
        if isinstance(node, ast.If) and _only_for_types(node.test):
            waiting += node.orelse
            continue
        waiting += ast.iter_child_nodes(node)
        if isinstance(node, ast.stmt):
            if not isinstance(node, _DEFINING):
                yield node
        elif isinstance(node, ast.IfExp):
            yield from (node.body, node.orelse)
        elif isinstance(node, ast.BoolOp):
            yield from node.values[1:]
        elif isinstance(node, ast.ListComp | ast.SetComp | ast.GeneratorExp):
            yield node.elt
        elif isinstance(node, ast.DictComp):
            yield node.value
        elif isinstance(node, ast.Lambda):
            yield node.body


def _only_for_types(test: ast.expr) -> bool:
    """`if TYPE_CHECKING:`, which is never run."""
    name = test.attr if isinstance(test, ast.Attribute) else getattr(test, "id", "")
    return name == "TYPE_CHECKING"


def _head(node: ast.stmt | ast.expr) -> ast.stmt | ast.expr:
    """What a compound statement evaluates itself; what is in its blocks are parts of their own."""
    if isinstance(node, ast.If | ast.While):
        return node.test
    if isinstance(node, ast.For | ast.AsyncFor):
        return node.iter
    if isinstance(node, ast.With | ast.AsyncWith):
        return node.items[0].context_expr
    return node.subject if isinstance(node, ast.Match) else node


def _key(node: ast.stmt | ast.expr) -> str:
    """The same for parts that read the same, wherever they are."""
    return type(node).__name__ + ast.dump(_head(node))


def _span(node: ast.stmt | ast.expr) -> Range:
    head = _head(node)
    return head.lineno, head.col_offset, head.end_lineno or head.lineno, head.end_col_offset or 0
