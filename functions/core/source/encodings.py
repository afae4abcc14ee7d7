"""The encoding of a source file."""

from __future__ import annotations

import io
import tokenize


def encoding_of(path: str, data: bytes) -> str:
    """`utf-8`, also behind a byte order mark, or what a Python file declares (PEP 263).

    Raises SyntaxError where Python does. A declared name need not stand for an encoding of text: decoding may
    raise LookupError and UnicodeError.
    """
    if not path.endswith((".py", ".pyi")):
        return "utf-8"
    encoding = tokenize.detect_encoding(io.BytesIO(data).readline)[0]
    return "utf-8" if encoding == "utf-8-sig" else encoding
