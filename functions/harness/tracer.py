"""Which pieces of a file are executed, by tests (as a plugin of pytest) or by the search's calls.

A piece is a range of the source, down to one arm of a conditional expression. The files that hold pieces are
compiled with a mark before each of them, whose first execution is told; everything else runs as it is, at
full speed, and each line keeps its number. (Instructions know their columns only since Python 3.11, so
watching these would be no way for older ones.)
"""

from __future__ import annotations

import ast
import builtins
import sys
from collections.abc import Iterable, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

from functions.harness.report import write_line

Range = tuple[int, int, int, int]
"""First line and column, last line and column, as `ast` counts: lines from 1, columns in bytes of UTF-8."""

_MARK = "__self_heal_piece__"


class Tracer(MetaPathFinder):
    """Reports `{"executable": [...]}` when it starts, then `{"executed": [n]}` when a piece first is."""

    def __init__(self, root: str, report: int, pieces: Sequence[tuple[str, Range]]) -> None:
        """`pieces`: path below `root` and range; their places in this list are what is reported."""
        self._report = report
        self._pieces: dict[str, dict[Range, int]] = {}
        for number, (path, span) in enumerate(pieces):
            self._pieces.setdefault(f"{root}/{path}", {})[_range(span)] = number
        self._seen: set[int] = set()

    def pytest_sessionfinish(self) -> None:
        self.stop()

    def start(self) -> None:
        """Mark what is imported from here on. Raises SyntaxError and ValueError of the files."""
        found: set[int] = set()
        for file, pieces in self._pieces.items():
            found.update(_marked(ast.parse(Path(file).read_bytes(), file), pieces))
        if found:
            write_line(self._report, {"executable": sorted(found)})
            setattr(builtins, _MARK, self._hit)
            sys.meta_path.insert(0, self)

    def stop(self) -> None:
        if self in sys.meta_path:
            sys.meta_path.remove(self)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is None or spec.origin not in self._pieces:
            return None
        spec.loader = _Loader(fullname, spec.origin, self._pieces[spec.origin])
        return spec

    def _hit(self, number: int) -> bool:
        if number not in self._seen:
            self._seen.add(number)
            write_line(self._report, {"executed": [number]})
        return True


class _Loader(SourceFileLoader):
    def __init__(self, fullname: str, path: str, pieces: dict[Range, int]) -> None:
        super().__init__(fullname, path)
        self._pieces = pieces

    def path_stats(self, path: Any) -> Any:
        raise OSError("compiled anew: what lies in a cache has no marks")

    def source_to_code(self, data: Any, path: Any, *, _optimize: int = -1) -> Any:  # type: ignore[override] # as importlib calls it
        module = ast.parse(data, path)
        _marked(module, self._pieces)
        return compile(module, path, "exec", dont_inherit=True, optimize=_optimize)


def _range(span: Sequence[int]) -> Range:
    first, start, last, end = span
    return first, start, last, end


def _marked(module: ast.Module, pieces: dict[Range, int]) -> set[int]:
    """Put a mark before each piece, in place; the numbers of those that can be executed."""
    marker = _Marker(pieces)
    marker.visit(module)
    ast.fix_missing_locations(module)
    return marker.found


class _Marker(ast.NodeTransformer):
    def __init__(self, pieces: dict[Range, int]) -> None:
        self._pieces = pieces
        self.found: set[int] = set()

    def visit(self, node: ast.AST) -> Any:
        # Asked for first: what is inside may be replaced, and then has no place of its own.
        number = None if isinstance(node, ast.Expr) else self._number(node)
        node = super().visit(node)
        if number is None or (isinstance(node, ast.expr) and not _is_read(node)):
            return node
        self.found.add(number)
        hit = ast.Call(ast.Name(_MARK, ast.Load()), [ast.Constant(number)], [])
        if isinstance(node, ast.expr):
            other = ast.copy_location(ast.Constant(None), node)
            return ast.copy_location(ast.IfExp(ast.copy_location(hit, node), node, other), node)
        return [ast.copy_location(ast.Expr(ast.copy_location(hit, node)), node), node]

    def _number(self, node: ast.AST) -> int | None:
        if not isinstance(node, (ast.stmt, ast.expr)) or _is_inert(node):
            return None
        return self._pieces.get(
            (node.lineno, node.col_offset, node.end_lineno or 0, node.end_col_offset or 0)
        )

    def visit_Expr(self, node: ast.Expr) -> Any:
        """Its value has the same range, and is marked instead; a docstring stays what it is, and first."""
        return node if isinstance(node.value, ast.Constant) else self.generic_visit(node)


def _is_inert(node: ast.stmt | ast.expr) -> bool:
    """Whether a statement cannot be executed, or nothing may stand before it."""
    if isinstance(node, ast.AnnAssign):
        return node.value is None
    if isinstance(node, ast.ImportFrom):
        return node.module == "__future__"
    return isinstance(node, (ast.Global, ast.Nonlocal))


def _is_read(node: ast.expr) -> bool:
    return isinstance(getattr(node, "ctx", ast.Load()), ast.Load) and not isinstance(node, ast.Starred)


def executed(lines: Iterable[dict[str, Any]], what: str) -> set[int]:
    """Numbers of pieces that a tracer reported as `executable` or `executed`."""
    found: set[int] = set()
    for line in lines:
        found.update(n for n in line.get(what, ()) if isinstance(n, int))
    return found
