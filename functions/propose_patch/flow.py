"""What may give a value to what, in one file: the edges that data flow is followed back along."""

from __future__ import annotations

import ast
import builtins
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from itertools import count, islice
from typing import Any, ClassVar

from functions.core.source import syntax
from functions.propose_patch.slots import PURE, Kind, Reads, Scope, Slot, add, name_of, reads_of, words_of

_LINES = 6
"""Of a long statement, the lines that are shown."""
_ALIKE = 20
"""The most that is looked at of one statement's writes of one name, of a call's arguments beside one that may
be called with them, and of what a variable was taken from: in generated code each would meet each."""
_MAKERS = ("__init__", "__new__", "__post_init__")


@dataclass(frozen=True)
class Write:
    """Lines that may have given a slot its value, and what this value is made of; without lines it only says
    that one slot is another. around: the function or class that they stand in; likely: up to 1."""

    lines: frozenset[int]
    around: ast.stmt | None
    why: str
    likely: float
    scope: Scope
    parts: tuple[ast.AST, ...] = ()
    links: Reads = field(default_factory=dict)

    @cached_property
    def reads(self) -> Reads:
        found = dict(self.links)
        for part in self.parts:
            add(found, reads_of(part, self.scope).items())
        return found


@dataclass
class _At:
    """Where the visitor is. slot: of the function; dropped: lines that call
    something for nothing; fields: numbers of the class's fields."""

    function: syntax.Function | None = None
    owner: ast.ClassDef | None = None
    slot: Slot | None = None
    returns: bool = False
    dropped: list[int] = field(default_factory=list)
    fields: Iterator[int] = field(default_factory=count)


class Flow(ast.NodeVisitor):
    """writes: by slot; scopes: by function, and of the module."""

    def __init__(self, path: str, tree: ast.Module) -> None:
        self.writes: dict[Slot, list[Write]] = defaultdict(list)
        self.scopes: dict[ast.AST, Scope] = {}
        self._path = path
        self._scope = self.scopes[tree] = Scope("", frozenset(), None)
        self._at = _At()
        self._statement: ast.stmt = ast.Pass(lineno=1, end_lineno=1)
        self._alike: Counter[tuple[Slot, tuple[ast.AST, ...]]] = Counter()
        """Of this statement, how often a slot was written with the same parts."""
        self._modules: set[str] = set()
        self._taken: dict[Slot, Reads] = {}
        """What a variable was last taken from."""
        self._asked: set[ast.AST] = set()
        """Texts that ask for a key: they give it to nobody."""
        self.generic_visit(tree)

    def visit(self, node: ast.AST) -> None:
        if isinstance(node, ast.stmt):
            self._statement = node
            self._alike.clear()
        if handler := self._BY_TYPE.get(type(node)):
            handler(self, node)
        elif not isinstance(node, ast.Name):
            self.generic_visit(node)

    # What stores.

    def _stores(self, node: ast.Assign | ast.AugAssign | ast.NamedExpr) -> None:
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            self._store(target, node.value)
        self.generic_visit(node)

    def _annotates(self, node: ast.AnnAssign) -> None:
        if node.value:
            self._store(node.target, node.value)
        if self._at.owner and not self._at.function and isinstance(node.target, ast.Name):
            owner, place = self._at.owner.name, str(next(self._at.fields))
            self._same(Slot(node.target.id), [Slot(place, owner, Kind.GIVEN), Slot("*", owner, Kind.GIVEN)])
        self.generic_visit(node)

    def _iterates(self, node: ast.For | ast.AsyncFor | ast.comprehension) -> None:
        self._store(node.target, node.iter)
        self.generic_visit(node)

    def _enters(self, node: ast.withitem) -> None:
        if node.optional_vars:
            self._store(node.optional_vars, node)
        self.generic_visit(node)

    def _matches(self, node: ast.Match) -> None:
        for case in node.cases:
            for part in ast.walk(case.pattern):
                if name := getattr(part, "name", None) or getattr(part, "rest", None):
                    self._write(self._scope.slot(name), part, f"matches {name!r}", 1, node.subject)
        self.generic_visit(node)

    def _deletes(self, node: ast.Delete) -> None:
        for target in node.targets:
            for slot, likely in self._stored(target):
                self._write(slot, node, f"removes {slot.name!r}", likely)
        self.generic_visit(node)

    def _displays(self, node: ast.Dict) -> None:
        for key, value in zip(node.keys, node.values, strict=True):
            if isinstance(key, ast.Constant):
                self._asked.add(key)
                self._write(Slot(str(key.value)), key, f"sets {key.value!r}", 0.9, value, end=value)
        self.generic_visit(node)

    def _says(self, node: ast.Constant) -> None:
        """A text may name a column, a field, or an attribute that is set by its name."""
        effect = isinstance(self._statement, ast.Expr)
        if not isinstance(node.value, str) or node in self._asked or node is self._dropped:
            return
        part: ast.AST = node if hasattr(self._statement, "body") else self._statement
        rows = node.value.split("\n")
        for word, share in words_of(node.value):
            having = [node.lineno + n for n, row in enumerate(rows) if word in row] if len(rows) > 1 else []
            lines = frozenset([node.lineno, *having[: _LINES - 1]]) if having else None
            likely = share * (1 if effect else 0.6)
            self._write(Slot(word), node, f"names {word!r}", likely, part, lines=lines)

    def _asks(self, node: ast.Subscript | ast.Compare) -> None:
        inside = [node.slice] if isinstance(node, ast.Subscript) else [node.left, *node.comparators]
        self._asked |= set(inside)
        self.generic_visit(node)

    # What is called.

    def _calls(self, node: ast.Call) -> None:
        name = name_of(node.func)
        effect = node is self._dropped
        given = [
            ("*" if isinstance(value, ast.Starred) else str(n), value) for n, value in enumerate(node.args)
        ]
        given += [(each.arg or "*", each.value) for each in node.keywords]
        for place, value in given:
            if not place.isdigit() and place != "*":
                self._write(Slot(place), value, f"sets {place!r}", 0.8, value)
            self._gives(name, place, value, effect)
            if called := name_of(value):  # may be a function that is called with the others
                for other in (other for _, other in given[:_ALIKE] if other is not value):
                    self._gives(called, "*", other, False)
        values = [value for _, value in given]
        if effect:
            self._at.dropped.append(node.lineno)
        if name:
            self._write(Slot("()", name, Kind.GIVEN), node, f"makes a {name}", 0.8, *values)
        if name in ("setattr", "__setattr__"):
            self._write(Slot("setattr"), node, "sets attributes by name", 1, *values)
        if isinstance(node.func, ast.Attribute) and node.func.attr in PURE:
            self._asked |= set(node.args[:1])
        elif isinstance(node.func, ast.Attribute):
            for slot, likely in self._owners(node.func.value):
                why, likely = f"may change {slot.name!r}", likely * (0.9 if effect else 0.4)
                self._write(slot, node, why, likely, *values, links={Slot(name): 0.5})
        self.generic_visit(node)

    def _gives(self, function: str, place: str, value: ast.expr, effect: bool) -> None:
        if function and not hasattr(builtins, function):
            self._write(Slot(place, function, Kind.GIVEN), value, f"is given to {function}", 1, value)
            for slot, likely in self._owners(value):
                changes, likely = (
                    {Slot(place, function, Kind.CHANGED): 1.0},
                    likely * (0.6 if effect else 0.3),
                )
                self._write(slot, value, f"has {function} change it", likely, links=changes)

    # What returns and defines.

    def _returns(self, node: ast.Return | ast.Yield | ast.YieldFrom) -> None:
        if self._at.function and self._at.slot:
            self._at.returns = True
            parts = [node.value] if node.value else []
            self._write(self._at.slot, node, f"{self._at.function.name} returns it", 1, *parts)
        self.generic_visit(node)

    def _handles(self, node: ast.ExceptHandler) -> None:
        """Where an error is swallowed, what was to be made may be missing."""
        function, last = self._at.function, node.body[-1]
        if function and self._at.slot and not isinstance(last, ast.Raise | ast.Return):
            lines = frozenset({function.lineno, node.lineno, last.lineno})
            self._write(self._at.slot, node, f"{function.name} goes on after an error", 0.4, lines=lines)
        self.generic_visit(node)

    def _defines(self, node: syntax.Function) -> None:
        slot = self._scope.slot(node.name)
        if slot.kind is Kind.LOCAL:
            self._same(Slot(node.name), [slot], 0.5)
        decorated, lines = bool(node.decorator_list), frozenset(syntax.head(node))
        why, likely = (f"decorates {node.name}", 0.6) if decorated else (f"defines {node.name}", 0.4)
        self._write(slot, node, why, likely, *node.decorator_list, lines=lines)
        for decorator in node.decorator_list:
            self._give_to(decorator, node, slot)
            self.visit(decorator)
        scope = self.scopes[node] = self._scope.inner(f"{self._path}:{node.lineno}", node)
        self._takes(node, scope)
        with self._inside(_At(node, self._at.owner, slot), scope):
            for statement in node.body:
                self.visit(statement)
            last = node.body[-1]
            if not isinstance(last, ast.Return | ast.Raise | ast.Pass | ast.While | ast.With):
                lines = frozenset({node.lineno, last.lineno, *self._at.dropped[: _LINES - 2]})
                likely = 0.3 if self._at.returns else 0.5
                self._write(slot, last, f"{node.name} ends with it", likely, lines=lines)

    def _give_to(self, decorator: ast.expr, node: syntax.Function, slot: Slot) -> None:
        """A decorator is called with the function, and may keep it."""
        name, lines = name_of(decorator), frozenset(syntax.head(node))
        why = f"{node.name} is given to {name}"
        self._write(Slot("0", name, Kind.GIVEN), node, why, 0.9, links={slot: 1.0}, lines=lines)
        method = decorator.func if isinstance(decorator, ast.Call) else decorator
        for owner, likely in self._owners(method.value) if isinstance(method, ast.Attribute) else ():
            self._write(owner, node, why, likely * 0.8, links={slot: 1.0}, lines=lines)

    def _takes(self, node: syntax.Function, scope: Scope) -> None:
        """Parameters are what calls give, or their defaults."""
        owner = self._at.owner if not self._at.function else None
        static = any(name_of(each) == "staticmethod" for each in node.decorator_list)
        names = [owner.name, node.name] if owner and node.name in _MAKERS else [node.name]
        if self._at.function:
            names.append(f"{self._at.function.name}()")  # what it returns may be called
        taken = node.args
        plain = [*taken.posonlyargs, *taken.args]
        if owner and not static and plain:
            self._same(Slot(plain[0].arg, scope.name, Kind.LOCAL), [Slot(owner.name)])
        bound = plain[1:] if owner and not static else plain
        places: dict[str, tuple[str, ...]] = {
            argument.arg: (str(n), argument.arg, "*") for n, argument in enumerate(bound)
        }
        places |= {argument.arg: (argument.arg, "*") for argument in taken.kwonlyargs}
        places |= {rest.arg: ("*", "()") for rest in (taken.vararg, taken.kwarg) if rest}
        for parameter, ways in places.items():
            slot = Slot(parameter, scope.name, Kind.LOCAL)
            self._same(slot, [Slot(way, name, Kind.GIVEN) for name in names for way in ways])
            self._same(slot, [Slot(parameter, kind=Kind.ALIKE), Slot(parameter)], 0.3)
            for way, name in ((way, name) for way in ways for name in names):
                self._same(Slot(way, name, Kind.CHANGED), [slot])
        defaults = [*zip(reversed(plain), reversed(taken.defaults), strict=False)]
        for argument, default in (*defaults, *zip(taken.kwonlyargs, taken.kw_defaults, strict=True)):
            if default:
                slot = Slot(argument.arg, scope.name, Kind.LOCAL)
                self._write(slot, default, f"default of {argument.arg!r}", 0.9, default)
                self.visit(default)

    def _classes(self, node: ast.ClassDef) -> None:
        slot, parts = Slot(node.name), (*node.bases, *node.keywords, *node.decorator_list)
        self._write(slot, node, f"class {node.name}", 0.4, *parts, lines=frozenset(syntax.head(node)))
        self._same(slot, [Slot("()", node.name, Kind.GIVEN)])
        for maker in node.body:
            if isinstance(maker, syntax.Function) and maker.name in _MAKERS:
                lines = frozenset({node.lineno, *syntax.head(maker)})
                self._write(slot, maker, f"makes a {node.name}", 0.6, lines=lines)
        with self._inside(_At(None, node), self._scope):
            self.generic_visit(node)

    def _imports(self, node: ast.Import | ast.ImportFrom) -> None:
        for alias in node.names:
            if isinstance(node, ast.Import):
                self._modules.add(alias.asname or alias.name)
            if alias.asname:
                reads = {Slot(alias.name.rpartition(".")[2]): 1.0}
                self._write(self._scope.slot(alias.asname), node, f"imports {alias.asname}", 0.7, links=reads)

    _BY_TYPE: ClassVar[dict[type[ast.AST], Callable[[Flow, Any], None]]] = {
        **dict.fromkeys((ast.Assign, ast.AugAssign, ast.NamedExpr), _stores),
        ast.AnnAssign: _annotates,
        **dict.fromkeys((ast.For, ast.AsyncFor, ast.comprehension), _iterates),
        ast.withitem: _enters,
        ast.Match: _matches,
        ast.Delete: _deletes,
        ast.Dict: _displays,
        ast.Constant: _says,
        **dict.fromkeys((ast.Subscript, ast.Compare), _asks),
        ast.Call: _calls,
        **dict.fromkeys((ast.Return, ast.Yield, ast.YieldFrom), _returns),
        ast.ExceptHandler: _handles,
        **dict.fromkeys((ast.FunctionDef, ast.AsyncFunctionDef), _defines),
        ast.ClassDef: _classes,
        **dict.fromkeys((ast.Import, ast.ImportFrom), _imports),
    }

    # How writes are noted.

    @property
    def _dropped(self) -> ast.expr | None:
        """The expression that is the whole statement, such as a call for its effect, or a docstring."""
        return self._statement.value if isinstance(self._statement, ast.Expr) else None

    def _store(self, target: ast.expr, value: ast.AST) -> None:
        if isinstance(target, ast.Tuple | ast.List):
            values = value.elts if isinstance(value, ast.Tuple | ast.List) else []
            for place, part in enumerate(target.elts):
                self._store(part, values[place] if len(values) == len(target.elts) else value)
            return
        parts = [value, target.slice] if isinstance(target, ast.Subscript) else [value]
        for slot, likely in self._stored(target):
            self._write(slot, self._statement, f"sets {slot.name!r}", likely, *parts)
            if slot.kind is Kind.LOCAL:
                self._same(Slot(slot.name, kind=Kind.ALIKE), [slot])
                near = reads_of(value, self._scope).items()
                surely = ((each, share) for each, share in near if share > 0.5 and each != slot)
                self._taken[slot] = dict(islice(surely, _ALIKE))
            elif isinstance(value, ast.Call):  # may be a class that is made by a call
                self._same(slot, [Slot("()", slot.name, Kind.GIVEN)], 0.5)
        if self._at.owner and not self._at.function:
            owner = self._at.owner.name
            self._write(Slot(owner), self._statement, f"part of {owner}", 0.4, value)

    def _stored(self, target: ast.expr) -> Iterator[tuple[Slot, float]]:
        if isinstance(target, ast.Starred):
            yield from self._stored(target.value)
        elif isinstance(target, ast.Name):
            yield self._scope.slot(target.id), 1.0
        elif isinstance(target, ast.Attribute):
            yield Slot(target.attr), 1.0
            yield from self._owners(target.value, 0.3)
        elif isinstance(target, ast.Subscript):
            yield Slot(str(target.slice.value) if isinstance(target.slice, ast.Constant) else "[]"), 1.0
            yield from self._owners(target.value, 0.8)

    def _owners(self, node: ast.AST, likely: float = 1.0) -> Iterator[tuple[Slot, float]]:
        """What is changed when the object behind an expression is: its own slot, and for a variable those
        that it was taken from."""
        if isinstance(node, ast.Name) and node.id not in self._modules:
            slot = self._scope.slot(node.id)
            yield slot, likely
            for near, share in self._taken.get(slot, {}).items():
                yield near, likely * share * 0.6
        elif isinstance(node, ast.Attribute):
            yield Slot(node.attr), likely
        elif isinstance(node, ast.Subscript | ast.Await | ast.Starred):
            yield from self._owners(node.value, likely * 0.8)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            yield from self._owners(node.func.value, likely * 0.8)
        elif isinstance(node, ast.Tuple | ast.List):
            for part in node.elts:
                yield from self._owners(part, likely)

    def _same(self, slot: Slot, others: Iterable[Slot], likely: float = 1.0) -> None:
        self.writes[slot].append(
            Write(frozenset(), None, "", likely, self._scope, links=dict.fromkeys(others, 1.0))
        )

    def _write(
        self,
        slot: Slot,
        node: ast.AST,
        why: str,
        likely: float,
        *parts: ast.AST,
        end: ast.expr | None = None,
        lines: frozenset[int] | None = None,
        links: Reads | None = None,
    ) -> None:
        """lines: those to show, if not the node's (up to that of `end`) and the first of its statement."""
        self._alike[slot, parts] += bool(parts)
        if self._alike[slot, parts] > _ALIKE:
            return
        around = self._at.function or self._at.owner or self._statement
        if lines is None:
            first: int = getattr(node, "lineno", self._statement.lineno)
            last = min(getattr(end or node, "end_lineno", first), first + _LINES - 1)
            lines = frozenset((around.lineno, self._statement.lineno, *range(first, last + 1)))
        self.writes[slot].append(Write(lines, around, why, likely, self._scope, parts, links or {}))

    @contextmanager
    def _inside(self, at: _At, scope: Scope) -> Iterator[None]:
        outer = self._at, self._scope
        self._at, self._scope = at, scope
        yield
        self._at, self._scope = outer
