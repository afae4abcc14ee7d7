"""How long each function's package takes to start cold. Run: `python tests/bench/bench_cold.py`.

Each package is staged as it is deployed, beside what Lambda's runtime brings and nothing else of this
environment (images: beside everything that is installed here), and its handler is imported by a fresh
interpreter. The CPU time that it takes, divided by the share of a CPU that Lambda gives at the function's
memory, is how long it takes there; so it does not matter how busy this machine is. "source" is a package
without bytecode, which Lambda compiles anew at each cold start, since it can write nothing beside it;
"shipped" is one with it, which is deployed where an interpreter of the functions' version is found.

Not in these figures: fetching the package, starting the runtime, and that Lambda lends more CPU at first.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from compileall import compile_dir
from importlib import metadata
from pathlib import Path
from py_compile import PycInvalidationMode

from infra.catalog import EVERY
from infra.layer import layer_tree
from infra.packaging import handler, source, write
from infra.spec import Spec

ROUNDS = 3
WHOLE_CPU = 1769
"""MB at which a function has one vCPU: https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html"""
IN_RUNTIME = ("boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six", "urllib3")
# Lambda on arm64 and x86_64 in us-east-1, 2026: USD per GB and second. https://aws.amazon.com/lambda/pricing/
ARM, X86 = 0.0000133334, 0.0000166667


def start(spec: Spec, paths: list[Path], share: float) -> float:
    """Seconds until the handler's module is imported, in a fresh interpreter with that share of a CPU."""
    module = handler(spec).rpartition(".")[0]
    code = f"import sys; sys.path[:0] = {[str(p) for p in paths]!r}; import {module}"
    process = subprocess.Popen([sys.executable, "-ISB", "-c", code])
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{spec.folder} does not start")
    return (used.ru_utime + used.ru_stime) / share


def main() -> None:
    site = Path(str(metadata.distribution("boto3").locate_file("")))
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (runtime := folder / "runtime").mkdir()
        for name in IN_RUNTIME:
            found = next(path for path in (site / name, site / f"{name}.py") if path.exists())
            (runtime / found.name).symlink_to(found)
        plain = write(layer_tree(), folder / "plain")
        compiled = folder / "compiled"
        shutil.copytree(plain, compiled)
        compile_dir(compiled, quiet=2, invalidation_mode=PycInvalidationMode.UNCHECKED_HASH)
        print(f"{'function':22}{'MB':>6}{'CPU':>6}{'source':>9}{'shipped':>9}   seconds, median of {ROUNDS}")
        for spec in EVERY:
            share = min(1.0, spec.memory / WHOLE_CPU)
            own = write(source(spec), folder / f"{spec.folder}-plain")
            ours = folder / f"{spec.folder}-compiled"
            shutil.copytree(own, ours)
            compile_dir(ours, quiet=2, invalidation_mode=PycInvalidationMode.UNCHECKED_HASH)
            variants = (
                ([own, site], [ours, site])
                if spec.image
                else ([own, plain / "python", runtime], [ours, compiled / "python", runtime])
            )
            took = [statistics.median(start(spec, v, share) for _ in range(ROUNDS)) for v in variants]
            kind = "image" if spec.image else "zip"
            print(f"{spec.folder:22}{spec.memory:6}{share:6.2f}{took[0]:9.2f}{took[1]:9.2f}   {kind}")
    print(f"zips run on arm64: ${ARM * 1e6:.2f} for a million GB-seconds, x86_64 ${X86 * 1e6:.2f}", end="")
    print(f" ({1 - ARM / X86:.0%} less)")


if __name__ == "__main__":
    main()
