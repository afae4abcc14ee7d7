"""The evidence for a patch, as the terminal shows it."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from functions.core.workflow.evidence import BEHAVIOUR, Evidence, Result
from infra.cli.console import plain

_MARKS = {
    Result.PASS: Text("✔ pass", style="green"),
    Result.FAIL: Text("✘ fail", style="bold red"),
    Result.NOT_RUN: Text("○ not run", style="bold yellow"),
    Result.QUESTION: Text("? question", style="bold yellow"),
}


def evidence_table(evidence: Evidence) -> RenderableType:
    """What people have to judge, the behaviour table, a row per gate; below it, how the decisive runs
    ended and what could not be proven."""
    table = Table(box=None, padding=(0, 2), pad_edge=False)
    for column in ("gate", "result", "detail"):
        table.add_column(column, style="dim" if column == "gate" else "")
    for gate in evidence.gates:
        table.add_row(gate.gate, _MARKS[gate.result], plain(gate.detail))
    parts: list[RenderableType] = [*_first_of_all(evidence), table]
    if evidence.twice:
        parts += [Text(), plain(evidence.twice, "dim")]
    if build := evidence.build:
        parts += [
            Text(),
            plain(f"The tests ran in CodeBuild project {build.project}. {build.log_url}", "dim"),
        ]
    for gate in evidence.gates:
        if gate.gate == "reproduces":
            for run in gate.runs:
                ended = "stopped" if run.exit_code is None else f"exit code {run.exit_code}"
                tail = "\n".join(run.output.strip().splitlines()[-6:])
                parts += [
                    Text(),
                    plain(f"{run.tree} the patch: {ended}, {run.seconds:.1f} s"),
                    Padding(plain(tail, "dim"), (0, 0, 0, 2)),
                ]
    if evidence.warnings:
        lines = Text("\n").join(plain(f"• {line}") for line in evidence.warnings)
        title = "What to know of this patch, beside the proof"
        parts += [Text(), Panel(lines, title=title, border_style="yellow", title_align="left")]
    if evidence.not_proven:
        lines = Text("\n").join(plain(f"• {line}") for line in evidence.not_proven)
        parts += [Text(), Panel(lines, title="Not proven", border_style="yellow", title_align="left")]
    return Group(*parts)


def _first_of_all(evidence: Evidence) -> Iterator[RenderableType]:
    """What people have to judge, and what the runs showed."""
    if evidence.questions:
        lines = Text("\n").join(plain(f"• {question.said}") for question in evidence.questions)
        yield Panel(lines, title="To be judged by you", border_style="yellow", title_align="left")
        yield Text()
    if evidence.behaviour:
        table = Table(box=None, padding=(0, 2), pad_edge=False)
        for column in ("call", "before", "after", ""):
            table.add_column(column, overflow="fold", style="" if column else "dim")
        for row in evidence.behaviour:
            table.add_row(plain(row.call), plain(row.before), plain(row.after), BEHAVIOUR[row.why])
        yield table
        yield Text()
