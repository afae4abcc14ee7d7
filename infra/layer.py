"""The layer of the light functions: the libraries that they import, as they are installed and tested here.

It is made of the installed packages' own files, each held against the hash that its wheel recorded, so the
synthesis needs no network, and no version of a layer that somebody else owns can vanish under a deployment.
Only Python files: where a package also has compiled modules, it does without them, so the layer fits every
architecture. What Lambda's Python runtime brings (boto3 and what it needs) is left out; a function that
needs a newer one is no light function.
"""

from __future__ import annotations

import base64
import hashlib
from importlib import metadata
from pathlib import PurePosixPath

from infra.packaging import LOCK, Tree, closure, locked_versions

IMPORTED = ("aws-lambda-powertools[tracer]", "Jinja2", "MarkupSafe", "Pygments", "tzdata", "urllib3")
"""What light functions import; `closure` adds what these need."""

IN_RUNTIME = frozenset({"boto3", "botocore", "s3transfer", "python-dateutil", "six"})
"""https://docs.aws.amazon.com/lambda/latest/dg/lambda-python.html#python-runtime-sdk-included"""

# Compiled modules are for one interpreter and platform. All of these packages have the same in Python.
_COMPILED = frozenset({".so", ".pyd", ".pyc", ".pyi"})


def packages() -> tuple[str, ...]:
    """Canonical names of the layer's packages."""
    return tuple(sorted(closure(IMPORTED) - IN_RUNTIME))


def layer_tree() -> Tree:
    """The layer's files. Raises LookupError when what is installed here is not what the lock says."""
    locked = locked_versions()
    files: dict[str, bytes] = {}
    for name in packages():
        if metadata.version(name) != locked[name]:
            raise LookupError(
                f"{name} is installed in version {metadata.version(name)}, and {LOCK.name} says"
                f" {locked[name]}; set the environment up again"
            )
        files |= _files(name)
    return files


def _files(name: str) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for file in metadata.files(name) or ():
        path = PurePosixPath(file)
        if ".." in path.parts or path.suffix in _COMPILED or path.parts[0].endswith((".dist-info", ".data")):
            continue
        content = file.read_binary()
        if file.hash is None or file.hash.mode != "sha256" or file.hash.value != _recorded(content):
            raise LookupError(f"{name}: {path} is not what its wheel brought; set the environment up again")
        found[f"python/{path}"] = content
    return found


def _recorded(content: bytes) -> str:
    """A hash as a wheel's RECORD spells it (PEP 376)."""
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
