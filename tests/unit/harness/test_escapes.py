"""Ways out of a run in the local lane, each tried for real: none may succeed.

All of them are tried in one job, each by a process of its own, and told as JSON. An attempt escapes when its
expression has a value; it is held when that raises.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from functions.harness.proof import NotBelieved
from functions.harness.runner import Ran
from functions.validate_patch import told
from infra.local.runner import LocalRunner
from tests.jobs import NONCE, asked, command, job, outcomes_of

ESCAPES = {
    # credentials
    "credentials in the environment": "next(k for k in os.environ if 'SECRET' in k or 'TOKEN' in k)",
    "credentials in any process's environment": "next(p for p in pids() if b'hunter2' in read(p, 'environ'))",
    "credentials in any process's memory": "next(p for p in others() if holds(p, b'hunter' + b'2'))",
    "credentials of the account's file": "open('{home}/.aws/credentials').read()",
    "the project's own environment file": "open('{cwd}/pyproject.toml').read()",
    # the driver and the server
    "the environment of what drives": "next(filter(None, (read(p, 'environ') for p in others())))",
    "the memory of what drives": "open(f'/proc/{driver()}/mem', 'rb').read(1)",
    "the memory of the server": "open(f'/proc/{os.getppid()}/mem', 'rb').read(1)",
    "the map of the driver's memory": "maps(driver())",
    "the map of the server's memory": "maps(server())",
    "the driver's memory by process_vm_readv": "read_vm(driver())",
    "the driver's memory by pidfd_getfd": "libc_do(438, libc_do(434, driver(), 0), 0, 0)",
    "the nonce in any process": "next(p for p in others() if holds(p, nonce()))",
    "the nonce on the standard input of the driver": "open(f'/proc/{driver()}/fd/0', 'rb').read()",
    "the driver's descriptors": "os.listdir(f'/proc/{driver()}/fd')",
    "the server's descriptors": "os.listdir(f'/proc/{server()}/fd')",
    "the driver's working directory": "os.listdir(f'/proc/{driver()}/cwd')",
    "the driver's root": "os.listdir(f'/proc/{driver()}/root')",
    "a descriptor that was left open": "[fd for fd in range(4, 256) if is_open(fd)][0]",
    "a debugger on the driver": "libc_is(0, libc.ptrace(16, driver(), 0, 0))",
    "a debugger on the server": "libc_is(0, libc.ptrace(16, server(), 0, 0))",
    # other processes of this machine
    "the test's own process": "os.kill({parent}, 0)",
    "the environment of the test's process": "open('/proc/{parent}/environ', 'rb').read()",
    "ending what runs the tests": "os.kill({parent}, 9)",
    "a handle on what runs the tests": "os.pidfd_open({parent})",
    "more processes than the lane's own": "1 / (len(pids()) > 12)",
    # network
    "the metadata address": "socket.create_connection(('169.254.169.254', 80), 1)",
    "the metadata of containers": "socket.create_connection(('169.254.170.2', 80), 1)",
    "Lambda's runtime interface": "socket.create_connection(('127.0.0.1', 9001), 1)",
    "the address of the runtime interface": "os.environ['AWS_LAMBDA_RUNTIME_API']",
    "a server on this machine": "socket.create_connection(('127.0.0.1', {port}), 1)",
    "a server on this machine by name": "socket.create_connection((socket.gethostname(), {port}), 1)",
    "an address on the internet": "socket.create_connection(('192.0.2.1', 443), 1)",
    "an address by UDP": "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('192.0.2.1', 53))",
    "a name": "socket.getaddrinfo('example.com', 443)",
    "IPv6": "socket.create_connection(('2001:db8::1', 443), 1)",
    "a raw socket": "socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)",
    "a packet socket": "socket.socket(socket.AF_PACKET, socket.SOCK_RAW)",
    "a socket of this machine by its path": "socket.socket(socket.AF_UNIX).connect('{socket}')",
    "a socket of this machine by its name": "socket.socket(socket.AF_UNIX).connect('\\0{name}')",
    # files
    "another heal's artifacts": "open('{other}/patch.diff').read()",
    "another heal's artifacts, to change": "open('{other}/patch.diff', 'a').write('mine')",
    "what lies in this machine's /tmp": "next(n for n in os.listdir('/tmp') if n in {there})",
    "a device of the system": "open('/dev/mem', 'rb').read(1)",
    "passwords of the system": "open('/etc/shadow').read()",
    "a program in the system": "open('/usr/bin/env', 'r+b').close()",
    "a new file in the system": "open('/usr/lib/evil', 'w').close()",
    "the harness itself": "open({harness!r} + '/worker.py', 'a').close()",
    "the interpreter's own library": "open(os.__file__, 'a').close()",
    "the interpreter itself": "open(sys.executable, 'r+b').close()",
    "the interpreter's text": "open(sys.executable, 'rb').read(1)",
    "a link out of the tree": "open('link').read()",
    "the kernel's settings": "open('/proc/sys/kernel/core_pattern', 'r+').close()",
    "the kernel's log": "libc_is(0, libc.klogctl(3, ctypes.create_string_buffer(9), 9))",
    # powers
    "being root": "os.setuid(0)",
    "another group": "os.setgid(0)",
    "a higher limit": "resource.setrlimit(resource.RLIMIT_AS, (2**40, 2**40))",
    "a mount": "libc_is(0, libc.mount(b'none', b'/tmp', b'tmpfs', 0, None))",
    "an unmount": "libc_is(0, libc.umount2(b'/proc', 2))",
    "another root": "os.chroot('/')",
    "new namespaces": "libc_is(0, libc.unshare(0x10000000))",
    "new namespaces by clone": "libc_do(56, 0x10000000 | 17, 0, 0, 0, 0)",
    "namespaces of the driver": "libc_is(0, libc.setns(os.open(f'/proc/{driver()}/ns/net', 0), 0))",
    "prctl": "libc_is(0, libc.prctl(4, 1, 0, 0, 0))",
    "a filter of its own": "libc_do(317, 0, 0, 0)",
    "bpf": "libc_do(321, 0, 0, 0)",
    "io_uring": "libc_do(425, 8, ctypes.create_string_buffer(120))",
    "a key ring of the kernel": "libc_do(250, 0, -3, 1)",
    "a set-user-id program": "libc_is(0, subprocess.run(['su', '-c', 'true']).returncode)",
}
"""What is tried → an expression that only has a value when it works."""

SCRIPT = """
import ctypes, json, os, resource, socket, subprocess, sys

libc = ctypes.CDLL(None, use_errno=True)


def pids():
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def read(pid, name):
    try:
        return open(f"/proc/{pid}/{name}", "rb").read()
    except OSError:
        return b""


def parent(pid):
    lines = read(pid, "status").decode().splitlines()
    return next((int(line.split()[1]) for line in lines if line.startswith("PPid")), 0)


def ancestors():
    found, pid = [], parent(os.getpid())
    while pid:
        found.append(pid)
        pid = parent(pid)
    return found


def named(part):
    return next(p for p in ancestors() if part in read(p, "cmdline"))


def driver():
    return named(b"driver.py")


def server():
    return named(b"server.py")


def others():
    # Ancestors, but the worker itself: it is code under test.
    return [p for p in pids() if p in ancestors() and p not in WORKER]


def maps(pid):
    return open(f"/proc/{pid}/maps").read() or 1 / 0


def holds(pid, text):
    with open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in maps(pid).splitlines():
            first, last = (int(part, 16) for part in line.split()[0].split("-"))
            try:
                memory.seek(first)
                if text in memory.read(last - first):
                    return True
            except (OSError, ValueError, OverflowError):
                pass
    return False


def nonce():
    return b"5ca1ab1e" * 4


def read_vm(pid):
    class Part(ctypes.Structure):
        _fields_ = [("base", ctypes.c_void_p), ("size", ctypes.c_size_t)]

    data = ctypes.create_string_buffer(8)
    here, there = Part(ctypes.addressof(data), 8), Part(id(type) & ~4095, 8)
    return libc_do(310, pid, ctypes.byref(here), 1, ctypes.byref(there), 1, 0)


def is_open(fd):
    try:
        os.fstat(fd)
        return True
    except OSError:
        return False


def libc_do(*call):
    done = libc.syscall(*call)
    if done < 0:
        raise OSError(ctypes.get_errno(), "refused")
    if call[0] == 56 and done == 0:
        os._exit(0)
    return done


def libc_is(wanted, got):
    return 0 if got == wanted else 1 / 0


if len(sys.argv) > 1:
    WORKER = {int(sys.argv[2])}
    try:
        eval(sys.argv[1])
        print("ESCAPED")
    except BaseException as error:
        print("held:", type(error).__name__, error)
    sys.exit()

os.environ["RES_OPTIONS"] = "timeout:1 attempts:1"
for name, expression in json.load(open("attempts.json")).items():
    call = [sys.executable, __file__, expression, str(os.getpid())]
    done = subprocess.run(call, capture_output=True, text=True)
    said = done.stdout.strip() or f"ended {done.returncode} {done.stderr[-300:]}"
    print(json.dumps([name, said]), flush=True)
"""


@pytest.fixture(scope="module")
def canary(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, object]]:
    """What there is to be reached on this machine: a heal's files, servers, credentials."""
    other = tmp_path_factory.mktemp("other")
    (other / "patch.diff").write_text("other")
    name = f"self-heal-test-{os.getpid()}"
    path = Path("/tmp", name + ".sock")
    # What is shown on purpose, the project and the interpreter, may itself lie below /tmp.
    shown = [Path(place) for place in (told.__file__, sys.prefix, sys.base_prefix)]
    with (
        pytest.MonkeyPatch.context() as patched,
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.socket(socket.AF_UNIX) as by_path,
        socket.socket(socket.AF_UNIX) as by_name,
    ):
        patched.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
        patched.setenv("AWS_SESSION_TOKEN", "hunter2")
        patched.setenv("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001")
        by_path.bind(str(path))
        by_path.listen()
        by_name.bind("\0" + name)
        by_name.listen()
        below = {place.parts[2] for place in shown if place.is_relative_to("/tmp")}
        yield {
            "there": sorted({place.name for place in Path("/tmp").iterdir()} - below),
            "other": other, "port": server.getsockname()[1], "socket": path, "name": name,
            "home": Path.home(), "cwd": Path.cwd(), "parent": os.getpid(),
            "harness": str(Path(told.__file__).parents[1] / "harness"),
        }  # fmt: skip
    path.unlink()


@pytest.fixture(scope="module")
def tried(canary: dict[str, object]) -> list[dict[str, str]]:
    """What came of each attempt, in the run before and in the run after the patch."""
    attempts = dict(ESCAPES)
    for name, value in canary.items():
        for attempt, expression in attempts.items():
            text = expression.replace("{harness!r}", repr(canary["harness"]))
            attempts[attempt] = text.replace("{" + name + "}", str(value))
    files = {"attack.py": SCRIPT, "attempts.json": json.dumps(attempts)}
    links = {"link": f"{canary['other']}/patch.diff"}
    ran = LocalRunner().run(job(files, links=links, suite=command("python3", "attack.py", seconds=90.0)))
    rows = [outcome.output.splitlines() for outcome in outcomes_of(ran.report)]
    return [dict(json.loads(line) for line in lines if line.startswith("[")) for lines in rows]


def test_there_are_enough_attempts() -> None:
    assert len(ESCAPES) >= 40


@pytest.mark.parametrize("attempt", ESCAPES)
def test_no_way_out(attempt: str, tried: list[dict[str, str]]) -> None:
    assert [told[attempt].partition(":")[0] for told in tried] == ["held"] * 2, [t[attempt] for t in tried]


def test_the_attempts_changed_nothing_here(tried: list[dict[str, str]], canary: dict[str, object]) -> None:
    assert Path(str(canary["other"]), "patch.diff").read_text() == "other"


ENDINGS = {
    "ends the driver": "os.kill(named(b'driver.py'), 9)",
    "ends the server": "os.kill(named(b'server.py'), 9)",
    "stops the server": "os.kill(named(b'server.py'), 19)",
    "ends everything": "os.kill(-1, 9)",
    "slows the server down": "os.setpriority(os.PRIO_PROCESS, named(b'server.py'), 19)",
    "slows the driver down": "os.setpriority(os.PRIO_PROCESS, named(b'driver.py'), 1)",
    "leaves the server one processor": (
        "os.sched_setaffinity(named(b'server.py'), {min(os.sched_getaffinity(0))})"
    ),
    "has the server scheduled otherwise": (
        "os.sched_setscheduler(named(b'server.py'), os.SCHED_BATCH, os.sched_param(0))"
    ),
    "takes the driver's files away": (
        "resource.prlimit(named(b'driver.py'), resource.RLIMIT_NOFILE, (0, 0))"
    ),
    "reports in the driver's place, then ends it": (
        "[os.write(fd, b'{\"version\": 1}') for fd in (1, 2, 3)], os.kill(named(b'driver.py'), 9)"
    ),
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_whoever_ends_the_proof_has_failed_it(ending: str) -> None:
    """No report, or one that says that it could not go on: never that nothing was to be run."""
    code = SCRIPT.partition("if len(sys.argv)")[0] + ENDINGS[ending] + "\n"
    suite = command("python3", "attack.py", seconds=3.0)
    ran = LocalRunner().run(job({"attack.py": code}, suite=suite, seconds=30.0))
    assert not _counts(ran, suite), ran


def _counts(ran: Ran, suite: dict[str, object]) -> bool:
    """Whether a report is believed, and tells of a command that succeeded with and without the patch."""
    try:
        proof = told.read(ran, NONCE, asked(suite=suite), frozenset()).proof
    except NotBelieved:
        return False
    return proof.suite is not None and all(outcome.exit_code == 0 for outcome in proof.suite)
