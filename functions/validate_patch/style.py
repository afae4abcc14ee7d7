"""The repository's own style: what a patch changes is laid out by the formatters that the repository
configures, before it is proven, so that its own checks have nothing to object to.

A formatter reads the file and its settings and runs nothing of either; it gets a folder of its own, a time
limit, and nothing in its environment. Where it fails, or would change more than layout, the patch stays as it
was: style is no reason to lose a fix.
"""

from __future__ import annotations

import ast
import configparser
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from functions.core.source import engine
from functions.validate_patch.diff import Opcode, changed_lines, lines_of, opcodes
from functions.validate_patch.tree import Change, File, Tree, changes_between

_SECONDS = 10
_SETTINGS = (
    "pyproject.toml",
    "ruff.toml",
    ".ruff.toml",
    "setup.cfg",
    "tox.ini",
    ".style.yapf",
    ".isort.cfg",
    ".editorconfig",
)
_PRE_COMMIT = ".pre-commit-config.yaml"


@dataclass(frozen=True, slots=True)
class Formatter:
    """A program that lays a file out in place. It is configured where pre-commit has one of its hooks, where
    pyproject.toml has its table, an INI file its section, or where one of its files is."""

    name: str
    arguments: tuple[str, ...]
    """Of the module of that name."""
    hooks: tuple[str, ...]
    table: tuple[str, ...]
    sections: tuple[str, ...] = ()
    files: tuple[str, ...] = ()


# Imports first, as everybody runs them. A table [tool.ruff] alone may be of the linter.
FORMATTERS = (
    Formatter("isort", ("--quiet",), ("isort",), ("isort",), ("isort",), (".isort.cfg",)),
    Formatter("black", ("--quiet",), ("black", "black-jupyter"), ("black",)),
    Formatter("ruff", ("format", "--no-cache", "--force-exclude"), ("ruff-format",), ("ruff", "format")),
    Formatter("yapf", ("--in-place",), ("yapf",), ("yapf",), ("yapf",), (".style.yapf",)),
    Formatter("autopep8", ("--in-place",), ("autopep8",), ("autopep8",), ("autopep8",)),
)


def in_style(before: Tree, after: Tree) -> tuple[Tree, tuple[str, ...]]:
    """`after` with the lines that differ from `before` laid out, and the names of the formatters that did it.
    Lines that do not differ stay as they are, but where the whole file was in that style before."""
    names: dict[str, None] = {}
    laid_out = dict(after)
    used = configured(before)
    for change in changes_between(before, after) if used else ():
        if not change.path.endswith(".py") or change.after is None or change.after.binary:
            continue
        for formatter in used:
            now = laid_out[change.path]
            file = _laid_out(formatter, before, Change(change.path, change.before, now), now)
            if file != now:
                laid_out[change.path] = file
                names[formatter.name] = None
    return laid_out, tuple(names)


def configured(tree: Tree) -> list[Formatter]:
    """The formatters that the repository configures, in the order in which they run."""
    hooks, sections = _hooks(tree), _sections(tree)
    tool = _toml(tree, "pyproject.toml").get("tool")
    ruff = {**_toml(tree, "ruff.toml"), **_toml(tree, ".ruff.toml")}
    tables = {**(tool if isinstance(tool, dict) else {}), **({"ruff": ruff} if ruff else {})}
    return [
        formatter
        for formatter in FORMATTERS
        if hooks & set(formatter.hooks)
        or _has(tables, formatter.table)
        or sections & set(formatter.sections)
        or any(name in tree for name in formatter.files)
    ]


def _has(tables: Any, names: tuple[str, ...]) -> bool:
    for name in names:
        if not isinstance(tables, dict) or name not in tables:
            return False
        tables = tables[name]
    return True


def _toml(tree: Tree, path: str) -> dict[str, Any]:
    try:
        return tomllib.loads(tree[path].data.decode()) if path in tree else {}
    except ValueError:
        return {}


def _hooks(tree: Tree) -> set[str]:
    """The ids of pre-commit's hooks."""
    import yaml  # type: ignore[import-untyped]  # has no types of its own

    try:
        settings = yaml.safe_load(tree[_PRE_COMMIT].data) if _PRE_COMMIT in tree else None
        return (
            {hook["id"] for repository in settings["repos"] for hook in repository["hooks"]}
            if settings
            else set()
        )
    except (yaml.YAMLError, UnicodeError, LookupError, TypeError, RecursionError):
        return set()


def _sections(tree: Tree) -> set[str]:
    found: set[str] = set()
    for path in ("setup.cfg", "tox.ini"):
        parser = configparser.RawConfigParser(strict=False)
        try:
            parser.read_string(tree[path].data.decode() if path in tree else "")
        except (configparser.Error, UnicodeError):
            continue
        # isort's and autopep8's sections, and the names that isort shares with tools before it.
        found |= {section.removeprefix("tool:") for section in parser.sections()}
    return found


def _laid_out(formatter: Formatter, before: Tree, change: Change, file: File) -> File:
    """The file as the formatter would have it. change: with the file as its later side."""
    path, old = change.path, file.data
    new = whole = _formatted(formatter, before, path, old)
    if change.before is not None and whole != old:
        new = _of_lines(old, whole, changed_lines(change).added)
        # What lies further off, such as a sorted import, is due to the change where it was right before.
        if new != whole and _formatted(formatter, before, path, change.before.data) == change.before.data:
            new = whole
    return File(new, file.mode) if new != old and _means_the_same(old, new) else file


def _of_lines(old: bytes, new: bytes, lines: frozenset[int]) -> bytes:
    """The new text where it lays out one of these lines (1-based) of the old one, or stands next to one."""
    before, after = lines_of(old), lines_of(new)

    def touches(code: Opcode) -> bool:
        _, start, end, _, _ = code
        return not lines.isdisjoint(range(start + 1, end + 1) if end > start else (start, start + 1))

    return b"".join(
        line
        for code in opcodes(before, after)
        for line in (after[code[3] : code[4]] if touches(code) else before[code[1] : code[2]])
    )


def _formatted(formatter: Formatter, tree: Tree, path: str, data: bytes) -> bytes:
    """What the formatter makes of a file, which is left as it is where that fails."""
    with tempfile.TemporaryDirectory(prefix="self-heal-") as folder:
        root = Path(folder)
        folders = [parent.as_posix() for parent in PurePosixPath(path).parents]
        for name in (str(PurePosixPath(parent, setting)) for parent in folders for setting in _SETTINGS):
            if name in tree:
                _write(root / name, tree[name].data)
        # By which isort knows what is the repository's own.
        for name in {"/".join(PurePosixPath(other).parts[:2]) for other in tree}:
            if name.endswith(".py"):
                _write(root / name, b"")
            elif not (root / name).exists() and name not in tree:
                (root / name).mkdir(parents=True)
        _write(root / path, data)
        try:
            # Isolated: what lies in that folder must not be taken for a module of the formatter's.
            ran = subprocess.run(
                [sys.executable, "-I", "-m", formatter.name, *formatter.arguments, path],
                cwd=root,
                env={**engine.bare_environment(), "HOME": folder, "XDG_CACHE_HOME": folder},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_SECONDS,
                check=False,
            )
            return (root / path).read_bytes() if ran.returncode == 0 else data
        except (subprocess.TimeoutExpired, OSError):
            return data


def _write(target: Path, data: bytes) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(data)


def _means_the_same(old: bytes, new: bytes) -> bool:
    try:
        return _meaning(old) == _meaning(new)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False


def _meaning(source: bytes) -> tuple[str, list[tuple[str, int, str, str | None]]]:
    """The module without its imports, and what these import: their order is layout."""
    module = ast.parse(source)
    imported = []
    for node in module.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            origin = (node.module or "", node.level) if isinstance(node, ast.ImportFrom) else ("", -1)
            imported += [(*origin, alias.name, alias.asname) for alias in node.names]
    module.body = [node for node in module.body if not isinstance(node, ast.Import | ast.ImportFrom)]
    return ast.dump(module), sorted(imported, key=str)
