"""The picture in the README is the workflow's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.statemachine.diagram import mermaid

README = Path(__file__).parents[2] / "README.md"


def test_readme_shows_the_workflow_as_it_is(definition: dict[str, Any]) -> None:
    assert f"```mermaid\n{mermaid(definition)}```" in README.read_text(), (
        "paste the output of: python -m tests.statemachine.diagram"
    )


def test_every_state_and_every_label_is_drawn(definition: dict[str, Any]) -> None:
    picture = mermaid(definition)

    assert all(name in picture for name in definition["States"])
    assert '  IsValid -- "rejected or asked back, tries left" --> ProposePatch\n' in picture
    assert '  Healed(["Healed"])\n' in picture
