"""Source archives: same tree, same bytes; and nothing in an archive reaches outside its directory."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from functions.core.source.archive import ArchiveLimits, Member, MemberKind, members_of, pack, read
from functions.core.workflow.errors import ArchiveUnsafe, SourceTooLarge

TREE = [
    Member("orders/pricing.py", b"def total():\n    return 1\n"),
    Member("README.md", b"# Orders\n"),
    Member("bin/run", b"#!/bin/sh\n", MemberKind.EXECUTABLE),
    Member("latest", b"orders/pricing.py", MemberKind.SYMLINK),
    Member("docs/gr\u00fc\u00dfe.txt", b"\xff\xfe"),
    Member("empty.py", b""),
]


def tar_of(*infos: tarfile.TarInfo, body: bytes = b"x") -> bytes:
    """An archive as a stranger would make it, without any of the checks of `pack`."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for info in infos:
            if info.isreg():
                info.size = len(body)
            tar.addfile(info, io.BytesIO(body))
    return buffer.getvalue()


def entry(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


def test_pack_and_read_keep_every_member() -> None:
    assert list(read(pack(TREE))) == sorted(TREE, key=lambda member: member.path)


def test_same_tree_in_another_order_gives_the_same_bytes() -> None:
    assert pack(TREE) == pack(reversed(TREE))


def test_a_directory_survives_the_round_trip(tmp_path: Path) -> None:
    source = tmp_path / "source"
    for member in TREE:
        path = source / member.path
        path.parent.mkdir(parents=True, exist_ok=True)
        if member.kind is MemberKind.SYMLINK:
            path.symlink_to(os.fsdecode(member.data))
        else:
            path.write_bytes(member.data)
            path.chmod(0o755 if member.kind is MemberKind.EXECUTABLE else 0o600)
    (source / ".git").mkdir()
    (source / ".git" / "config").write_text("[core]")
    (source / "packages").symlink_to("orders")

    first = pack(members_of(source))
    found = {member.path: member for member in read(first)}
    assert len(found) == len(TREE) + 1
    assert found["bin/run"].kind is MemberKind.EXECUTABLE
    assert found["packages"] == Member("packages", b"orders", MemberKind.SYMLINK)


def test_pack_leaves_out_links_that_point_outside() -> None:
    links = [
        Member("a/up", b"../../etc/passwd", MemberKind.SYMLINK),
        Member("abs", b"/etc/passwd", MemberKind.SYMLINK),
        Member("a/ok", b"../README.md", MemberKind.SYMLINK),
    ]
    assert [member.path for member in read(pack(links))] == ["a/ok"]


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "../up", "a/../../up", "a//b", "./a", "", "a\0b", ".git/config", "x/.GIT/hooks"]
)
def test_pack_refuses_paths_that_are_not_plain(path: str) -> None:
    with pytest.raises(ArchiveUnsafe):
        pack([Member(path, b"")])


def test_pack_refuses_two_members_with_one_path() -> None:
    with pytest.raises(ArchiveUnsafe, match=r"README\.md"):
        pack([TREE[1], TREE[1]])


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ([entry("../up")], "plain path"),
        ([entry("/abs")], "plain path"),
        ([entry(".git/hooks/post-checkout")], "plain path"),
        ([entry("link", tarfile.SYMTYPE, "/etc"), entry("link/passwd")], "links outside"),
        ([entry("link", tarfile.SYMTYPE, "a/../../x")], "links outside"),
        ([entry("link", tarfile.SYMTYPE, "dir"), entry("link/passwd")], "over or below"),
        ([entry("a/b"), entry("a", tarfile.SYMTYPE, "c")], "over or below"),
        ([entry("a"), entry("a")], "over or below"),
        ([entry("hard", tarfile.LNKTYPE, "/etc/passwd")], "neither a file nor a symlink"),
        ([entry("pipe", tarfile.FIFOTYPE)], "neither a file nor a symlink"),
        ([entry("dev", tarfile.CHRTYPE)], "neither a file nor a symlink"),
    ],
)  # fmt: skip
def test_hostile_members_are_refused(members: list[tarfile.TarInfo], reason: str) -> None:
    with pytest.raises(ArchiveUnsafe, match=reason):
        list(read(tar_of(*members)))


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[: len(data) // 2],
        lambda data: b"no archive",
        lambda data: gzip.compress(b"\1" * 999),
        lambda data: data[:40] + b"\xff" * 20 + data[60:],
    ],
    ids=["empty", "cut off", "not gzip", "not tar", "damaged"],
)
def test_a_broken_archive_is_said_to_be_broken(damage: Callable[[bytes], bytes]) -> None:
    with pytest.raises(ArchiveUnsafe):
        list(read(damage(pack(TREE))))


def test_limits_hold_on_the_way_in_and_out() -> None:
    tight = ArchiveLimits(members=3, bytes=100)
    with pytest.raises(SourceTooLarge, match="allowed are 3 files"):
        pack(TREE, tight)
    with pytest.raises(SourceTooLarge):
        pack([Member("big", b"x" * 101)], tight)
    with pytest.raises(SourceTooLarge):
        list(read(pack(TREE), tight))
    with pytest.raises(SourceTooLarge):
        list(read(pack([Member("big", b"x" * 101)]), tight))


def test_a_gzip_bomb_is_stopped_before_it_unfolds() -> None:
    # Given 64 MB of zeros behind a header that claims a small file and a long name
    bomb = tarfile.TarInfo("x")
    bomb.size = 64 * 1024 * 1024
    header = bomb.tobuf()
    data = gzip.compress(header + bytes(bomb.size))
    with pytest.raises(SourceTooLarge):
        list(read(data, ArchiveLimits(members=10, bytes=1000)))
    pax = tarfile.TarInfo("p")
    pax.type, pax.size = tarfile.XHDTYPE, 64 * 1024 * 1024
    with pytest.raises(SourceTooLarge):
        list(read(gzip.compress(pax.tobuf() + bytes(pax.size)), ArchiveLimits(members=10, bytes=1000)))
