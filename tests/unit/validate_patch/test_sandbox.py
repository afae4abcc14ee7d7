"""The sandbox holds what is run in it: what code under test may try, and what then happens."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from functions.validate_patch.sandbox.isolation import Limits
from functions.validate_patch.sandbox.sandbox import Outcome, Sandbox

from functions.validate_patch.tree import SYMLINK, File

LIMITS = Limits(seconds=20.0, disk_bytes=32 * 1024 * 1024, processes=32)
OPTIONS = ["-q", "-p", "no:cacheprovider", "-o", "addopts="]


@pytest.fixture(scope="module")
def box() -> Iterator[Sandbox]:
    """A sandbox with everything that this platform permits."""
    with Sandbox(LIMITS) as sandbox:
        assert sandbox.namespaces, "these tests need a platform that permits user namespaces"
        yield sandbox


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A sandbox without namespaces, as on AWS Lambda."""
    with Sandbox(LIMITS, namespaces=False) as sandbox:
        yield sandbox


def run(box: Sandbox, code: str, seconds: float | None = None) -> Outcome:
    """Run a script in the sandbox."""
    tree = box.stage({"attack.py": File(code.encode())})
    return box.run(tree, {"kind": "command", "args": [sys.executable, "attack.py"]}, seconds)


def test_environment_holds_no_credentials(box: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    outcome = run(box, "import os; print(sorted(os.environ))")
    assert "AWS" not in outcome.output
    assert "HOME" in outcome.output


def test_no_environment_of_any_process_holds_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    code = (
        "import glob\n"
        "for name in glob.glob('/proc/*/environ'):\n"
        "    try:\n"
        "        print(name, 'hunter2' in open(name).read())\n"
        "    except OSError as error:\n"
        "        print(name, type(error).__name__)\n"
    )
    with Sandbox(LIMITS) as fresh:
        outcome = run(fresh, code)
    assert "True" not in outcome.output
    assert len(outcome.output.splitlines()) < 6, "other processes of this machine are visible"


@pytest.mark.parametrize("address", ["169.254.169.254:80", "127.0.0.1:9001", "192.0.2.1:443"])
def test_no_address_answers(box: Sandbox, address: str) -> None:
    host, port = address.split(":")
    outcome = run(box, f"import socket; socket.create_connection(({host!r}, {port}), timeout=2)")
    assert outcome.exit_code == 1
    assert "unreachable" in outcome.output or "refused" in outcome.output


@pytest.mark.parametrize("family", ["AF_INET", "AF_INET6", "AF_NETLINK", "AF_PACKET", "AF_VSOCK"])
def test_without_namespaces_there_are_no_sockets_either(plain: Sandbox, family: str) -> None:
    outcome = run(plain, f"import socket; socket.socket(socket.{family}, socket.SOCK_RAW)")
    assert "PermissionError" in outcome.output


def test_without_namespaces_local_sockets_still_work(plain: Sandbox) -> None:
    assert run(plain, "import socket; socket.socketpair(); print('ok')").output == "ok\n"


def test_without_namespaces_other_processes_are_out_of_reach(plain: Sandbox) -> None:
    code = (
        "import os, resource, signal\n"
        f"us = {os.getpid()}\n"
        "attempts = [\n"
        "    lambda: os.kill(us, 0),\n"
        "    lambda: os.kill(os.getppid(), signal.SIGKILL),\n"
        "    lambda: os.kill(-1, signal.SIGKILL),\n"
        "    lambda: os.pidfd_open(us),\n"
        "    lambda: resource.prlimit(us, resource.RLIMIT_NOFILE, (0, 0)),\n"
        "    lambda: open(f'/proc/{us}/environ').read(),\n"
        "    lambda: open(f'/proc/{us}/mem', 'rb').read(1),\n"
        "    lambda: open(f'/proc/{os.getppid()}/environ').read(),\n"
        "]\n"
        "for attempt in attempts:\n"
        "    try:\n"
        "        attempt()\n"
        "        print('reached')\n"
        "    except PermissionError:\n"
        "        print('refused')\n"
    )
    assert run(plain, code).output == "refused\n" * 8


@pytest.mark.parametrize("held", ["box", "plain"])
def test_debuggers_and_kernel_interfaces_are_refused(request: pytest.FixtureRequest, held: str) -> None:
    # ptrace, unshare, io_uring_setup (which opens sockets without the call of that name), bpf on x86_64
    code = (
        "import ctypes, os\n"
        "libc = ctypes.CDLL(None, use_errno=True)\n"
        "numbers = {'x86_64': (101, 272, 425, 321), 'aarch64': (117, 97, 425, 280)}\n"
        "for number in numbers[os.uname().machine]:\n"
        "    print(libc.syscall(number, 0x10000000, 0, 0, 0), ctypes.get_errno())\n"
    )
    assert run(request.getfixturevalue(held), code).output == "-1 1\n" * 4


def test_servers_of_this_machine_are_out_of_reach(box: Sandbox) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        outcome = run(box, f"import socket; socket.create_connection(('127.0.0.1', {port}), timeout=2)")
    assert "ConnectionRefusedError" in outcome.output


def test_a_server_of_its_own_answers_on_loopback(box: Sandbox) -> None:
    code = (
        "import socket\n"
        "server = socket.create_server(('127.0.0.1', 0))\n"
        "socket.create_connection(server.getsockname())\n"
        "print('own')\n"
    )
    assert run(box, code).output == "own\n"


def test_files_outside_are_not_there(box: Sandbox, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hunter2")
    home = Path.home()
    code = (
        "import os\n"
        f"for path in ({str(secret)!r}, {str(home)!r} + '/.aws', '/etc/shadow', '/sys', '/old/etc'):\n"
        "    print(os.path.exists(path))\n"
    )
    assert run(box, code).output == "False\n" * 5


def test_system_and_interpreter_are_read_only(box: Sandbox) -> None:
    code = (
        "import os, sys, pytest\n"
        "for path in ('/usr/evil', os.path.dirname(pytest.__file__) + '/x.py', '/evil', '/etc/evil'):\n"
        "    try:\n"
        "        open(path, 'w')\n"
        "        print('wrote', path)\n"
        "    except OSError as error:\n"
        "        print(error.errno)\n"
    )
    outcome = run(box, code)
    assert "wrote" not in outcome.output, outcome.output


def test_a_link_out_of_the_tree_leads_nowhere(box: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hunter2")
    tree = box.stage(
        {
            "link": File(str(tmp_path / "secret").encode(), SYMLINK),
            "a.py": File(b"print(open('link').read())"),
        }
    )
    outcome = box.run(tree, {"kind": "command", "args": [sys.executable, "a.py"]})
    assert "FileNotFoundError" in outcome.output


def test_what_one_run_writes_the_next_does_not_see(box: Sandbox) -> None:
    code = (
        b"import os; print(sorted(os.listdir('.')), os.listdir('/tmp'));"
        b"open('left', 'w'); open('/tmp/left', 'w')"
    )
    tree = box.stage({"a.py": File(code)})
    task = {"kind": "command", "args": [sys.executable, "a.py"]}
    first, second = box.run(tree, task).output, box.run(tree, task).output
    assert first.startswith("['a.py']")
    assert "left" not in first + second
    assert first == second
    assert sorted(path.name for path in tree.iterdir()) == ["a.py"]


def test_fork_bomb_ends(box: Sandbox) -> None:
    code = "import os\nwhile True:\n    try:\n        os.fork()\n    except OSError:\n        pass\n"
    outcome = run(box, code, seconds=2.0)
    assert outcome.stopped == "time"
    assert outcome.seconds < 5
    assert not [line for line in _processes() if line.endswith("attack.py")]


@pytest.mark.parametrize("held", ["box", "plain"])
def test_memory_is_limited(request: pytest.FixtureRequest, held: str) -> None:
    outcome = run(request.getfixturevalue(held), "x = bytearray(4 * 1024**3)")
    assert "MemoryError" in outcome.output


def test_disk_is_limited_over_many_files(box: Sandbox) -> None:
    code = (
        "for i in range(100):\n"
        "    with open(f'big{i}', 'wb') as f:\n"
        "        f.write(b'x' * 1024**2 * 8)\n"
        "print('all written')\n"
    )
    outcome = run(box, code)
    assert "all written" not in outcome.output
    assert "No space left" in outcome.output or "File too large" in outcome.output


@pytest.mark.parametrize("held", ["box", "plain"])
def test_one_file_is_limited(request: pytest.FixtureRequest, held: str) -> None:
    code = "f = open('big', 'wb')\nfor _ in range(64):\n    f.write(b'x' * 1024**2)\n"
    outcome = run(request.getfixturevalue(held), code)
    assert outcome.exit_code != 0


@pytest.mark.parametrize("held", ["box", "plain"])
def test_endless_loop_is_stopped(request: pytest.FixtureRequest, held: str) -> None:
    outcome = run(request.getfixturevalue(held), "while True: pass", seconds=1.0)
    assert (outcome.exit_code, outcome.stopped) == (None, "time")
    assert outcome.seconds < 3


@pytest.mark.parametrize("held", ["box", "plain"])
def test_signals_do_not_keep_it_alive(request: pytest.FixtureRequest, held: str) -> None:
    code = (
        "import signal, time\n"
        "for number in range(1, 32):\n"
        "    try:\n"
        "        signal.signal(number, signal.SIG_IGN)\n"
        "    except (OSError, ValueError):\n"
        "        pass\n"
        "time.sleep(60)\n"
    )
    assert run(request.getfixturevalue(held), code, seconds=1.0).stopped == "time"


DAEMON = (
    "import os, time\n"
    "if os.fork() == 0:\n"
    "    os.setsid()\n"
    "    if os.fork() == 0:\n"
    "        os.execvp('sleep', ['sleep', '{marker}'])\n"
    "    os._exit(0)\n"
    "os.wait()\n"
    "time.sleep(0.2)\n"
    "print('started')\n"
)


@pytest.mark.parametrize("held", ["box", "plain"])
def test_background_process_does_not_outlive_the_run(request: pytest.FixtureRequest, held: str) -> None:
    marker = f"31{os.getpid()}.{len(held)}"
    outcome = run(request.getfixturevalue(held), DAEMON.format(marker=marker))
    assert "started" in outcome.output
    assert outcome.seconds < 10
    assert f"sleep {marker}" not in _processes()


@pytest.mark.parametrize("held", ["box", "plain"])
def test_huge_output_is_stopped_and_bounded(request: pytest.FixtureRequest, held: str) -> None:
    code = "import sys\nwhile True:\n    sys.stdout.write('x' * 65536)\n"
    outcome = run(request.getfixturevalue(held), code)
    assert outcome.stopped == "output"
    assert len(outcome.output) <= 16 * 1024


def test_the_end_of_the_output_is_kept(box: Sandbox) -> None:
    outcome = run(box, "print('x' * 100_000)\nprint('the end')")
    assert outcome.output.endswith("the end\n")


def test_it_cannot_signal_processes_outside(box: Sandbox) -> None:
    code = (
        "import os, signal\n"
        f"for pid in ({os.getpid()}, {os.getppid()}):\n"
        "    try:\n"
        "        os.kill(pid, signal.SIGKILL)\n"
        "        print('signalled')\n"
        "    except OSError as error:\n"
        "        print(type(error).__name__)\n"
        "os.kill(-1, signal.SIGTERM)\n"
    )
    outcome = run(box, code)
    assert "signalled" not in outcome.output
    assert box.run(
        box.stage({"a.py": File(b"print(1)")}), {"kind": "command", "args": [sys.executable, "a.py"]}
    )


def test_it_is_nobody_and_gains_nothing(box: Sandbox) -> None:
    code = (
        "import os\n"
        "print(os.getuid(), os.getgroups())\n"
        "status = open('/proc/self/status').read()\n"
        "kept = ('CapEff', 'CapPrm', 'NoNewPrivs')\n"
        "print([line.split()[1] for line in status.splitlines() if line.startswith(kept)])\n"
        "try:\n"
        "    os.setuid(0)\n"
        "except OSError as error:\n"
        "    print(type(error).__name__)\n"
    )
    lines = run(box, code).output.splitlines()
    assert lines[0] == "1000 []"
    assert set(eval(lines[1])) == {"0000000000000000", "1"}
    assert lines[2] == "PermissionError"


def test_mounting_is_refused(box: Sandbox) -> None:
    code = (
        "import ctypes\n"
        "libc = ctypes.CDLL(None, use_errno=True)\n"
        "mounted = libc.mount(b'tmpfs', b'/usr', b'tmpfs', 0, None)\n"
        "print(mounted, libc.umount2(b'/usr', 2), libc.chroot(b'/tmp'))\n"
    )
    assert run(box, code).output == "-1 -1 -1\n"


def test_another_heals_artifacts_are_not_there(box: Sandbox, tmp_path: Path) -> None:
    other = box.stage({"patch.diff": File(b"other")})
    outcome = run(box, f"open({str(other / 'patch.diff')!r}, 'w').write('mine')")
    assert outcome.exit_code == 1
    assert (other / "patch.diff").read_bytes() == b"other"


def test_runs_side_by_side_do_not_see_each_other(box: Sandbox) -> None:
    code = "import time; open('/tmp/mine', 'x'); time.sleep(0.3)"
    tree = box.stage({"a.py": File(code.encode())})
    task = {"kind": "command", "args": [sys.executable, "a.py"]}
    with ThreadPoolExecutor(4) as pool:
        outcomes = list(pool.map(lambda _: box.run(tree, task), range(4)))
    assert [outcome.exit_code for outcome in outcomes] == [0, 0, 0, 0]


@pytest.mark.parametrize("held", ["box", "plain"])
def test_pytest_runs_the_trees_own_package(request: pytest.FixtureRequest, held: str) -> None:
    sandbox: Sandbox = request.getfixturevalue(held)
    tree = sandbox.stage(
        {
            "functions/__init__.py": File(b""),
            "functions/core.py": File(b"ANSWER = 42\n"),
            "tests/test_core.py": File(
                b"from functions.core import ANSWER\n\n\ndef test_answer():\n    assert ANSWER == 42\n"
            ),
        }
    )
    outcome = sandbox.run(tree, {"kind": "pytest", "args": OPTIONS})
    assert outcome.exit_code == 0, outcome.output


def test_closing_ends_everything_and_leaves_nothing() -> None:
    with Sandbox(LIMITS) as sandbox:
        home = sandbox.stage({"a.py": File(b"print(1)")}).parent
        assert home.exists()
    assert not home.exists()


def _processes() -> list[str]:
    """Command lines of all processes of this machine."""
    listing = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
    return listing.stdout.splitlines()
