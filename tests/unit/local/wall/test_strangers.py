"""What code of strangers gets hold of that is run as a program behind the wall: nothing."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.local.wall.program import WallLimits, run
from tests import strangers

PYTHON = os.path.realpath(sys.executable)
SOURCE = Path(strangers.__file__).read_text()


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[dict[str, Any]]:
    """Things outside that an attempt could reach, were there no wall."""
    canary = tmp_path / "canary"
    canary.write_text("secret")
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.socket(socket.AF_UNIX) as abstract,
        socket.socket(socket.AF_UNIX) as named,
    ):
        abstract.bind(f"\0self-heal-{os.getpid()}")
        abstract.listen()
        named.bind(str(tmp_path / "socket"))
        named.listen()
        yield {
            "file": str(canary),
            "port": listener.getsockname()[1],
            "abstract": f"self-heal-{os.getpid()}",
            "socket": str(tmp_path / "socket"),
            "pid": os.getpid(),
            "shared": 0x5E1F,
        }


def walled(given: dict[str, Any]) -> dict[str, str]:
    ended = run(
        [PYTHON, "-I", "-c", SOURCE, json.dumps(given)],
        stdin=b"",
        readable=[Path(sys.base_prefix)],
        env={},
        limits=WallLimits(seconds=60),
        output_limit=1 << 20,
    )
    assert ended.exit_code == 0, ended
    found: dict[str, str] = json.loads(ended.stdout)
    return found


def test_nothing_outside_is_reached_from_behind_the_wall(outside: dict[str, Any]) -> None:
    found = walled(outside)
    assert len(found) >= 40
    assert {name: got for name, got in found.items() if got} == {}


def test_a_second_run_finds_nothing_of_the_first(outside: dict[str, Any]) -> None:
    assert [walled(outside)[name] for name in ("what_an_earlier_run_left_in_tmp",) for _ in range(2)] == [
        "",
        "",
    ]


def test_the_harmless_ones_succeed_where_there_is_no_wall(outside: dict[str, Any]) -> None:
    secret = {"AWS_SECRET_ACCESS_KEY": "x", "PATH": os.environ["PATH"]}
    # A parent with a secret, as a function is; it waits for the child without one.
    parent = "import subprocess, sys; sys.exit(subprocess.run(sys.argv[1:], env={}).returncode)"
    command = [
        PYTHON,
        "-I",
        "-c",
        parent,
        PYTHON,
        "-I",
        "-c",
        SOURCE,
        json.dumps(outside | {"pid": os.getpid()}),
    ]
    ran = subprocess.run(command, env=secret, capture_output=True, check=True)
    found = json.loads(ran.stdout)
    assert len(found) >= 10
    assert [name for name, got in found.items() if not got] == []
