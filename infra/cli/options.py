"""Options that several commands share, so that they read the same everywhere."""

from typing import Annotated

import typer

IncidentId = Annotated[str, typer.Argument(metavar="INCIDENT", help="Incident id, or its first characters.")]
Local = Annotated[
    bool,
    typer.Option(
        "--local", envvar="SELFHEAL_LOCAL", help="Act on the embedded run instead of the AWS account."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
