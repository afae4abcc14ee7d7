"""What a run left is removed before the next one, and nothing of anybody else's."""

from __future__ import annotations

from pathlib import Path

import pytest

from functions.harness import litter
from functions.harness.litter import Litter


@pytest.fixture
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stands for the memory that all processes of a machine may share by name."""
    folder = tmp_path / "shared"
    folder.mkdir()
    monkeypatch.setattr(litter, "_SHARED", folder)
    return folder


@pytest.mark.parametrize("alone", [True, False])
def test_what_came_goes_and_what_was_there_stays(tmp_path: Path, shared: Path, alone: bool) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    (temporary / "before").write_text("")
    (shared / "before").write_text("")
    left = Litter(temporary, alone)
    (temporary / "run").mkdir()
    (temporary / "run/file").write_text("")
    (temporary / "link").symlink_to("/etc")
    (shared / "came").write_text("")
    left.clear()
    assert [path.name for path in temporary.iterdir()] == ["before"]
    assert (shared / "before").exists()
    assert (shared / "came").exists() is not alone, "on a shared machine it may be another program's"


def test_the_driver_s_own_stays(tmp_path: Path) -> None:
    left = Litter(tmp_path, alone=False)
    home = tmp_path / "home"
    home.mkdir()
    (home / "repo").write_text("")
    left.keep(home)
    (home / "run").write_text("")
    left.clear()
    assert (home / "repo").exists()
    assert not (home / "run").exists()
