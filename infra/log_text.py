"""The text of a file that people call a log: unpacked where it is packed, refused where it is no text."""

from __future__ import annotations

import codecs
import zlib
from collections.abc import Callable

from functions.core.notify.counts import counted
from infra.errors import Exit, UserError

_GZIP = b"\x1f\x8b"
_PACKED = {b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"\x28\xb5\x2f\xfd": "zstd", b"PK\x03\x04": "zip"}
_MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
# A log that unpacks to more is no log that somebody gives to read, but may be a bomb.
_MOST = 512 * 1024 * 1024
# Of the beginning that is looked at; control characters that logs have: tab, line ends, form feed, escape.
_LOOKED_AT, _SHARE = 64 * 1024, 0.05
_CONTROLS = bytes(set(range(32)) - {7, 8, 9, 10, 12, 13, 27})


def text_of(data: bytes, name: str, note: Callable[[str], object]) -> str:
    """The text of a file; what is not UTF-8 in it is replaced. note: is told of one that is not whole.

    Raises UserError for one that is no text.
    """
    if data.startswith(_GZIP):
        data = _unpacked(data, name, note)
    for mark, encoding in _MARKS.items():
        if data.startswith(mark):
            return data.decode(encoding, "replace")
    head = data[:_LOOKED_AT]
    for magic, kind in _PACKED.items():
        if data.startswith(magic):
            raise _no_text(name, f"is packed ({kind})", "unpack it first; gzip alone is read as it is")
    odd = len(head) - len(head.translate(None, _CONTROLS))
    if odd > len(head) * _SHARE:
        raise _no_text(name, "is no text", "give the log itself, as text or packed with gzip")
    return data.decode("utf-8", "replace")


def _unpacked(data: bytes, name: str, note: Callable[[str], object]) -> bytes:
    """All members of a gzip file, one after another, as loggers that rotate write them."""
    found = bytearray()
    while data.startswith(_GZIP):
        unpacker = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
        try:
            found += unpacker.decompress(data, _MOST - len(found))
        except zlib.error as error:
            raise _no_text(name, f"is a broken gzip file: {error}", "pack it again") from error
        if unpacker.unconsumed_tail:
            raise _no_text(name, "unpacks to over 512 MiB", "give a part of it")
        if not unpacker.eof:
            # As of a log that is still being written: what there is can be read.
            whole = (
                f"{counted(len(found), 'byte')} could be unpacked" if found else "nothing could be unpacked"
            )
            note(f"{name} is a gzip file that is cut off: {whole}")
            break
        data = unpacker.unused_data
    return bytes(found)


def _no_text(name: str, why: str, then: str) -> UserError:
    return UserError(f"{name} {why}", then, exit_code=Exit.USAGE)
