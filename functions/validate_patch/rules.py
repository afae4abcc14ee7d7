"""The rules a patch is held to: the app's registry entry, and what the repository says of itself.

`.selfheal.toml`, or `[tool.selfheal]` in `pyproject.toml` (a patch can change neither):

    python        = "3.12"
    test_command  = ["python", "-m", "pytest", "tests/unit"]
    allowed_paths = ["src/**/*.py", "tests/**/*.py"]
    accept        = {invented_default = "prices of unknown products are zero by contract"}
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Self

from functions.core.app import App
from functions.validate_patch.tree import Tree


@dataclass(frozen=True, slots=True)
class Rules:
    """What may be touched, how the tests run, and which honesty rules this app accepts, and why."""

    allowed_paths: tuple[tuple[str, ...], ...]
    """Lists of globs; a path must match one of each list."""
    test_command: tuple[str, ...] = ()
    accepted: Mapping[str, str] = field(default_factory=dict)
    """Rule name → the reason recorded for accepting its findings."""
    python: str = ""
    """The Python version that the repository names, such as "3.12"; "" for the one that runs this."""
    problem: str = ""
    """Why the repository's own settings could not be read; they are then ignored, and it is said."""

    @classmethod
    def of(cls, app: App, tree: Tree) -> Self:
        """The app's rules, narrowed by the repository's."""
        settings, problem = _settings(tree)
        paths = (
            app.allowed_paths,
            *([tuple(settings["allowed_paths"])] if "allowed_paths" in settings else []),
        )
        return cls(
            allowed_paths=tuple(paths),
            test_command=app.test_command or tuple(settings.get("test_command", ())),
            accepted=settings.get("accept", {}),
            python=settings.get("python", ""),
            problem=problem,
        )

    def allows(self, path: str) -> bool:
        """Whether a path is among those that a patch may touch."""
        return all(any(_glob(pattern).fullmatch(path) for pattern in globs) for globs in self.allowed_paths)


def _settings(tree: Tree) -> tuple[dict[str, Any], str]:
    for name, keys in ((".selfheal.toml", ()), ("pyproject.toml", ("tool", "selfheal"))):
        if name not in tree:
            continue
        try:
            table: Any = tomllib.loads(tree[name].data.decode())
        except (ValueError, UnicodeDecodeError) as error:
            return {}, f"{name} cannot be read: {error}"
        for key in keys:
            table = table.get(key, {}) if isinstance(table, dict) else {}
        if table:
            return _checked(name, table)
    return {}, ""


def _checked(name: str, table: Any) -> tuple[dict[str, Any], str]:
    settings: dict[str, Any] = {}
    for key in ("test_command", "allowed_paths"):
        value = table.get(key, [])
        if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
            return {}, f"{name}: {key!r} must be a list of strings"
        if key in table:
            settings[key] = value
    python = table.get("python", "")
    if not isinstance(python, str) or not re.fullmatch(r"(?:3\.\d{1,2})?", python):
        return {}, f"{name}: 'python' must be a version such as \"3.12\""
    settings["python"] = python
    accept = table.get("accept", {})
    if not isinstance(accept, dict) or not all(isinstance(v, str) and v.strip() for v in accept.values()):
        return {}, f"{name}: 'accept' must give each rule a reason"
    settings["accept"] = accept
    return settings, ""


@cache
def _glob(pattern: str) -> re.Pattern[str]:
    """`**/` is any number of directories, `*` and `?` stay within one name."""
    regex, rest = "", pattern
    while rest:
        if rest.startswith("**/"):
            regex, rest = regex + "(?:[^/]+/)*", rest[3:]
        elif rest.startswith("**"):
            regex, rest = regex + ".*", rest[2:]
        else:
            char, rest = rest[0], rest[1:]
            regex += {"*": "[^/]*", "?": "[^/]"}.get(char, re.escape(char))
    return re.compile(regex)
