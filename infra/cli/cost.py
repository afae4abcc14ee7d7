"""`cost`: what a month costs, line by line, before it is deployed."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer
from rich.table import Table

from functions.core.model.models import default_model
from functions.core.model.prices import LISTED
from infra.cli.connect import region
from infra.cli.console import err, out, plain, print_document
from infra.cli.options import AsJson, Local, complete_model
from infra.cost.estimate import Load, bill
from infra.errors import Exit, UserError

# Assumed of one heal, with an attempt or two: `selfheal show` says what each really took.
_TOKENS_IN, _TOKENS_OUT = 6_000, 3_000


def cost(
    errors: Annotated[int, typer.Option(min=0, help="Errors that services log within the month.")] = 100_000,
    unique: Annotated[int, typer.Option(min=0, help="Different ones among them: so many heals.")] = 100,
    tokens_in: Annotated[
        int, typer.Option(min=0, help="Tokens that a heal's model calls read.")
    ] = _TOKENS_IN,
    tokens_out: Annotated[
        int, typer.Option(min=0, help="Tokens that they write, thinking included.")
    ] = _TOKENS_OUT,
    model: Annotated[
        str,
        typer.Option(
            help="Bedrock model or profile [the region's geography's].", autocompletion=complete_model
        ),
    ] = "",
    apps: Annotated[int, typer.Option(min=0, help="Registered apps.")] = 1,
    local: Local = False,
    as_json: AsJson = False,
) -> None:
    """What a deployment costs in a month, line by line, at list prices and without free tiers.

    The embedded run costs nothing: with `--local`, what the same would cost at AWS in its region.
    """
    if unique > errors:
        raise UserError(
            f"--unique {unique} is more than --errors {errors}",
            "each heal needs an error",
            exit_code=Exit.USAGE,
        )
    found = bill(Load(errors, unique, tokens_in, tokens_out, model or _default(local), apps))
    if as_json:
        rows = [asdict(line) | {"usd": round(line.usd, 4)} for line in found.lines]
        dates = {"prices_read": f"{found.prices_read}", "measured": f"{found.measured}"}
        totals = {"usd": round(found.usd, 2), "models_usd": round(found.models_usd, 2)}
        totals["rotation_usd"] = found.rotation_usd
        totals["usd_from_third_year"] = round(found.usd_by_year[-1], 2)
        print_document("cost/1", {"region": found.region, **dates, **totals, "lines": rows})
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    # Words go on in another line where they must; figures are never cut.
    for column in ("service", "what"):
        table.add_column(column, overflow="fold")
    for column, side in (
        ("quantity", "right"),
        ("unit", "left"),
        ("USD per unit", "right"),
        ("USD", "right"),
    ):
        table.add_column(column, justify=side, no_wrap=True)  # type: ignore[arg-type]  # of the two sides
    for line in found.lines:
        price = f"{line.price:.10f}".rstrip("0").rstrip(".")
        cells = (line.service, line.what, f"{line.quantity:,.1f}", line.unit, price, f"{line.usd:,.2f}")
        table.add_row(*map(plain, cells))
    out.print(table)
    first, second, later = found.usd_by_year
    out.print(
        plain(f"\n${first:,.2f} a month, of which models ${found.models_usd:,.2f}", "bold")
        + plain(f"; ${second:,.2f} in the second year, and ${later:,.2f} from the third on", "bold")
    )
    out.print(
        plain(
            f"List prices of {found.region}, read {found.prices_read}; what a delivery and a heal use was"
            f" measured {found.measured}. The key is rotated each year: the first and the second time add"
            f" ${found.rotation_usd:g} a month each, later ones nothing.",
            "dim",
        ),
        soft_wrap=True,
    )
    if local:
        out.print(plain("The embedded run itself costs nothing: this is what AWS would charge.", "dim"))
    if model and not LISTED.known(model):
        err.print(plain(f"note: nobody lists {model}: it is reckoned as the dearest", "yellow"))


def _default(local: bool) -> str:
    here = "us-east-1" if local else region() or "us-east-1"
    if found := default_model(here):
        return found
    raise UserError(f"{here} has no default model", "name one: --model MODEL", exit_code=Exit.USAGE)
