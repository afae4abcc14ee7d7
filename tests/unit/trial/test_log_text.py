"""What is given as a log: text, packed text, or something else."""

from __future__ import annotations

import bz2
import gzip

import pytest

from infra.errors import Exit, UserError
from infra.log_text import text_of

LOG = "2026-11-20 [ERROR] KeyError: 'NZ'\n\tat\x1b[31m red\x1b[0m\n" * 50
PACKED = gzip.compress(LOG.encode(), mtime=0)


@pytest.mark.parametrize(
    "data",
    [
        LOG.encode(),
        PACKED,
        LOG.encode("utf-8-sig"),
        LOG.encode("utf-16"),
        gzip.compress(LOG[:99].encode()) + gzip.compress(LOG[99:].encode()),
    ],
    ids=["text", "gzip", "with a mark", "UTF-16", "gzip in two members"],
)
def test_a_log_is_read_however_it_is_kept(data: bytes) -> None:
    assert text_of(data, "error.log", pytest.fail) == LOG


def test_of_a_gzip_file_that_is_still_being_written_what_there_is_is_read() -> None:
    said: list[str] = []
    text = text_of(PACKED[:-20], "error.log.gz", said.append)
    assert LOG.startswith(text)
    assert said == [f"error.log.gz is a gzip file that is cut off: {len(text):,} bytes could be unpacked"]
    text_of(PACKED[:10], "cut.gz", said.append)
    assert said[1:] == ["cut.gz is a gzip file that is cut off: nothing could be unpacked"]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (bytes(range(256)) * 20, "x is no text"),
        (b"\x7fELF" + bytes(500), "x is no text"),
        (gzip.compress(bytes(range(256)) * 20), "x is no text"),
        (bz2.compress(LOG.encode()), "x is packed .bzip2."),
        (b"PK\x03\x04" + LOG.encode(), "x is packed .zip."),
        (PACKED[:10] + b"\xff" * 50, "x is a broken gzip file"),
    ],
    ids=["bytes", "ELF", "bytes in gzip", "bzip2", "zip", "broken gzip"],
)
def test_what_is_no_text_is_said_to_be_what_it_is(data: bytes, why: str) -> None:
    with pytest.raises(UserError, match=why) as told:
        text_of(data, "x", pytest.fail)
    assert told.value.exit_code is Exit.USAGE
    assert told.value.next_step


def test_what_unpacks_to_more_than_a_log_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infra.log_text._MOST", 1000)
    with pytest.raises(UserError, match="unpacks to over"):
        text_of(PACKED, "x", pytest.fail)
