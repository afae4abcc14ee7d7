"""A Python that is linked as AWS's is: it starts only where LD_LIBRARY_PATH leads to its library."""

from __future__ import annotations

import os
import sys
from pathlib import Path

HERE = "{}.{}".format(*sys.version_info[:2])


def loaded_by_path(folder: Path) -> tuple[Path, Path]:
    """(executable, library directory) of a CPython of the version that runs the tests, in `folder`/pythons as
    in the runner's image.

    It is a copy in which the name of a library that it needs is another, of equal length, that only the
    directory has.
    """
    program = Path(os.path.realpath(sys.executable)).read_bytes()
    needed = next(
        path
        for path in sorted(_loaded(), key=lambda path: not path.name.startswith("libpython"))
        if f"\0{path.name}\0".encode() in program and not path.name.startswith("libc.")
    )
    renamed = needed.name.replace("lib", "LIB", 1)
    prefix, libraries = folder / "pythons" / HERE, folder / "libraries"
    libraries.mkdir()
    (libraries / renamed).symlink_to(needed)
    executable = prefix / "bin" / f"python{HERE}"
    executable.parent.mkdir(parents=True)
    executable.write_bytes(program.replace(f"\0{needed.name}\0".encode(), f"\0{renamed}\0".encode()))
    executable.chmod(0o755)
    (prefix / "lib").symlink_to(Path(sys.base_prefix, "lib"))
    return executable, libraries


def _loaded() -> set[Path]:
    """The shared libraries that this process has loaded."""
    maps = Path("/proc/self/maps").read_text().splitlines()
    return {Path(line.split()[-1]) for line in maps if ".so" in line.rsplit("/", 1)[-1]}
