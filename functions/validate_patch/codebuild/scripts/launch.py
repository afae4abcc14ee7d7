"""Runs in the build: pytest once, in the current directory, told by a JSON object on standard input.

Apart from `drive.py`, whose process code under test must not share. Standard library and pytest only.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from pathlib import Path
from typing import Any

# Plugins that would run tests elsewhere or several times, and what makes them leave it.
_TAMED = {"xdist": "-n0", "pytest_rerunfailures": "--reruns=0"}


def main() -> int:
    job: dict[str, Any] = json.load(sys.stdin)
    with Path(os.devnull).open() as nothing:
        os.dup2(nothing.fileno(), 0)

    import pytest

    from functions.validate_patch.sandbox.reporter import Reporter

    root = str(Path.cwd())
    _forget_ourselves(root)
    loaded = not os.environ.get("PYTEST_DISABLE_PLUGIN_AUTOLOAD")
    tamed = [option for plugin, option in _TAMED.items() if loaded and importlib.util.find_spec(plugin)]
    arguments = [*job["args"], *tamed]
    sys.argv = ["pytest", *arguments]
    return int(pytest.main(arguments, plugins=[Reporter(root, job["report"], job.get("first", []))]))


def _forget_ourselves(root: str) -> None:
    """Make room for packages of the repository that are named like ours, and put it on the path."""
    for name in [n for n in sys.modules if n.partition(".")[0] == "functions"]:
        del sys.modules[name]
    own = str(Path(__file__).resolve().parent)
    source = [f"{root}/src"] if Path(root, "src").is_dir() else []
    sys.path[:] = [root, *source, *(path for path in sys.path if path not in ("", own))]


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # what the tests left behind has no say in how the run ends
