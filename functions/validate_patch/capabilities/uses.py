"""What a file uses that a fix may not newly use: one `Use` for each place."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from functions.core.source.syntax_tree import imports_of, nodes_of
from functions.harness.names import is_test
from functions.validate_patch.capabilities import library
from functions.validate_patch.capabilities.known import INPUTS, TAMPERING, Capability, capabilities_of
from functions.validate_patch.capabilities.names import OWN, UNKNOWN, ResolvedNames, is_chained

_SECRET_VARIABLE = re.compile(
    r"(?i)AWS_|.*(?:SECRET|TOKEN|PASSWORD|PASSWD|CREDENTIAL|PRIVATE|API_?KEY|PYTEST).*"
)
_ADDRESS = re.compile(
    r"(?i)\b(?:https?|ftp|wss?|ldap|smtp|file)://[^\s'\"<>]+|\b\d{1,3}(?:\.\d{1,3}){3}\b|(?<![\w.+-])[\w.+-]++@[\w-]++\.[\w.-]++"
)
_ENVIRONMENT = re.compile(r"os\.(?:environb?\b|getenvb?|putenv|unsetenv).*")
_FORMAT_REACH = re.compile(r"\{[^{}]*\.__\w+")
_SYSTEM_PATH = re.compile(
    r"(?:/|~/?)(?:proc|dev|etc|sys|root|home|usr|var|opt|tmp|run|boot|bin|lib\w*)?(?:/.*)?"
)
_TEST_TOOLS = frozenset(
    {"unittest", "pytest", "doctest", "tempfile", "io", "os", "sys", "time", "types", "sqlite3"}
)
_INSECURE = {
    "verify": False,
    "check_hostname": False,
    "shell": True,
    "unsafe_allow_html": True,
    "debug": True,
}
_NAMES_BY_TEXT = ("getattr", "setattr", "delattr")


@dataclass(frozen=True, slots=True)
class Use:
    """Uses of equal key are the same; one that the file had before the patch is nothing new."""

    kind: str
    key: str
    line: int
    text: str


def uses(names: ResolvedNames) -> Iterator[Use]:
    """Every watched construct of a file."""
    finder = _Finder(names)
    for node in nodes_of(names.module):
        yield from finder.of(node)


class _Finder:
    def __init__(self, names: ResolvedNames) -> None:
        self._names = names
        self._test = is_test(names.path)
        self._inner: set[int] = set(names.format_parsers)
        self._called: set[int] = set()
        for node in nodes_of(names.module):
            if isinstance(node, ast.Attribute):
                self._inner.add(id(node.value))
            elif isinstance(node, ast.Call):
                self._called.add(id(node.func))
                if is_chained(node):  # getattr with a name: a chain of its own
                    self._inner.update((id(node.func), id(node.args[0])))

    def of(self, node: ast.AST) -> Iterator[Use]:
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from self._imported(node)
        elif isinstance(node, ast.Name | ast.Attribute | ast.Call) and is_chained(node):
            if id(node) not in self._inner and isinstance(getattr(node, "ctx", ast.Load()), ast.Load):
                yield from self._reference(node)
        elif isinstance(node, ast.Attribute) and id(node) not in self._inner:
            yield from self._named(node, self._names.of(node))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from self._text(node)
        elif isinstance(node, ast.Subscript) and self._names.of(node.value) == "os.environ":
            yield from _variable(node.slice)
        if isinstance(node, ast.Attribute) and TAMPERING.fullmatch(node.attr) and not self._only_names(node):
            yield _use("interpreter", node.attr, node, f"{node.attr} reaches into objects of the interpreter")
        if isinstance(node, ast.Call):
            yield from self._call(node)
        elif isinstance(node, ast.Compare) and any(_is_name(part) for part in (node.left, *node.comparators)):
            yield _use("input", "place", node, "__name__ makes the result depend on where it runs")

    def _imported(self, node: ast.Import | ast.ImportFrom) -> Iterator[Use]:
        for one in imports_of(node):
            name = one.module if isinstance(node, ast.Import) else one.dotted
            resolved = self._names.resolved(name)
            if resolved.startswith(OWN) or one.level:
                continue
            if resolved == "string.Formatter":
                continue  # where it is used, it is seen for what
            found = [*self._powers(resolved, node, f"imports {name}, which")]
            if not found and library.is_standard(resolved) and not self._may(resolved):
                found = [self._unlisted(resolved, node, f"imports {name}")]
            yield from found

    def _reference(self, node: ast.Name | ast.Attribute | ast.Call) -> Iterator[Use]:
        name = self._names.of(node)
        if name == UNKNOWN:
            return
        if self._names.is_module(name):
            if not self._test and not (isinstance(node, ast.Name) and id(node) in self._inner):
                yield _use(
                    "interpreter", f"module {name}", node, f"hands the module {_shown(name)} on as a value"
                )
            return
        if name in _NAMES_BY_TEXT and id(node) not in self._called:
            yield _use("dynamic_code", f"value {name}", node, f"hands {name} on, which reaches names by text")
        yield from self._named(node, name)

    def _named(self, node: ast.expr, name: str) -> Iterator[Use]:
        """What a resolved name is: a power, an input, or a part of the library that is not for fixes."""
        yield from self._powers(name, node, name.removeprefix(f"{UNKNOWN}."))
        if name.startswith((OWN, UNKNOWN)):
            return
        if not self._test:
            for kind, pattern in INPUTS:
                if pattern.fullmatch(name):
                    yield _use(
                        "input", kind, node, f"{name} makes the result depend on when or where it runs"
                    )
            if _ENVIRONMENT.fullmatch(name):
                yield _use(
                    "environment", "environment", node, "reads or changes a variable of the environment"
                )
        if library.is_standard(name) and "." in name and not self._may(name):
            if not any(capabilities_of(name, test=self._test)) and not _ENVIRONMENT.fullmatch(name):
                yield self._unlisted(name, node, f"uses {name}")
        elif "." in name and not library.is_standard(name):
            yield from self._through(name, node)

    def _through(self, name: str, node: ast.expr) -> Iterator[Use]:
        """A module of the standard library that is reached through a package: `package.os`."""
        for part in name.split(".")[1:]:
            plain = part.removeprefix("_")
            if library.is_standard(plain) and not library.is_harmless(plain) and plain in _LEADING_OUT:
                yield _use(
                    "interpreter", name, node, f"{name} reaches the module {plain} through another one"
                )

    def _powers(self, name: str, node: ast.AST, said: str) -> Iterator[Use]:
        if library.is_standard(name) and library.is_error(name):
            return
        for power in capabilities_of(name, test=self._test):
            yield _use(power.name, name, node, f"{said} {power.what}")

    def _may(self, name: str) -> bool:
        if library.is_harmless(name) or library.is_error(name):
            return True
        return self._test and name.partition(".")[0] in _TEST_TOOLS

    def _unlisted(self, name: str, node: ast.AST, said: str) -> Use:
        text = f"{said}, which is not among what a fix may newly use of the standard library"
        return _use("library", name, node, text)

    def _only_names(self, node: ast.Attribute) -> bool:
        """`x.__class__.__name__`, and `__init__` and the like of `super()`, tell what a thing is called."""
        return node.attr == "__class__" and id(node) in self._inner and self._asks_name(node)

    def _asks_name(self, node: ast.Attribute) -> bool:
        return any(
            isinstance(outer, ast.Attribute)
            and outer.value is node
            and outer.attr in ("__name__", "__qualname__")
            for outer in nodes_of(self._names.module)
        )

    def _text(self, node: ast.Constant) -> Iterator[Use]:
        text = str(node.value)
        if _FORMAT_REACH.search(text):
            yield _use("interpreter", text, node, "a format reaches into objects of the interpreter")
        for address in _ADDRESS.findall(text) if not self._test else ():
            yield _use("network", address, node, f"holds the address {address}, which was not there")
        if self._test and re.match(r"/(?:proc|dev)(?:/|$)", text):
            yield _use("interpreter", text, node, f"names {text}, a part of the system that runs the tests")

    def _call(self, node: ast.Call) -> Iterator[Use]:
        name = self._names.of(node.func)
        last = name.rpartition(".")[2]
        if last == "open":
            yield from self._opened(node, name)
        if last in ("open", "read_text", "read_bytes", "Path") and not self._test:
            texts = [
                n.value for n in nodes_of(node) if isinstance(n, ast.Constant) and isinstance(n.value, str)
            ]
            if any(_SYSTEM_PATH.fullmatch(text) for text in texts):
                yield _use("file_system", str(texts), node, f"{name} reads a file of the system")
        if name in ("os.environ.get", "os.getenv") and node.args:
            yield from _variable(node.args[0])
        if name in _NAMES_BY_TEXT and len(node.args) > 1 and not isinstance(node.args[1], ast.Constant):
            yield _use("dynamic_code", name, node, f"{name} reaches a name by text")
        if name in ("getattr", "delattr", "setattr") and len(node.args) > 1:
            attribute = getattr(node.args[1], "value", "")
            if TAMPERING.fullmatch(str(attribute)):
                yield _use("dynamic_code", f"{name} {attribute}", node, f"{name} reaches {attribute}")
        for keyword in node.keywords:
            if (
                keyword.arg in _INSECURE
                and isinstance(keyword.value, ast.Constant)
                and keyword.value.value is _INSECURE[keyword.arg]
            ):
                text = f"{keyword.arg}={keyword.value.value} switches a protection off"
                yield _use("permissions", keyword.arg, node, text)

    def _opened(self, node: ast.Call, name: str) -> Iterator[Use]:
        arguments = [*node.args, *(k.value for k in node.keywords)]
        texts = [a.value for a in arguments if isinstance(a, ast.Constant)]
        if any(type(text) is int for text in texts[:1]):
            yield _use("interpreter", f"{name} descriptor", node, f"{name} opens a descriptor by its number")
        if self._test:
            return
        if any(isinstance(text, str) and _WRITES.fullmatch(text) for text in texts):
            yield _use("file_system", name, node, f"{name} opens a file for writing")
        else:
            yield _use("files", name, node, f"{name} opens a file")


_WRITES = re.compile(r"[rbt]*[wax+][wax+rbt]*")
_LEADING_OUT = frozenset(
    {"os", "sys", "subprocess", "socket", "shutil", "importlib", "builtins", "ctypes", "pickle"}
)


def _is_name(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "__name__"


def _variable(name: ast.expr) -> Iterator[Use]:
    if (
        isinstance(name, ast.Constant)
        and isinstance(name.value, str)
        and _SECRET_VARIABLE.fullmatch(name.value)
    ):
        yield _use("secret", name.value, name, f"reads the secret variable {name.value}")


def reaching_out(name: str) -> Iterator[Capability]:
    """Powers of a resolved name that something outside of the process notices."""
    if not (library.is_standard(name) and library.is_error(name)):
        yield from (power for power in capabilities_of(name, test=False) if power.reaches_out)


def _shown(name: str) -> str:
    return name.removeprefix(OWN)


def _use(kind: str, key: str, node: ast.AST, text: str) -> Use:
    return Use(kind, f"{kind} {key}", getattr(node, "lineno", 0), text)
