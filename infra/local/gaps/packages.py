"""Deployment packages and layers, unpacked once for all environments that show them."""

from __future__ import annotations

import contextlib
import hashlib
import io
import shutil
import tempfile
import zipfile
from compileall import compile_dir
from pathlib import Path
from py_compile import PycInvalidationMode


def _home() -> Path:
    return Path(tempfile.gettempdir())


def unpacked(*packages: bytes) -> Path:
    """The directory with the packages' files, later over earlier ones; made once, shared by its workers."""
    name = hashlib.sha256(b"".join(hashlib.sha256(package).digest() for package in packages)).hexdigest()[:16]
    directory = _home() / "code" / name
    if not directory.exists():
        scratch = Path(tempfile.mkdtemp(dir=_home()))
        scratch.chmod(0o755)
        for package in packages:
            _unpack(package, scratch)
        # Environments cannot write: each would compile what it imports. Deployed packages bring it, too.
        compile_dir(scratch, quiet=2, invalidation_mode=PycInvalidationMode.UNCHECKED_HASH)
        directory.parent.mkdir(exist_ok=True)
        with contextlib.suppress(OSError):  # Another worker of the same package was faster.
            scratch.rename(directory)
        shutil.rmtree(scratch, ignore_errors=True)
    return directory


def _unpack(package: bytes, directory: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(package)) as archive:
        for info in archive.infolist():
            path = Path(archive.extract(info, directory))
            # Whoever packed it may have kept it to themselves: here another user reads it.
            path.chmod((info.external_attr >> 16 & 0o777 or 0o644) | (0o755 if path.is_dir() else 0o444))
