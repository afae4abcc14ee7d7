"""Ways out of the sandbox, each tried for real, in both forms of it: none may succeed.

A script prints ESCAPED when it got what it should not. What the form without namespaces (AWS Lambda) cannot
prevent is in a table of its own, and tested to be so.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from functions.validate_patch.sandbox.isolation import Limits
from functions.validate_patch.sandbox.sandbox import Sandbox

from functions.validate_patch.tree import File

LIMITS = Limits(seconds=10.0, disk_bytes=32 * 1024 * 1024, processes=64)
PARENT = os.getpid()

ESCAPES = {
    "our environment through the parent": "open('/proc/{parent}/environ', 'rb').read()",
    "our memory through the parent": "open('/proc/{parent}/mem', 'rb').read(1)",
    "our open files through the parent": "os.listdir('/proc/{parent}/fd')[0]",
    "our working directory through the parent": "os.listdir('/proc/{parent}/cwd')[0]",
    "our root through the parent": "os.listdir('/proc/{parent}/root')[0]",
    "credentials in the environment": "[k for k in os.environ if 'SECRET' in k or 'TOKEN' in k][0]",
    "the metadata address": "socket.create_connection(('169.254.169.254', 80), 1)",
    "Lambda's runtime interface": "socket.create_connection(('127.0.0.1', 9001), 1)",
    "an address on the internet": "socket.create_connection(('192.0.2.1', 443), 1)",
    "an address by UDP": "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('192.0.2.1', 53))",
    "a name": "socket.getaddrinfo('example.com', 443)",
    "IPv6": "socket.create_connection(('2001:db8::1', 443), 1)",
    "a raw socket": "socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)",
    "a packet socket": "socket.socket(socket.AF_PACKET, socket.SOCK_RAW)",
    "a program of the system with the network": "subprocess.run(['python3', '-c', 'import socket; "
    'socket.create_connection(("192.0.2.1", 443), 1)\'], check=True, capture_output=True)',
    "ending the parent": "os.kill({parent}, 9)",
    "stopping the parent": "os.kill({parent}, 19)",
    "ending everything": "os.kill(1, 9) if os.getpid() != 1 and os.getppid() != 1 else 1 / 0",
    "a handle on the parent": "os.pidfd_open({parent})",
    "another limit for the parent": "resource.prlimit({parent}, resource.RLIMIT_CPU, (1, 1))",
    "a higher limit": "resource.setrlimit(resource.RLIMIT_AS, (2**40, 2**40))",
    "a debugger": "0 if libc.ptrace(16, {parent}, 0, 0) == 0 else 1 / 0",
    "a mount": "0 if libc.mount(b'none', b'/tmp', b'tmpfs', 0, None) == 0 else 1 / 0",
    "another root": "os.chroot('/')",
    "being root": "os.setuid(0)",
    "new namespaces": "0 if libc.unshare(0x10000000) == 0 else 1 / 0",
    "namespaces of the parent": "0 if libc.setns(os.open('/proc/{parent}/ns/net', 0), 0) == 0 else 1 / 0",
    "a device of the system": "open('/dev/mem', 'rb').read(1)",
    "passwords of the system": "open('/etc/shadow').read()",
    "a program in the system": "open('/usr/bin/env', 'r+b').close()",
    "the kernel's settings": "open('/proc/sys/kernel/core_pattern', 'r+').close()",
    "the artifacts of another heal": "open('{other}/patch.diff', 'a').write('mine')",
}
"""What is tried → an expression that only has a value when it works."""

OPEN_WITHOUT_NAMESPACES = {
    "what anybody may read of the system": "sorted(os.listdir('/usr/lib'))[0] + open('/etc/passwd').read()",
    "names of processes": "[open(f'/proc/{p}/comm').read() for p in os.listdir('/proc') if p.isdigit()][1]",
    "local sockets": "socket.socketpair()",
}
"""What nothing prevents there. The image holds no secret and runs no local server."""

OPEN_TO_ROOT = frozenset(
    {
        "our open files through the parent",
        "being root",
        "passwords of the system",
        "a program in the system",
        "the kernel's settings",
        "the artifacts of another heal",
    }
)
"""What nothing prevents where there are no namespaces and the step itself is root. On Lambda it never is."""


@pytest.fixture(scope="module")
def boxes() -> Iterator[dict[str, Sandbox]]:
    with Sandbox(LIMITS) as held, Sandbox(LIMITS, namespaces=False) as plain:
        assert held.namespaces
        yield {"namespaces": held, "as on Lambda": plain}


def tried(box: Sandbox, expression: str, other: Path) -> str:
    """What the attempt printed."""
    code = expression.replace("{parent}", str(PARENT)).replace("{other}", str(other))
    script = (
        "import ctypes, os, resource, socket, subprocess, sys\n"
        "libc = ctypes.CDLL(None, use_errno=True)\n"
        f"try:\n    {code}\n    print('ESCAPED')\n"
        "except Exception as error:\n    print('held:', type(error).__name__, error)\n"
    )
    tree = box.stage({"attempt.py": File(script.encode())})
    return box.run(tree, {"kind": "command", "args": [sys.executable, "attempt.py"]}).output


@pytest.mark.parametrize("attempt", ESCAPES)
def test_no_way_out_with_namespaces(attempt: str, boxes: dict[str, Sandbox], tmp_path: Path) -> None:
    (tmp_path / "patch.diff").write_text("other")
    assert "ESCAPED" not in tried(boxes["namespaces"], ESCAPES[attempt], tmp_path)
    assert (tmp_path / "patch.diff").read_text() == "other"


@pytest.mark.parametrize("attempt", ESCAPES)
def test_no_way_out_without_namespaces_but_roots_own(
    attempt: str, boxes: dict[str, Sandbox], tmp_path: Path
) -> None:
    (tmp_path / "patch.diff").write_text("other")
    escaped = "ESCAPED" in tried(boxes["as on Lambda"], ESCAPES[attempt], tmp_path)
    assert not escaped or (os.geteuid() == 0 and attempt in OPEN_TO_ROOT)


@pytest.mark.parametrize("attempt", OPEN_WITHOUT_NAMESPACES)
def test_what_is_open_without_namespaces_is_known(
    attempt: str, boxes: dict[str, Sandbox], tmp_path: Path
) -> None:
    assert "ESCAPED" in tried(boxes["as on Lambda"], OPEN_WITHOUT_NAMESPACES[attempt], tmp_path)
