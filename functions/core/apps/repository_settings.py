"""What a repository says of itself to this system.

`.selfheal.toml`, or `[tool.selfheal]` in `pyproject.toml` (a patch can change neither):

    python        = "3.12"
    test_command  = ["python", "-m", "pytest", "tests/unit"]
    allowed_paths = ["src/**/*.py", "tests/**/*.py"]
    accept        = {result_stated = "prices of unknown products are zero by contract"}
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

_PLACES: tuple[tuple[str, tuple[str, ...]], ...] = (
    (".selfheal.toml", ()),
    ("pyproject.toml", ("tool", "selfheal")),
)
PYTHON = re.compile(r"3\.\d{1,2}")
"""A Python version as settings name it."""


@dataclass(frozen=True, slots=True)
class RepositorySettings:
    """The settings that are there; a setting that is not is None, "" or empty."""

    python: str = ""
    test_command: tuple[str, ...] = ()
    allowed_paths: tuple[str, ...] | None = None
    accept: Mapping[str, str] = field(default_factory=dict)
    """Principle → the reason recorded for accepting its findings."""
    problem: str = ""
    """Why the settings could not be read; they are then ignored, and it is said."""

    @classmethod
    def of(cls, read: Callable[[str], bytes | None]) -> Self:
        """The settings among a repository's files. `read`: a file's content, None where there is none."""
        for name, keys in _PLACES:
            content = read(name)
            if content is None:
                continue
            try:
                table: Any = tomllib.loads(content.decode())
            except (ValueError, RecursionError) as error:
                return cls(problem=f"{name} cannot be read: {error}")
            for key in keys:
                table = table.get(key, {}) if isinstance(table, dict) else {}
            if table:
                return cls._checked(name, table)
        return cls()

    @classmethod
    def _checked(cls, name: str, table: Any) -> Self:
        if not isinstance(table, dict):
            return cls(problem=f"{name}: 'tool.selfheal' must be a table")
        for key in ("test_command", "allowed_paths"):
            value = table.get(key, [])
            if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
                return cls(problem=f"{name}: {key!r} must be a list of strings")
        python = table.get("python", "")
        if not isinstance(python, str) or not (python == "" or PYTHON.fullmatch(python)):
            return cls(problem=f"{name}: 'python' must be a version such as \"3.12\"")
        accept = table.get("accept", {})
        if not isinstance(accept, dict) or not all(isinstance(v, str) and v.strip() for v in accept.values()):
            return cls(problem=f"{name}: 'accept' must give each rule a reason")
        allowed = table.get("allowed_paths")
        return cls(
            python=python,
            test_command=tuple(table.get("test_command", ())),
            allowed_paths=None if allowed is None else tuple(allowed),
            accept=accept,
        )
