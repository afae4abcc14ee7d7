"""How a gap replaces MiniStack's functions."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import Any

Response = tuple[int, dict[str, str], bytes]
"""What a MiniStack handler answers: status, headers, body."""


def service(name: str) -> ModuleType:
    """A module of MiniStack (`services.stepfunctions`), which has no type information."""
    return import_module(f"ministack.{name}")


def replace(module: ModuleType, **functions: Any) -> None:
    """Replace functions of a MiniStack module by name.

    Raises AttributeError for a name the module does not have: upstream has changed, and a silent no-op would
    leave the gap open.
    """
    for name, function in functions.items():
        getattr(module, name)
        setattr(module, name, function)
