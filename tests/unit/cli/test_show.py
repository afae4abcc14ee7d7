"""`selfheal show`: what is said of an incident in the terminal."""

from __future__ import annotations

from io import StringIO

from rich.console import Console

from functions.core.incidents.incident import Incident, Status
from infra.cli.report import IncidentReport, render

INCIDENT = Incident("orders-1", "1", "orders", Status.HEALING, "KeyError", "KeyError: 'NZ'")
SOURCE = {"base_sha": "c" * 40, "reason": "the app's entry names it"}


def shown(source: dict[str, object] | None) -> str:
    console = Console(file=StringIO(), width=160)
    console.print(render(IncidentReport(INCIDENT, None, None, None, source=source)))
    assert isinstance(console.file, StringIO)
    return " ".join(console.file.getvalue().split())


def test_it_says_what_the_app_runs_on_and_why() -> None:
    python = {"version": "3.12", "why": ".python-version names 3.12.4"}
    assert "python 3.12 .python-version names 3.12.4" in shown({**SOURCE, "python": python})


def test_what_was_fetched_before_that_was_looked_for_is_shown_without() -> None:
    assert f"base {'c' * 40} the app's entry names it" in shown({**SOURCE})
    assert "python" not in shown({**SOURCE})
    assert "python" not in shown(None)
