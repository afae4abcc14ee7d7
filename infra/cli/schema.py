"""`schema`: the shape of what a command prints with `--json`."""

from __future__ import annotations

from typing import Annotated

import typer

from infra.cli.console import out, plain, print_json
from infra.cli.schemas import SHAPES, schema
from infra.nearest import unknown


def schema_(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME]",
            help="Name of a shape, such as incidents/1; without one, all names.",
            autocompletion=lambda incomplete: [name for name in SHAPES if name.startswith(incomplete)],
        ),
    ] = None,
) -> None:
    """Print the JSON Schema of a document that commands print with `--json`: its field `schema` names it."""
    if name is None:
        for one in SHAPES:
            out.print(plain(one))
        return
    if name not in SHAPES:
        raise unknown("shape", name, SHAPES, "list them with: selfheal schema")
    print_json(schema(name))
