"""What the worker does once it is isolated: run pytest, a command, or the search for failing inputs.

What happened is reported as JSON lines on a descriptor that was opened before any code under test ran. Code
under test shares this process and could write there too; the reader checks that the whole story is
consistent (`functions/validate_patch/outcomes.py`) and the rules against tampering do the rest.
"""

from __future__ import annotations

import os
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from functions.validate_patch.sandbox.reporter import Reporter
from functions.validate_patch.sandbox.tracer import Tracer
from functions.validate_patch.search import explore


def run(task: dict[str, Any], root: str, report: int, dependencies: str = "") -> int:
    """Do the task in `root`, the current directory; returns the exit code.

    dependencies: a directory of packages to import from, "" for none.

    `{"kind": "pytest", "args": [...], "first": [files whose tests run first]}`, with `"trace"` (see
    `functions/validate_patch/sandbox/tracer.py`) to tell what the tests execute instead of how they end,
    `{"kind": "command", "args": [...]}` or
    `{"kind": "search", ...}` (see `functions/validate_patch/search/explore.py`).
    """
    if task["kind"] == "command":
        os.execvp(task["args"][0], task["args"])  # noqa: S606 - the app's own command, as a list
    _forget_this_project(root, dependencies)
    if task["kind"] == "search":
        return explore.explore(task, root, report)
    arguments = [*_plugins(dependencies), *task["args"]]
    sys.argv = ["pytest", *arguments]
    if "trace" in task:
        return int(pytest.main(arguments, plugins=[Tracer(root, report, task["trace"])]))
    return int(pytest.main(arguments, plugins=[Reporter(root, report, task.get("first", []))]))


def _plugins(dependencies: str) -> list[str]:
    """Options that load the pytest plugins among the repository's dependencies, and no others."""
    found = metadata.distributions(path=[dependencies]) if dependencies else ()
    modules = {point.module for one in found for point in one.entry_points.select(group="pytest11")}
    return [argument for module in sorted(modules) for argument in ("-p", module)]


def _forget_this_project(root: str, dependencies: str) -> None:
    """Make room for packages of the repository that are named like ours, and put it on the path."""
    for name in [n for n in sys.modules if n.partition(".")[0] in ("functions", "infra")]:
        del sys.modules[name]
    own = str(Path(__file__).resolve().parents[3])
    paths = [p for p in sys.path if p not in ("", own)]
    source = [f"{root}/src"] if Path(root, "src").is_dir() else []
    sys.path[:] = [root, *source, *([dependencies] if dependencies else []), *paths]
