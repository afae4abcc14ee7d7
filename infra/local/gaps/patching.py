"""How a gap replaces MiniStack's functions."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import Any

Execution = dict[str, Any]
"""MiniStack's record of a Step Functions execution."""

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


def answer_json(payload: dict[str, Any]) -> Response:
    response: Response = service("core.responses").json_response(payload)
    return response


def answer_error(code: str, message: str) -> Response:
    """An error that the SDK raises as the exception named `code`."""
    response: Response = service("core.responses").error_response_json(code, message, 400)
    return response
