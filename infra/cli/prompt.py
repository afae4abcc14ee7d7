"""`prompt`: exactly what a model was sent for an attempt of a heal, and how many tokens each part took."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer
from rich.rule import Rule
from rich.table import Table

from functions.core.notify.counts import counted
from functions.core.workflow.artifacts import Artifact
from functions.core.workflow.heal import Heal
from infra.cli.connect import connect
from infra.cli.console import out, plain, print_document
from infra.cli.options import AsJson, IncidentId, Local
from infra.errors import UserError


def prompt(
    incident_id: IncidentId,
    attempt: Annotated[
        int | None, typer.Option(min=1, help="Which attempt of the last heal; the last one if not given.")
    ] = None,
    local: Local = False,
    as_json: AsJson = False,
) -> None:
    """Show what the model was sent: every word of it, and the tokens of each part."""
    target = connect(local)
    incident = target.incident(incident_id)
    last = max(incident.attempts, 1)
    heal_id = incident.execution_arn.rsplit(":", 1)[-1]
    heal = Heal(incident.incident_id, incident.app, heal_id, attempt or last)
    sent = target.artifacts.find_json(heal.attempt_key(Artifact.PROMPT)) if heal_id else None
    if sent is None:
        asked = f"attempt {heal.attempt} of " if heal_id else ""
        raise UserError(
            f"{asked}{incident.incident_id}: nothing was sent to a model",
            f"see what became of it with: selfheal history {incident.incident_id}{target.flag}",
        )
    answer = target.artifacts.find_json(heal.attempt_key(Artifact.ANSWER)) or {"conversations": []}
    later = [message for said in answer["conversations"] for message in said["sent"]]
    document = {"attempt": heal.attempt, **sent, "sent_later": later}
    if as_json:
        print_document("prompt/1", document)
    else:
        _show(document)


def _show(document: dict[str, Any]) -> None:
    billed = document.get("counted_tokens")
    exact = f", {billed:,} as the provider counts" if billed else ""
    tokens = counted(document["tokens"], "token")
    head = f"attempt {document['attempt']}, {document['model']}, about {tokens}{exact}"
    out.print(plain(head, "bold"), soft_wrap=True)
    table = Table(box=None, pad_edge=False, padding=(0, 2))
    table.add_column("tokens", justify="right")
    table.add_column("part", overflow="fold")
    for part in document["parts"]:
        table.add_row(f"{part['tokens']:,}", plain(part["part"]))
    out.print(table)
    for name, text in (
        ("system", document["system"]),
        ("tools", json.dumps(document.get("tools", []), indent=1)),
        ("user", document["user"]),
        *_later(document["sent_later"]),
    ):
        out.print(Rule(plain(name), align="left", style="dim"))
        out.print(plain(text), soft_wrap=True)


def _later(messages: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """What was sent after the first message: what was looked up, and what was wrong with an answer."""
    found = []
    for message in messages:
        for block in message["content"]:
            result = block.get("toolResult", {"content": [block]})
            found += [("sent later", part["text"]) for part in result["content"] if "text" in part]
    return found
