"""Deployment packages and layers, unpacked once for all environments that show them.

As on Lambda that is done when a function is made or its code changed, not when it is first called: there a
function is `Pending` meanwhile, and its cold start finds code that is laid out.
https://docs.aws.amazon.com/lambda/latest/dg/functions-states.html
"""

from __future__ import annotations

import hashlib
import io
import tempfile
import threading
import zipfile
from collections.abc import Callable
from compileall import compile_dir
from pathlib import Path
from py_compile import PycInvalidationMode

_at_work = threading.Lock()


def ahead(task: Callable[..., object], *given: object) -> None:
    """Have something made before it is asked for. Where it fails, it fails again when it is."""
    threading.Thread(target=task, args=given, daemon=True).start()


def _home() -> Path:
    return Path(tempfile.gettempdir())


def unpacked(*packages: bytes) -> Path:
    """The directory with the packages' files, later over earlier ones; made once, shared by its workers."""
    name = hashlib.sha256(b"".join(hashlib.sha256(package).digest() for package in packages)).hexdigest()[:16]
    directory = _home() / "code" / name
    with _at_work:  # Whoever asks for what is being unpacked waits for it.
        if not directory.exists():
            _lay_out(packages, directory)
    return directory


def _lay_out(packages: tuple[bytes, ...], directory: Path) -> None:
    scratch = Path(tempfile.mkdtemp(dir=_home()))
    scratch.chmod(0o755)
    for package in packages:
        _unpack(package, scratch)
    # Environments cannot write: each would compile what it imports. Deployed packages bring it, too.
    compile_dir(scratch, quiet=2, invalidation_mode=PycInvalidationMode.UNCHECKED_HASH)
    directory.parent.mkdir(exist_ok=True)
    scratch.rename(directory)


def _unpack(package: bytes, directory: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(package)) as archive:
        for info in archive.infolist():
            path = Path(archive.extract(info, directory))
            # Whoever packed it may have kept it to themselves: here another user reads it.
            path.chmod((info.external_attr >> 16 & 0o777 or 0o644) | (0o755 if path.is_dir() else 0o444))
