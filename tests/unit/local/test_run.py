"""Starting the embedded run."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.errors import UserError
from infra.local import run
from infra.local.wall import program


def test_where_functions_cannot_be_held_nothing_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> str:
        raise program.Unprotected("code cannot be walled in here")

    monkeypatch.setattr(program, "holds", refuse)
    with pytest.raises(UserError, match="cannot be walled in here"):
        run.start(tmp_path)
    assert list(tmp_path.iterdir()) == []
