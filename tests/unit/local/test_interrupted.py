"""The embedded run under interruptions: whatever is killed when, nothing is left over, and nothing is lost.

The parts are the real ones; what is deployed to them is one table.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from infra.local.home import forget, own, remember, where, wipe
from infra.local.processes import MARK
from infra.local.run import PARTS, EmbeddedRun
from tests.unit.local.interrupted_up import TABLE

INT, TERM, KILL = signal.SIGINT, signal.SIGTERM, signal.SIGKILL
STAGES = (
    *("0 noted", "model runs", "1 noted", "forge runs", "2 noted"),
    *("aws runs", "3 noted", "deployed", "registered"),
)
BY_SIGNAL = [(stage, by) for stage in STAGES for by in (INT, KILL)]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One folder for all, as people have: each test meets what the one before has left."""
    folder = tmp_path_factory.mktemp("embedded")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(folder / "state"))
        yield folder
        assert finished(folder, "down") == 0
        assert left(folder) == []


def command(home: Path, what: str, stage: str = "") -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.unit.local.interrupted_up", str(home), what, stage],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def finished(home: Path, what: str) -> int:
    with command(home, what) as process:
        return process.wait(120)


def interrupted(home: Path, what: str, stage: str, by: signal.Signals) -> None:
    """Run a command up to a stage, and end it there."""
    with command(home, what, stage) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == f"at {stage}"
        process.send_signal(by)


def left(home: Path) -> list[str]:
    """Processes that belong to a run of this folder, by what they were started with or where they work."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            words = (*process.cmdline(), process.cwd())
            run = process.environ().get(MARK, "")
            known = (home / "run.json").exists() and run and run in (home / "run.json").read_text()
            if known or any(str(home) in word for word in words):
                found.append(f"{process.pid} {' '.join(process.cmdline())}")
    return found


def run_of(home: Path) -> EmbeddedRun:
    run = EmbeddedRun.load(home)
    assert run is not None
    return run


def table(home: Path) -> Any:
    return run_of(home).target().session.resource("dynamodb").Table(TABLE)


@pytest.mark.parametrize(("stage", "by"), BY_SIGNAL, ids=[f"{s} {by.name}" for s, by in BY_SIGNAL])
def test_an_interrupted_up_leaves_nothing_that_down_or_the_next_up_does_not_end(
    home: Path, stage: str, by: signal.Signals
) -> None:
    interrupted(home, "up", stage, by)
    if by is INT and stage != "registered":
        assert left(home) == [], "Ctrl-C ends what it had started"
    assert finished(home, "down") == 0
    assert left(home) == []
    wipe(home)


def test_what_is_forgotten_leaves_no_file_and_nothing_of_others_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("SELFHEAL_HOME", raising=False)
    home = tmp_path / "home"
    of_others = home / "cache" / "pip"
    made = ("aws/state", "forge/me/x.git/HEAD", "forge.log", "run.json", "cache/synth/a/b")
    for path in (of_others, *(home / name for name in made)):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")
    remember(home)
    assert where() == home

    forget(home)
    assert [path for path in home.rglob("*") if path.is_file()] == [of_others]
    assert not [path for path in (tmp_path / "state").rglob("*") if path.is_file()]
    of_others.unlink()
    forget(home)
    assert not home.exists()


def test_each_installation_finds_its_own_run_from_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("SELFHEAL_HOME", raising=False)
    monkeypatch.chdir(tmp_path)
    found = {}
    for name in ("one", "other"):
        monkeypatch.setattr(sys, "prefix", name)
        (tmp_path / name).mkdir()
        (tmp_path / name / "run.json").write_text("{}")
        remember(tmp_path / name)
    for name in ("one", "other", "third"):
        monkeypatch.setattr(sys, "prefix", name)
        found[name] = where()
    assert found == {"one": tmp_path / "one", "other": tmp_path / "other", "third": own()}


@pytest.fixture(scope="module")
def running(home: Path) -> Path:
    """The folder with a run that is ready, and one incident."""
    assert finished(home, "up") == 0
    table(home).put_item(Item={"incident_id": "first"})
    return home


@pytest.mark.parametrize("by", [TERM, KILL], ids=["TERM", "KILL"])
@pytest.mark.parametrize("parts", [*((part,) for part in PARTS), PARTS], ids=" ".join)
def test_a_part_that_dies_is_started_again_where_it_was_and_with_what_it_held(
    running: Path, parts: tuple[str, ...], by: signal.Signals
) -> None:
    before = run_of(running)
    name = f"just before {' '.join(parts)} {by.name}"
    table(running).put_item(Item={"incident_id": name})
    known = {item["incident_id"] for item in table(running).scan()["Items"]}
    for part in parts:
        os.kill(before.processes[part].pid, by)
        psutil.wait_procs(filter(None, [before.processes[part].find()]), timeout=60)
    assert finished(running, "up") == 0
    after = run_of(running)
    assert (after.dead, after.id, after.ports) == ((), before.id, before.ports)
    kept = [part for part in PARTS if after.processes[part] == before.processes[part]]
    assert kept == [part for part in PARTS if part not in parts], "what runs is left alone"
    assert {item["incident_id"] for item in table(running).scan()["Items"]} == known
    assert name in known


@pytest.mark.parametrize("by", [INT, KILL], ids=["INT", "KILL"])
def test_an_interrupted_down_is_finished_by_the_next_one_and_loses_nothing(
    running: Path, by: signal.Signals
) -> None:
    interrupted(running, "down", "one ended", by)
    assert finished(running, "down") == 0
    assert left(running) == []
    assert finished(running, "up") == 0
    assert "first" in {item["incident_id"] for item in table(running).scan()["Items"]}


def test_two_ups_at_once_are_one_run(running: Path) -> None:
    assert finished(running, "down") == 0
    with command(running, "up") as one, command(running, "up") as other:
        said = [process.communicate(timeout=120)[0] for process in (one, other)]
    assert said[0] == said[1] == f"{run_of(running).id}\n"
    assert len([line for line in left(running) if "infra.local.emulator" in line]) == 1
