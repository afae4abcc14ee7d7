"""`selfheal show`: what is said of an incident in the terminal."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO

from rich.console import Console

from functions.core.incidents.incident import Frame, Incident, Status
from infra.cli.report import IncidentReport, diff, render

INCIDENT = Incident("orders-1", "1", "orders", Status.HEALING, "KeyError", "KeyError: 'NZ'")
SOURCE = {"base_sha": "c" * 40, "reason": "the app's entry names it"}


def shown(source: dict[str, object] | None, incident: Incident = INCIDENT) -> str:
    console = Console(file=StringIO(), width=160)
    console.print(render(IncidentReport(incident, None, None, None, source=source)))
    assert isinstance(console.file, StringIO)
    return " ".join(console.file.getvalue().split())


def test_it_says_what_the_app_runs_on_and_why() -> None:
    python = {"version": "3.12", "why": ".python-version names 3.12.4"}
    assert "python 3.12 .python-version names 3.12.4" in shown({**SOURCE, "python": python})


def test_what_was_fetched_before_that_was_looked_for_is_shown_without() -> None:
    assert f"read {'c' * 40} the app's entry names it" in shown({**SOURCE})
    assert "python" not in shown({**SOURCE})
    assert "python" not in shown(None)


def test_where_it_failed_is_told_apart_from_another_class_s_function_of_the_same_name() -> None:
    frame = Frame("/app/vat.py", 12, "rate", "return table[country]", True, "")
    told = replace(INCIDENT, frames=(frame,), qualified="Rates.rate", twins={"61": "Fees.rate"})
    assert "where /app/vat.py:12 in Rates.rate: return table[country]" in shown(None, told)
    assert "not line 61 in Fees.rate" in shown(None, told)
    assert "in rate: return" in shown(None, replace(INCIDENT, frames=(frame,)))


def test_words_of_a_patch_that_only_look_alike_are_named_before_it() -> None:
    console = Console(file=StringIO(), width=160)
    console.print(diff("+\u0441\u043e\u0440\u0443 = 1\n"))
    assert isinstance(console.file, StringIO)
    said = "The patch contains words that look Latin, and of which no letter is: \u0441\u043e\u0440\u0443\n"
    assert console.file.getvalue().startswith(said)
