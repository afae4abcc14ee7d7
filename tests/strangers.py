"""Attempts by code of strangers to reach what it must not. Run as a program inside a wall; standard library
only.

    python strangers.py GIVEN

GIVEN is JSON that names what lies outside. Prints JSON: name of the attempt → what it got hold of, "" if
nothing. Each attempt is a function that returns what it got, or raises. None of them knows of the wall; but
as any other user than a wall's, only those run that read and change nothing.
"""

from __future__ import annotations

import ctypes
import http.client
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import urllib.parse
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

_LIBC = ctypes.CDLL(None, use_errno=True)
_GIVEN: dict[str, Any] = {}
_ATTEMPTS: dict[str, Callable[[], object]] = {}
_HARMLESS: set[str] = set()
_USER_BEHIND_A_WALL = 993


def attempt(function: Callable[[], object]) -> Callable[[], object]:
    _ATTEMPTS[function.__name__] = function
    return function


def harmless(function: Callable[[], object]) -> Callable[[], object]:
    """An attempt that would do nothing bad to the machine if it succeeded: it may be tried without a wall."""
    _HARMLESS.add(function.__name__)
    return attempt(function)


def _others() -> list[int]:
    """Processes that are not this one or started by it."""
    return [int(e.name) for e in Path("/proc").iterdir() if e.name.isdigit() and int(e.name) != os.getpid()]


def _any(read: Callable[[int], object]) -> object:
    """What `read` gets of any other process."""
    got = []
    for pid in _others():
        try:
            got.append(read(pid))
        except OSError:
            continue
    return [each for each in got if each]


def _called(result: int) -> object:
    """Truthy when a call of the C library succeeded."""
    return "succeeded" if result >= 0 else ""


# --- credentials and secrets of other processes


@harmless
def credentials_in_the_environments_of_others() -> object:
    return _any(lambda pid: b"AWS_SECRET" in Path(f"/proc/{pid}/environ").read_bytes())


@attempt
def credentials_in_this_environment() -> object:
    return [name for name in os.environ if name.startswith("AWS_")]


@harmless
def memory_of_others() -> object:
    def read(pid: int) -> object:
        with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
            for line in maps:
                if "[heap]" in line or "[stack]" in line:
                    memory.seek(int(line.split("-")[0], 16))
                    return memory.read(64)
        return b""

    return _any(read)


@attempt
def memory_of_others_written() -> object:
    def write(pid: int) -> object:
        with open(f"/proc/{pid}/mem", "r+b", 0):
            return "opened"

    return _any(write)


@attempt
def memory_by_process_vm_readv() -> object:
    buffer = ctypes.create_string_buffer(8)
    local = struct.pack("PP", ctypes.addressof(buffer), 8)
    return _any(lambda pid: _called(_LIBC.process_vm_readv(pid, local, 1, local, 1, 0)))


@attempt
def ptrace_of_others() -> object:
    return _any(lambda pid: _called(_LIBC.ptrace(16, pid, None, None)))


@attempt
def descriptors_of_others() -> object:
    return _any(lambda pid: os.listdir(f"/proc/{pid}/fd"))


@attempt
def descriptors_by_pidfd() -> object:
    def take(pid: int) -> object:
        handle = os.pidfd_open(pid)
        got = [fd for fd in range(12) if _LIBC.syscall(438, handle, fd, 0) >= 0]
        os.close(handle)
        return got

    return _any(take)


@attempt
def descriptors_inherited() -> object:
    found = []
    for descriptor in range(3, 1024):
        try:
            os.fstat(descriptor)
        except OSError:
            continue
        found.append(descriptor)
    return found


@attempt
def roots_of_others() -> object:
    return _any(lambda pid: os.listdir(f"/proc/{pid}/root/root"))


@harmless
def working_directories_of_others() -> object:
    return _any(lambda pid: os.readlink(f"/proc/{pid}/cwd"))


@attempt
def system_calls_of_others() -> object:
    return _any(lambda pid: Path(f"/proc/{pid}/syscall").read_text())


@attempt
def keys_of_the_session() -> object:
    keys = Path("/proc/keys").read_text() if Path("/proc/keys").exists() else ""
    return keys or _called(_LIBC.syscall(250, 0, -3, 1, 0, 0))


@attempt
def metadata_services() -> object:
    return [
        a for a in (("169.254.169.254", 80), ("169.254.170.2", 80), ("169.254.170.23", 80)) if _connects(a)
    ]


# --- the runtime API

_API = "/2018-06-01/runtime"


def _api(method: str, path: str, body: object = None, seconds: float = 3) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", 9001, timeout=seconds)
    connection.request(method, _API + path, json.dumps(body).encode() if body is not None else None)
    answer = connection.getresponse()
    text = answer.read().decode(errors="replace")
    return f"{answer.status} {text}" if answer.status < 300 else ""


@attempt
def next_invocation_taken() -> object:
    return _api("GET", "/invocation/next")


@attempt
def response_forged_with_a_guessed_id() -> object:
    guesses = [str(uuid.uuid4()), str(uuid.UUID(int=0)), "", "..", "next", "%", "*"]
    return [
        g for g in guesses if _api("POST", f"/invocation/{urllib.parse.quote(g)}/response", {"verdict": 1})
    ]


@attempt
def error_forged_with_a_guessed_id() -> object:
    return _api("POST", f"/invocation/{uuid.uuid4()}/error", {"errorType": "x"})


@attempt
def initialisation_error_forged() -> object:
    return _api("POST", "/init/error", {"errorType": "x"})


@attempt
def extensions_registered() -> object:
    connection = http.client.HTTPConnection("127.0.0.1", 9001, timeout=3)
    connection.request("POST", "/2020-01-01/extension/register", b"{}", {"Lambda-Extension-Name": "x"})
    return connection.getresponse().status < 300


@attempt
def requests_smuggled_into_one_connection() -> object:
    with socket.create_connection(("127.0.0.1", 9001), 3) as raw:
        one = f"POST {_API}/init/error HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
        two = f"GET {_API}/invocation/next HTTP/1.1\r\nHost: x\r\n\r\n"
        raw.sendall((one + two).encode())
        raw.settimeout(1)
        return b" 200 " in raw.recv(65536)


# --- the network


def _connects(address: tuple[str, int], family: int = socket.AF_INET) -> bool:
    with socket.socket(family) as client:
        client.settimeout(1)
        try:
            client.connect(address)
        except OSError:
            return False
        return True


@harmless
def a_server_on_the_machines_loopback() -> object:
    return _connects(("127.0.0.1", _GIVEN["port"]))


@attempt
def a_server_on_the_machines_loopback_by_ipv6() -> object:
    return _connects(("::1", _GIVEN["port"]), socket.AF_INET6)


@harmless
def a_local_socket_of_the_machine() -> object:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect("\0" + _GIVEN["abstract"])
        return "connected"


@harmless
def a_local_socket_in_the_file_system() -> object:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(_GIVEN["socket"])
        return "connected"


@attempt
def names_resolved() -> object:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(1)
        client.sendto(b"\0\1\1\0\0\1\0\0\0\0\0\0\7example\3com\0\0\1\0\1", ("9.9.9.9", 53))
        return client.recv(512)


@attempt
def addresses_of_the_machine() -> object:
    return [name for _, name in socket.if_nameindex() if name != "lo"]


@attempt
def raw_packets() -> object:
    return socket.socket(socket.AF_PACKET, socket.SOCK_RAW).fileno()


@attempt
def the_hypervisors_sockets() -> object:
    return socket.socket(getattr(socket, "AF_VSOCK", 40)).fileno()


@attempt
def an_interface_of_its_own() -> object:
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as link:
        # RTM_NEWLINK with NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE and no attributes
        link.send(struct.pack("IHHII", 32, 16, 0x405, 1, 0) + bytes(16))
        return struct.unpack("i", link.recv(4096)[16:20])[0] == 0


def _gateway(method: str, path: str, headers: dict[str, str] | None = None, body: bytes = b"") -> str:
    host = _GIVEN["gateway"]
    connection = http.client.HTTPConnection(host, timeout=5)
    connection.request(method, path, body or None, headers or {})
    answer = connection.getresponse()
    text = answer.read().decode(errors="replace")
    return f"{answer.status} {text}"[:200] if answer.status < 300 else ""


@attempt
def other_services_of_the_emulator() -> object:
    target = {"X-Amz-Target": "AmazonSSM.GetParametersByPath", "Content-Type": "application/x-amz-json-1.1"}
    return _gateway("POST", "/", target, b'{"Path": "/"}')


@attempt
def buckets_listed() -> object:
    return _gateway("GET", "/")


@attempt
def objects_listed() -> object:
    return _gateway("GET", f"/{_GIVEN['bucket']}?list-type=2")


@attempt
def another_heals_object() -> object:
    return _gateway("GET", f"/{_GIVEN['bucket']}/{_GIVEN['other_key']}")


@attempt
def another_heals_object_by_this_ones_address() -> object:
    moved = _GIVEN["address"].replace(_GIVEN["key"], _GIVEN["other_key"])
    return _gateway("GET", moved)


@attempt
def another_heals_object_by_dots() -> object:
    name = _GIVEN["other_key"].rpartition("/")[2]
    return [
        got
        for dots in ("/../", "/%2e%2e/", "/..%2f", "//")
        if (got := _gateway("GET", _GIVEN["address"].replace("?", f"{dots}{name}?", 1)))
    ]


@attempt
def this_address_with_another_method() -> object:
    return [m for m in ("PUT", "DELETE", "POST", "HEAD") if _gateway(m, _GIVEN["address"], body=b"x")]


@attempt
def another_heals_object_copied() -> object:
    source = {"x-amz-copy-source": f"/{_GIVEN['bucket']}/{_GIVEN['other_key']}"}
    return _gateway("PUT", _GIVEN["put_address"], source)


@attempt
def this_address_for_another_property() -> object:
    return [
        q for q in ("acl", "tagging", "versions", "torrent") if _gateway("GET", f"{_GIVEN['address']}&{q}")
    ]


@attempt
def administrators_key_guessed() -> object:
    header = (
        "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"
    )
    return _gateway("GET", f"/{_GIVEN['bucket']}/{_GIVEN['other_key']}", {"Authorization": header})


@attempt
def another_host_by_the_gateway() -> object:
    return _gateway("GET", f"http://127.0.0.1:{_GIVEN['port']}/") or _gateway(
        "GET", _GIVEN["address"], {"Host": f"127.0.0.1:{_GIVEN['port']}"}
    )


# --- files


@harmless
def a_file_of_the_machine() -> object:
    return Path(_GIVEN["file"]).read_text()


@attempt
def homes_and_other_projects() -> object:
    kept = {Path(prefix).parts[1] for prefix in (sys.prefix, sys.base_prefix, sys.executable)}
    seen = [
        p for p in ("/root", "/home", "/work", "/srv", "/mnt", "/etc/shadow", "/boot") if Path(p).exists()
    ]
    return [p for p in seen if p.strip("/").split("/")[0] not in kept and os.listdir(p)]


@harmless
def names_of_the_machines_users() -> object:
    return [line for line in Path("/etc/passwd").read_text().splitlines() if "sbx_" not in line][1:]


@attempt
def what_an_earlier_run_left_in_tmp() -> object:
    left = [name for name in os.listdir(tempfile.gettempdir()) if name == "left-behind"]
    Path(tempfile.gettempdir(), "left-behind").write_text("x")
    return left


@attempt
def a_daemon_that_an_earlier_run_left() -> object:
    found = _any(lambda pid: b"sleep\x00987" in Path(f"/proc/{pid}/cmdline").read_bytes())
    nothing = subprocess.DEVNULL
    subprocess.Popen(["sleep", "987"], start_new_session=True, stdin=nothing, stdout=nothing, stderr=nothing)
    return found


@attempt
def written_outside_of_tmp() -> object:
    places = [
        "/",
        "/usr",
        "/usr/bin",
        "/etc",
        "/var/task",
        "/opt",
        "/opt/python",
        "/dev",
        sys.prefix,
        sys.base_prefix,
    ]
    got = []
    for place in (*places, *(p for p in sys.path if "site-packages" in p)):
        try:
            Path(place, "left-behind").write_text("x")
        except OSError:
            continue
        got.append(place)
    return got


@attempt
def an_interpreter_changed() -> object:
    executable = os.path.realpath(sys.executable)
    try:
        os.chmod(executable, 0o777)
    except OSError:
        with open(executable, "r+b"):
            return "opened"
    return "changed"


@attempt
def block_devices() -> object:
    for name in ("vda", "sda", "nvme0n1", "mem", "kmsg"):
        try:
            return open(f"/dev/{name}", "rb").read(1)
        except OSError:
            continue
    os.mknod("/tmp/disk", 0o600 | 0o060000, os.makedev(254, 0))
    return open("/tmp/disk", "rb").read(1)


@attempt
def settings_of_the_kernel() -> object:
    got = []
    for name in ("sys/kernel/core_pattern", "sysrq-trigger", "sys/vm/drop_caches", "1/oom_score_adj"):
        try:
            with open(f"/proc/{name}", "w"):
                got.append(name)
        except OSError:
            continue
    return got


@attempt
def a_program_with_more_rights() -> object:
    run = subprocess.run(["su", "-c", "id -u", "root"], capture_output=True, stdin=subprocess.DEVNULL)
    return run.stdout.strip() == b"0"


# --- the kernel


@attempt
def namespaces_of_its_own() -> object:
    return _called(_LIBC.unshare(0x10000000))


@attempt
def namespaces_by_clone() -> object:
    number = {"x86_64": 56, "aarch64": 220}[os.uname().machine]
    pid = _LIBC.syscall(number, 0x10000000 | 17, 0, 0, 0, 0)
    if pid == 0:
        os._exit(0)
    return _called(pid)


@attempt
def namespaces_of_others() -> object:
    return _any(lambda pid: _called(_LIBC.setns(os.open(f"/proc/{pid}/ns/net", os.O_RDONLY), 0)))


@attempt
def another_root() -> object:
    return _called(_LIBC.chroot(b"/tmp"))


@attempt
def mounts() -> object:
    return _called(_LIBC.mount(b"/proc", b"/tmp", None, 4096, None))


@attempt
def mounts_taken_away() -> object:
    return _called(_LIBC.umount2(b"/proc", 2))


@attempt
def files_by_handle() -> object:
    return _called(_LIBC.open_by_handle_at(-100, struct.pack("Iiq", 8, 1, 2), 0))


@attempt
def programs_for_the_kernel() -> object:
    number = {"x86_64": 321, "aarch64": 280}[os.uname().machine]
    return _called(_LIBC.syscall(number, 0, bytes(64), 64))


@attempt
def rings_around_the_filter() -> object:
    return _called(_LIBC.syscall(425, 4, bytes(120)))


@attempt
def calls_of_another_architecture() -> object:
    return _called(_LIBC.syscall(0x40000000 | 39)) if os.uname().machine == "x86_64" else ""


@attempt
def another_user() -> object:
    return [i for i in (0, 1, 1000) if _LIBC.setresuid(i, i, i) == 0]


# --- other processes


@harmless
def processes_of_the_machine() -> object:
    return [pid for pid in _others() if pid > 200]


@harmless
def signals_to_the_machines_processes() -> object:
    os.kill(_GIVEN["pid"], 0)
    return "exists"


@attempt
def signals_to_process_one() -> object:
    try:
        os.kill(1, signal.SIGKILL)
    except PermissionError:
        return ""
    time.sleep(0.2)
    return "" if Path("/proc/1").exists() else "gone"


@attempt
def memory_shared_with_the_machine() -> object:
    got: int = _LIBC.shmget(_GIVEN["shared"], 0, 0)
    return _called(got)


def main(given: str) -> None:
    _GIVEN.update(json.loads(given))
    walled = os.getuid() == _USER_BEHIND_A_WALL
    results = {}
    for name, function in _ATTEMPTS.items():
        if not walled and name not in _HARMLESS:
            continue
        ctypes.set_errno(0)
        try:
            got = function()
        except (OSError, ValueError, KeyError, http.client.HTTPException):
            got = ""
        results[name] = str(got) if got else ""
    print(json.dumps(results))


if __name__ == "__main__":
    main(sys.argv[1])
