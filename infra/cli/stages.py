"""The option `--stage` of every command that acts on a deployment."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Annotated, Any

import typer

from infra.errors import Exit, UserError
from infra.names import Names

Stage = Annotated[
    str,
    typer.Option(
        envvar="SELFHEAL_STAGE",
        metavar="NAME",
        help="Act on the deployment of this stage, of several in the account.",
    ),
]
_STAGE: ContextVar[str] = ContextVar("stage", default="")


def names() -> Names:
    """Those of the deployment that the command is to act on. Raises UserError for what is no stage."""
    try:
        return Names(_STAGE.get())
    except ValueError as error:
        raise UserError(str(error), "such as: --stage beta", exit_code=Exit.USAGE) from error


@contextmanager
def of(stage: str) -> Iterator[None]:
    """What is done meanwhile is done to the deployment of this stage."""
    before = _STAGE.set(stage)
    try:
        yield
    finally:
        _STAGE.reset(before)


class StagedCommands(typer.Typer):
    """Commands, of which those that may act on this machine, too, take a stage beside it."""

    def command(self, *arguments: Any, **options: Any) -> Callable[[Any], Any]:
        register = super().command(*arguments, **options)
        return lambda function: register(_staged(function))


def _staged(function: Callable[..., Any]) -> Callable[..., Any]:
    signature = inspect.signature(function, eval_str=True)
    if "local" not in signature.parameters:
        return function

    @wraps(function)
    def run(*arguments: Any, stage: str = "", **options: Any) -> Any:
        with of(stage):
            return function(*arguments, **options)

    kind = inspect.Parameter.KEYWORD_ONLY
    added = inspect.Parameter("stage", kind, default="", annotation=Stage)
    run.__signature__ = signature.replace(  # type: ignore[attr-defined]  # what inspect looks for
        parameters=[*signature.parameters.values(), added]
    )
    return run
