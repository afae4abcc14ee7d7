"""The workflow as a Mermaid picture for the README, drawn from the state machine itself."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

DEFINITION = Path(__file__).resolve().parents[2] / "statemachine" / "self_heal.asl.json"

# A Task is a rectangle, which needs no declaration.
_SHAPES = {"Pass": '[/"{}"/]', "Choice": '{{"{}"}}', "Succeed": '(["{}"])', "Wait": '(("{}"))'}


def mermaid(definition: Mapping[str, Any]) -> str:
    """A Mermaid flowchart: a node per state, an arrow per transition, labelled with the rule's comment."""
    states: Mapping[str, Mapping[str, Any]] = definition["States"]
    lines = ["flowchart TD", f"  start((start)) --> {definition['StartAt']}"]
    for name, state in states.items():
        if shape := _SHAPES.get(state["Type"]):
            lines.append(f"  {name}{shape.format(name)}")
    for name, state in states.items():
        lines += [f"  {name} {_arrow(label)} {target}" for label, target in transitions(state)]
    return "\n".join(lines) + "\n"


def transitions(state: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(label, next state) of every way out of a state; the label is "" for an unconditional one."""
    for rule in state.get("Choices", ()):
        yield rule["Comment"], rule["Next"]
    for catcher in state.get("Catch", ()):
        yield ", ".join(catcher["ErrorEquals"]), catcher["Next"]
    if "Default" in state:
        yield "otherwise", state["Default"]
    if "Next" in state:
        yield "", state["Next"]


def _arrow(label: str) -> str:
    return f'-- "{label}" -->' if label else "-->"


if __name__ == "__main__":
    print(mermaid(json.loads(DEFINITION.read_text())), end="")
