"""Where the value came from: what made, changed or left out the value that a line failed on.

A traceback shows who asked for a value. Where the value is wrong, the culprit often returned long ago: a
loader, a constructor, a default that is shared, another job that writes the same table. It is found by what
the failing line asks for: the attribute or key, the table it lies in, the class that has it, the function
that returned it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from functions.propose_patch import syntax
from functions.propose_patch.finders import (
    STATEMENT_LINES,
    Finder,
    Statement,
    arguments_of,
    called,
    calls,
    changes_table,
    constant_key,
    defines,
    has_field,
    is_fixed,
    last_name,
    lines_of,
    sets_attribute,
    sets_key,
    statements_of,
    writes_sql,
)
from functions.propose_patch.repository import SourceTree, is_test

MOST = 12
"""Places that are shown: the surest of them."""
_MOST_OF_ONE = 4
"""Of one kind, such as the assignments to one attribute: a name that everybody uses tells nothing."""
_MOST_FILES = 20
"""Files that are parsed for one name."""
_MOST_NAMES = 6
"""Keys and attributes of the failing line that are looked for."""

_MISSING_KEY = re.compile(r"KeyError: '([^']+)'")
_MISSING_ATTRIBUTE = re.compile(r"(?:'(\w+)' object|type object '(\w+)') has no attribute '(\w+)'")
_TABLE = re.compile(r"\b(?:FROM|INTO|UPDATE|JOIN|TABLE(?: IF NOT EXISTS)?)\s+[\"`]?(\w+)", re.I)


@dataclass(frozen=True, slots=True)
class ValueOrigin:
    """A statement of a file, by the lines to show of it, and why it may have made the value."""

    path: str
    lines: frozenset[int]
    why: str


@dataclass(frozen=True, slots=True)
class CodePosition:
    """Where own code stood in the traceback."""

    path: str
    line: int


@dataclass
class _Asked:
    """What a failing statement asks for, the surest first."""

    keys: dict[str, None] = field(default_factory=dict)
    attributes: dict[str, None] = field(default_factory=dict)
    classes: dict[str, None] = field(default_factory=dict)
    tables: dict[str, None] = field(default_factory=dict)


def origins(repository: SourceTree, places: Sequence[CodePosition], error: str) -> list[ValueOrigin]:
    """What may have made the value that the innermost place failed on, the surest first; at most MOST.

    places: own code in the traceback, innermost first; error: the exception's type and message.
    """
    search = _Search(repository, {place.path for place in places})
    found: dict[tuple[str, frozenset[int]], ValueOrigin] = {}
    for origin in _all(search, places, error):
        found.setdefault((origin.path, origin.lines), origin)
        if len(found) == MOST:
            break
    return list(found.values())


def _all(search: _Search, places: Sequence[CodePosition], error: str) -> Iterator[ValueOrigin]:
    for place in places[:1]:
        asked = _asked(search, place, error)
        for key in islice(asked.keys, _MOST_NAMES):
            yield from search.each(key, sets_key(key), f"sets or removes the key {key!r}")
        for attribute in islice(asked.attributes, _MOST_NAMES):
            sets = sets_attribute(attribute)
            yield from search.each(attribute, sets, f"sets or defines the attribute {attribute!r}")
        for name in [*asked.classes, *search.classes_with(islice(asked.attributes, _MOST_NAMES))]:
            yield from search.class_of(name)
        for inner in dict.fromkeys(search.behind(islice(asked.attributes, _MOST_NAMES))):
            yield from search.each(inner, sets_attribute(inner), f"sets {inner!r}, which is given back")
        for table in asked.tables:
            yield from search.table(table)
    for caller in places[1:]:
        yield from search.arguments(caller)
    for attribute in islice(asked.attributes, _MOST_NAMES) if places else ():
        yield from search.each("setattr", calls("setattr"), f"may set {attribute!r}, among others")


def _asked(search: _Search, place: CodePosition, error: str) -> _Asked:
    asked = _Asked()
    if match := _MISSING_KEY.search(error):
        asked.keys[match[1]] = None
    of_none = ""
    if match := _MISSING_ATTRIBUTE.search(error):
        owner = match[1] or match[2]
        if owner == "NoneType":
            of_none = match[3]  # asked of the value that is missing: nobody had to set it
        else:
            asked.attributes[match[3]] = None
            asked.classes[owner] = None
    tree = search.repository.tree(place.path)
    function = syntax.enclosing(tree, place.line)[0] if tree else None
    statement = syntax.statement_at(function or tree, place.line) if tree else None
    if tree is None or statement is None:
        return asked
    _read(statement, asked, of_none)
    _siblings(function or tree, statement, asked)
    local = syntax.bound_in(function) if function else set()
    for value in (statement, *_given_to(function, syntax.names_in(statement))):
        asked.tables |= dict.fromkeys(name for name in _taken_from(value) if name not in local)
    for node in ast.walk(function or tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            asked.tables |= dict.fromkeys(f"sql {name}" for name in _TABLE.findall(node.value))
    return asked


def _given_to(function: syntax.Function | None, names: set[str]) -> Iterator[ast.AST]:
    """The values that a function gives to local names."""
    for node in ast.walk(function) if function else ():
        value = getattr(node, "value", None) or getattr(node, "iter", None)
        if isinstance(value, ast.AST) and syntax.assigned(node) & names:
            yield value


def _taken_from(value: ast.AST) -> Iterator[str]:
    """The names of the tables, queues and the like that an expression takes something from: `name[…]`,
    `name.get(…)`, `module.name.get(…)`."""
    for node in ast.walk(value):
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name):
            yield node.value.id
        owner = (
            node.func.value if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) else None
        )
        if owner and (name := last_name(owner)):
            yield name


def _read(statement: ast.AST, asked: _Asked, of_none: str) -> None:
    """The keys and attributes that a statement reads."""
    for node in ast.walk(statement):
        if key := constant_key(node):
            asked.keys[key] = None
        elif isinstance(node, ast.Attribute) and node.attr != of_none and not node.attr.startswith("__"):
            asked.attributes[node.attr] = None


def _name_of(decorator: ast.expr) -> str:
    return called(decorator) or last_name(decorator)


def _siblings(function: ast.AST, statement: ast.AST, asked: _Asked) -> None:
    """Other keys that the function takes from the same thing: whatever makes it has those, if not the
    missing."""
    bases = {ast.dump(n.value) for n in ast.walk(statement) if isinstance(n, ast.Subscript)}
    for node in ast.walk(function):
        if isinstance(node, ast.Subscript) and ast.dump(node.value) in bases and (key := constant_key(node)):
            asked.keys[key] = None


class _Search:
    """Looks through the repository's own code, files of the traceback first; tests make values of their
    own."""

    def __init__(self, repository: SourceTree, near: set[str]) -> None:
        self.repository = repository
        python = (path for path in repository.paths if path.endswith(".py") and not is_test(path))
        self._paths = sorted(python, key=lambda path: (path not in near, path))
        self._statements: dict[str, list[Statement]] = {}

    def each(self, name: str, finds: Finder, why: str, most: int = _MOST_OF_ONE) -> Iterator[ValueOrigin]:
        """The statements that are found, in files that have the name; what sets it to something fixed
        first."""
        found = [
            (path, statement) for path in self._with(name) for statement in self._of(path) if finds(statement)
        ]
        found.sort(key=lambda hit: not is_fixed(hit[1].node))
        for path, statement in found[:most]:
            yield ValueOrigin(path, lines_of(statement), why)

    def classes_with(self, attributes: Iterable[str]) -> Iterator[str]:
        """Names of the classes that have one of these attributes by their own definition."""
        for attribute in attributes:
            finds, fields = sets_attribute(attribute), has_field(attribute)
            for path in self._with(attribute):
                for statement in self._mentioning(path, attribute):
                    if statement.owner and finds(statement):
                        yield statement.owner.name
                    elif fields(statement):
                        yield from sorted(syntax.assigned(statement.node))

    def behind(self, attributes: Iterable[str]) -> Iterator[str]:
        """The attributes that a property or method of one of these names gives back."""
        for attribute in attributes:
            for path in self._with(attribute):
                for statement in self._mentioning(path, attribute):
                    node = statement.node
                    if statement.owner and isinstance(node, syntax.Function) and node.name == attribute:
                        gives = (n.value for n in ast.walk(node) if isinstance(n, ast.Return) and n.value)
                        inside = (n for value in gives for n in ast.walk(value))
                        yield from (n.attr for n in inside if isinstance(n, ast.Attribute))

    def class_of(self, name: str) -> Iterator[ValueOrigin]:
        """Where objects of a class are made, and its constructor, or else its outline."""
        yield from self.each(name, calls(name), f"makes a {name}")
        for path in self._with(name):
            for statement in self._mentioning(path, name):
                node = statement.node
                if isinstance(node, ast.ClassDef) and node.name == name:
                    constructor = syntax.member(node, "__init__")
                    lines = (
                        list(syntax.span(constructor)) if constructor else sorted(syntax.outline_lines(node))
                    )
                    yield ValueOrigin(path, frozenset(lines[:STATEMENT_LINES]), f"constructor of {name}")

    def table(self, name: str) -> Iterator[ValueOrigin]:
        """What writes a table; where a function writes what it is told to, who tells it."""
        kind, _, sql = name.partition(" ")
        if sql:
            yield from self.each(sql, writes_sql(sql), f"writes the table {sql}")
            return
        if not self._is_global(kind):
            return
        finds = changes_table(kind)
        yield from self.each(kind, finds, f"writes {kind}")
        for path in self._with(kind):
            for statement in self._mentioning(path, kind):
                if statement.function and finds(statement):
                    for writer in self._around(path, statement.function):
                        yield from self.each(writer, calls(writer), f"has {writer} write {kind}")

    def arguments(self, caller: CodePosition) -> Iterator[ValueOrigin]:
        """What made the arguments at the line of a caller, and what it called: the functions that returned
        them, and the classes that they are of."""
        tree = self.repository.tree(caller.path)
        function = syntax.enclosing(tree, caller.line)[0] if tree else None
        statement = syntax.statement_at(function or tree, caller.line) if tree else None
        if statement is None:
            return
        calls_made = [node for node in ast.walk(statement) if isinstance(node, ast.Call)]
        given: list[ast.AST] = [argument for call in calls_made for argument in arguments_of(call)]
        names = {name for part in (*given, *(c.func for c in calls_made)) for name in syntax.names_in(part)}
        given += _given_to(function, names)
        for maker in dict.fromkeys(called(node) for value in given for node in ast.walk(value)):
            if maker:
                yield from self.each(maker, defines(maker), f"{maker} returned an argument", most=2)
                yield from self.around(maker)
        yield from self._kept(given)
        for name in dict.fromkeys(name for value in given for name in sorted(syntax.names_in(value))):
            yield from self.outline_of(name)

    def _kept(self, values: Sequence[ast.AST]) -> Iterator[ValueOrigin]:
        """What put there what these values are taken from."""
        nodes = [node for value in values for node in ast.walk(value)]
        for key in dict.fromkeys(filter(None, map(constant_key, nodes))):
            yield from self.each(key, sets_key(key), f"sets or removes the key {key!r}", most=2)
        for table in dict.fromkeys(name for value in values for name in _taken_from(value)):
            yield from self.table(table)

    def around(self, function: str) -> Iterator[ValueOrigin]:
        """What decorates a function: it may return something else."""
        for path in self._with(function):
            for statement in self._of(path):
                node = statement.node
                if isinstance(node, syntax.Function) and node.name == function:
                    for decorator in filter(None, map(_name_of, node.decorator_list)):
                        yield from self.each(decorator, defines(decorator), f"decorates {function}", most=1)

    def outline_of(self, name: str) -> Iterator[ValueOrigin]:
        """A class that is named without being made, such as an enumeration: its attributes."""
        for path in self._with(name):
            for statement in self._mentioning(path, name):
                node = statement.node
                if isinstance(node, ast.ClassDef) and node.name == name:
                    lines = sorted(syntax.outline_lines(node))[:STATEMENT_LINES]
                    yield ValueOrigin(path, frozenset(lines), f"{name} is an argument")

    def _is_global(self, name: str) -> bool:
        """Whether own code gives this name a value at the level of a module."""
        trees = (self.repository.tree(path) for path in self._with(name))
        return any(name in syntax.assigned(node) for tree in trees if tree for node in tree.body)

    def _around(self, path: str, function: syntax.Function) -> list[str]:
        """Names of a function and of those that it lies in."""
        tree = self.repository.tree(path)
        nodes = ast.walk(tree) if tree else iter(())
        return [n.name for n in nodes if isinstance(n, syntax.Function) and function.lineno in syntax.span(n)]

    def _mentioning(self, path: str, name: str) -> Iterator[Statement]:
        """The statements in whose own lines the name occurs: few of a file are worth a closer look."""
        numbers = [n for n, line in enumerate(self.repository.lines(path), 1) if name in line]
        for statement in self._of(path):
            node = statement.node
            own = syntax.head(node) if hasattr(node, "body") else syntax.span(node)
            if any(number in own for number in numbers):
                yield statement

    def _with(self, name: str) -> list[str]:
        having = (path for path in self._paths if name in (self.repository.text(path) or ""))
        return list(islice(having, _MOST_FILES))

    def _of(self, path: str) -> list[Statement]:
        if path not in self._statements:
            tree = self.repository.tree(path)
            self._statements[path] = list(statements_of(tree.body, None, None)) if tree else []
        return self._statements[path]
