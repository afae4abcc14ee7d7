"""The options of a deployment in `cdk.json` mean to `selfheal deploy` what they mean to `cdk`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from infra.cli.deploy import deploy
from infra.errors import UserError
from infra.rollout import toolkit


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    path = tmp_path / "cdk.json"
    monkeypatch.setattr(toolkit, "SETTINGS", path)
    return lambda **context: path.write_text(json.dumps({"context": context}))


@pytest.mark.parametrize(
    ("value", "means"),
    [
        (False, {"option": "false"}),
        (48, {"option": "48"}),
        ("48", {"option": "48"}),
        (["a", "b"], {"option": "a,b"}),
        ([], {"option": ""}),
        (None, {}),
    ],
)
def test_json_becomes_the_text_that_the_command_line_takes(
    value: Any, means: Any, written: Callable[..., int]
) -> None:
    written(option=value)
    assert toolkit.settings() == means


@pytest.mark.parametrize("text", ["{", "[]", '{"context": []}'])
def test_a_file_that_cannot_be_read_is_named(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(toolkit, "SETTINGS", tmp_path / "cdk.json")
    (tmp_path / "cdk.json").write_text(text)
    with pytest.raises(UserError, match=r"cannot read .*cdk\.json"):
        toolkit.settings()


def test_a_stage_that_the_command_does_not_name_is_refused(written: Callable[..., int], aws: None) -> None:
    """The checks, the difference and the deployment would be another stack's than what is synthesised."""
    written(stage="beta")
    with pytest.raises(UserError, match="says stage beta, and the command none"):
        deploy(context=[])
