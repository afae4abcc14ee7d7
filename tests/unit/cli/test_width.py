"""What is printed at the width of a terminal: commands in one piece, figures whole."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from typing import Any

import pytest

from functions.core.incidents.incident import Incident, Status
from functions.report_failure.failure import STOPPED_BEFORE
from infra.cli import console
from infra.cli.next_steps import next_steps
from infra.cli.report import IncidentReport, render, steps
from infra.cli.stats import rendered
from infra.stats import to_json
from tests.unit.cli.conftest import Selfheal
from tests.unit.cli.test_stats import RECORDS

FLAG = " --local"
INCIDENT = Incident(
    "orders-v4-cdb94ccd5f2c180f", "v4-c", "orders", Status.FAILED, "KeyError", "KeyError: 'NZ'"
)


@pytest.fixture
def lines() -> Callable[..., list[str]]:
    """What a terminal of 60 columns shows of what the command prints."""

    def printed(*objects: Any, width: int = 60) -> list[str]:
        terminal = type(console.out)(file=StringIO(), width=width, highlight=False)
        terminal.print(*objects)
        assert isinstance(terminal.file, StringIO)
        return terminal.file.getvalue().splitlines()

    return printed


@pytest.mark.parametrize("status", Status)
def test_every_next_command_is_one_line_wherever_it_is_printed(
    status: Status, lines: Callable[..., list[str]]
) -> None:
    incident = replace(INCIDENT, status=status)
    for step in next_steps(incident, FLAG):
        for printed in (
            steps(next_steps(incident, FLAG)),
            render(IncidentReport(incident, None, None, None, flag=FLAG)),
        ):
            assert not step.command or f"  {step.command}" in lines(printed)


def test_a_patch_s_lines_are_whole(lines: Callable[..., list[str]]) -> None:
    patch = f"index {'9' * 40}..{'b' * 40} 100644\n-x\n+y\n"
    assert patch.splitlines()[0] in lines(render(IncidentReport(INCIDENT, None, patch, None)))


def test_a_sentence_is_broken_and_one_with_a_command_is_not(lines: Callable[..., list[str]]) -> None:
    sentence = "Far more words than one line of such a narrow terminal could ever hold at once."
    again = (
        "6 incidents ended without a fix. To start over: selfheal retry --app orders --status closed --local"
    )
    assert len(lines(sentence)) > 1
    assert lines(console.plain(sentence) + console.plain("!")) != [f"{sentence}!"]
    assert lines(again) == lines(console.plain(again)) == [again]


@pytest.mark.parametrize(
    ("advice", "told"),
    [
        (
            "Raise the budget, then: selfheal retry orders-1",
            "Raise the budget, then: selfheal retry --local orders-1",
        ),
        ("Let it go on: selfheal apps resume orders", "Let it go on: selfheal apps resume --local orders"),
        ("Read the traceback.", "Read the traceback."),
    ],
)
def test_advice_names_its_commands_as_they_act_on_the_same_target(
    advice: str, told: str, lines: Callable[..., list[str]]
) -> None:
    incident = replace(INCIDENT, status=Status.ABSTAINED, next_action=advice)
    assert told in lines(render(IncidentReport(incident, None, None, None, flag=FLAG)))


def test_what_was_stopped_goes_on_by_the_command_that_lets_it() -> None:
    stopped = replace(INCIDENT, reason=f"{STOPPED_BEFORE}CommitPatch: a storm.", next_action="selfheal start")
    assert [step.command for step in next_steps(stopped, FLAG)] == ["selfheal start --local"]


def test_a_merged_fix_is_deployed_and_what_comes_back_starts_another_heal() -> None:
    merged = replace(
        INCIDENT, status=Status.MERGED, merge_sha="c" * 40, last_seen="2026-11-20T10:00:00.000+00:00"
    )
    assert [step.command for step in next_steps(merged, FLAG)] == ["selfheal local deploy orders"]
    assert next_steps(merged)[1].command == f"selfheal configure orders --set revision={'c' * 40}"
    runs = replace(merged, fix_runs_since="2026-11-20T11:00:00.000+00:00")
    assert "stayed away" in next_steps(runs)[0].why
    draining = replace(runs, last_seen="2026-11-20T11:10:00.000+00:00")
    assert "seen again after 11:20 UTC" in next_steps(draining)[0].why
    back = replace(runs, last_seen="2026-11-20T12:00:00.000+00:00")
    assert "another heal starts" in next_steps(back)[0].why


@pytest.mark.parametrize(("width", "share"), [(80, "3 of 5"), (200, "3 (60% of 5)")])
def test_no_figure_of_what_came_of_heals_is_cut(
    width: int, share: str, lines: Callable[..., list[str]]
) -> None:
    shown = "\n".join(lines(rendered(to_json(RECORDS), width), width=width))
    assert (share in shown, "…" in shown) == (True, False)


def test_no_figure_of_what_it_costs_is_cut(selfheal: Selfheal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infra.cli.cost.out", type(console.out)(width=80, highlight=False))
    figures = selfheal("cost", "--json").document["lines"]
    text = selfheal("cost").text
    assert [line["what"] for line in figures if f"{line['quantity']:,.1f}" not in text] == []
    assert "…" not in text


def test_what_an_app_only_observes_is_healed_in_a_higher_mode() -> None:
    held = replace(INCIDENT, status=Status.SUPPRESSED, reason="orders only observes errors of class code")
    first, then = (step.command for step in next_steps(held, FLAG))
    assert (first, then) == (
        "selfheal configure orders --set mode=diagnose --local",
        f"selfheal retry {held.incident_id} --local",
    )
