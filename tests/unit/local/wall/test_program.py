"""A program behind the wall: what it sees, how it ends, and what is left of it."""

from __future__ import annotations

import json
import os
import sys
import threading
from pathlib import Path
from typing import Any

import psutil
import pytest

from infra.local.wall import program, refusals
from infra.local.wall.program import Ended, Unprotected, WallLimits, holds, run
from tests.processes import commands_below

PYTHON = os.path.realpath(sys.executable)


def shell(script: str, **settings: Any) -> Ended:
    defaults: dict[str, Any] = {
        "stdin": b"",
        "readable": [],
        "env": {"PATH": "/usr/bin:/bin"},
        "limits": WallLimits(seconds=30),
        "output_limit": 1 << 20,
    }
    return run(["/bin/sh", "-c", script], **defaults | settings)


def python(source: str, **settings: Any) -> Any:
    """What a program in Python prints as JSON."""
    defaults: dict[str, Any] = {
        "stdin": b"",
        "readable": [Path(sys.base_prefix)],
        "env": {},
        "limits": WallLimits(seconds=30),
        "output_limit": 1 << 20,
    }
    ended = run([PYTHON, "-I", "-c", source], **defaults | settings)
    assert ended.exit_code == 0, ended
    return json.loads(ended.stdout)


def test_input_goes_in_output_and_exit_code_come_out() -> None:
    big = os.urandom(3 << 20)
    ended = shell("cat; echo warned >&2; exit 3", stdin=big, output_limit=8 << 20)
    assert (ended.exit_code, ended.stopped, ended.stderr_tail) == (3, "", "warned\n")
    assert ended.stdout == big


def test_a_signal_is_an_exit_code_as_in_a_shell() -> None:
    assert shell("kill -KILL $$").exit_code == 137


@pytest.mark.parametrize(
    ("script", "settings", "why"),
    [
        ("sleep 60", {"limits": WallLimits(seconds=0.5)}, "time"),
        ("trap '' TERM INT HUP; while :; do sleep 60; done", {"limits": WallLimits(seconds=0.5)}, "time"),
        ("yes", {"output_limit": 1000}, "output"),
        ("yes >&2", {"output_limit": 1000}, "output"),
    ],
)
def test_what_takes_too_much_is_stopped(script: str, settings: dict[str, Any], why: str) -> None:
    ended = shell(script, **settings)
    assert (ended.exit_code, ended.stopped) == (None, why)
    assert len(ended.stdout) <= 1 << 20


def test_everything_that_it_started_is_dead() -> None:
    mark = f"31{os.getpid()}"
    started = shell(f"sleep {mark} & setsid sleep {mark} & (sleep {mark} &); exit 0")
    assert started.exit_code == 0
    assert not [p for p in psutil.process_iter(["cmdline"]) if (p.info["cmdline"] or [])[1:] == [mark]]


def test_when_nobody_waits_any_more_everything_ends() -> None:
    mark = f"32{os.getpid()}"
    supervisor: list[psutil.Process] = []

    def kill_the_caller_of(parent: psutil.Process) -> None:
        while not (found := [c for c, command in commands_below(parent) if command[1:] == [mark]]):
            pass
        supervisor.extend(found)
        parent.kill()

    source = (
        "from infra.local.wall.program import *\n"
        f"run(['/bin/sleep', '{mark}'], "
        "stdin=b'', readable=[], env={}, limits=WallLimits(), output_limit=1)"
    )
    caller = psutil.Popen([sys.executable, "-c", source], cwd=Path(__file__).parents[4])
    watcher = threading.Thread(target=kill_the_caller_of, args=(psutil.Process(caller.pid),))
    watcher.start()
    caller.wait()
    watcher.join()
    gone, alive = psutil.wait_procs(supervisor, timeout=30)
    assert (len(gone), alive) == (1, [])


def test_it_sees_its_environment_its_files_and_nothing_else(tmp_path: Path) -> None:
    shown, hidden = tmp_path / "shown", tmp_path / "hidden"
    for path in (shown, hidden):
        path.mkdir()
        (path / "file").write_text(path.name)
    source = (
        "import json, os; print(json.dumps({'env': dict(os.environ), 'cwd': os.getcwd(),"
        f"'shown': open('{shown}/file').read(), 'hidden': os.path.exists('{hidden}'),"
        "'id': [os.getuid(), os.getgid()]}))"
    )
    seen = python(source, readable=[Path(sys.base_prefix), shown], env={"A": "b"})
    assert seen["env"].items() >= {"A": "b"}.items()
    assert seen["env"].keys() <= {"A", "LC_CTYPE"}
    assert seen == seen | {"cwd": "/tmp", "shown": "shown", "hidden": False, "id": [993, 990]}


def test_only_tmp_is_writable_and_it_starts_empty() -> None:
    script = "ls -A /tmp; for d in /tmp / /usr /etc /dev /proc; do echo x > $d/file; done 2>/dev/null; ls"
    assert [shell(script).stdout for _ in range(2)] == [b"file\n", b"file\n"]


@pytest.mark.parametrize("name", sorted(refusals.REFUSED))
def test_every_refused_call_answers_eperm(name: str) -> None:
    assert _refused()[name] == 1, name


def test_what_programs_need_is_not_refused() -> None:
    source = (
        "import json, subprocess, threading, socket, os, multiprocessing.synchronize\n"
        "t = threading.Thread(target=lambda: None); t.start(); t.join()\n"
        "out = subprocess.run(['/bin/echo', 'x'], capture_output=True).stdout.decode()\n"
        "server = socket.create_server(('127.0.0.1', 0))\n"
        "socket.create_connection(server.getsockname()).close()\n"
        "socket.socketpair()[0].close()\n"
        "print(json.dumps(out))"
    )
    assert python(source) == "x\n"


def test_limits_hold() -> None:
    script = "dd if=/dev/zero of=/tmp/big bs=1M count=64 2>/dev/null; stat -c %s /tmp/big"
    assert int(shell(script, limits=WallLimits(seconds=30, disk_bytes=1 << 20)).stdout) <= 1 << 20
    forks = "for i in $(seq 60); do sleep 5 & done; wait"
    assert "fork" in shell(forks, limits=WallLimits(seconds=30, processes=20)).stderr_tail.lower()


def test_what_holds_is_probed_and_said() -> None:
    assert "own user, process, mount, network and IPC namespaces" in holds()
    assert "nothing held it" in holds(unprotected=True)


def test_a_wall_that_lets_something_through_does_not_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "_PROBED", program._PROBED | {"teleportation": "no teleportation"})
    with pytest.raises(Unprotected, match="got past it: teleportation"):
        holds.__wrapped__()


def test_a_command_that_is_not_there_cannot_be_started() -> None:
    with pytest.raises(OSError, match="cannot start /nowhere"):
        run(["/nowhere"], stdin=b"", readable=[], env={}, limits=WallLimits(), output_limit=1)


def test_where_no_namespaces_are_granted_it_refuses_and_says_what_to_do() -> None:
    # Behind a wall there are none to be had.
    root = Path(__file__).parents[4]
    source = (
        "import json, sys; sys.path.insert(0, sys.argv[1])\n"
        "from infra.local.wall.program import *\n"
        "def tried(**s):\n"
        "    given = {'stdin': b'', 'readable': [], 'env': {}, 'limits': WallLimits(), 'output_limit': 99}\n"
        "    return run(['/bin/sh', '-c', 'pwd'], **given, **s)\n"
        "try: tried()\n"
        "except Unprotected as refused: print(json.dumps([str(refused), tried(unprotected=True).exit_code]))"
    )
    ended = run(
        [PYTHON, "-I", "-c", source, str(root)],
        stdin=b"",
        readable=[Path(sys.base_prefix), root / "infra"],
        env={},
        limits=WallLimits(),
        output_limit=9999,
    )
    message, without = json.loads(ended.stdout)
    assert "Operation not permitted" in message
    assert "unprivileged user namespaces" in message
    assert without == 0


def _refused() -> dict[str, int]:
    """Call → errno, each called once with arguments that would harm nobody."""
    if not _ANSWERS:
        source = (
            "import ctypes, json, sys\nlibc = ctypes.CDLL(None, use_errno=True)\nfound = {}\n"
            "for name, number in json.load(sys.stdin).items():\n"
            "    ctypes.set_errno(0)\n"
            "    found[name] = ctypes.get_errno() if libc.syscall(number, -1, 0, 0, 0, 0, 0) < 0 else 0\n"
            "print(json.dumps(found))"
        )
        _ANSWERS.update(python(source, stdin=json.dumps(refusals.numbers()).encode()))
    return _ANSWERS


_ANSWERS: dict[str, int] = {}
