"""What a worker does, and the only place where strangers' code runs: pytest, a command, or the search.

What happened is reported as JSON lines on a descriptor that was opened before any code under test ran. Code
under test shares this process and could write there too; the reader checks that the whole story is consistent
(`test_runs.py`) and the rules against tampering do the rest.
"""

from __future__ import annotations

import os
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from functions.harness.report import write_line


def run(task: dict[str, Any], root: str, report: int, dependencies: str = "") -> int:
    """Do the task in `root`, the current directory; returns the exit code.

    dependencies: a directory of packages to import from, "" for none.

    `{"kind": "pytest", "args": [...], "first": [files whose tests run first]}`, with `"trace"` (see
    `tracer.py`) to tell what the tests execute instead of how they end,
    `{"kind": "command", "args": [...]}` or `{"kind": "search", ...}` (see `search/explore.py`).
    """
    if dependencies:
        # What is installed can be imported by the programs that tests start, too, and so can the project.
        os.environ["PYTHONPATH"] = os.pathsep.join(_paths(root, dependencies))
    if task["kind"] == "command":
        os.execvp(task["args"][0], task["args"])  # noqa: S606 - the app's own command, as a list
    from functions.harness.audit import AuditRecorder

    AuditRecorder(root, report, dependencies).start()
    if task["kind"] == "search":
        from functions.harness.search import explore

        _forget_this_project(root, dependencies)
        return explore.explore(task, root, report)
    return _pytest(task, root, report, dependencies)


def _pytest(task: dict[str, Any], root: str, report: int, dependencies: str) -> int:

    from functions.harness.reporter import Reporter
    from functions.harness.tracer import Tracer

    _forget_this_project(root, dependencies)
    # Whatever lies above the tree says nothing about how its tests run.
    arguments = [f"--rootdir={root}", f"--confcutdir={root}", *task["args"], *_options(dependencies)]
    sys.argv = ["pytest", *arguments]
    if "trace" not in task:
        return _main(arguments, Reporter(root, report, task.get("first", [])), dependencies)
    tracer = Tracer(root, report, task["trace"])
    tracer.start()
    code = _main(arguments, tracer, dependencies)
    write_line(report, {"end": True})
    return code


_OPTIONS = {
    # Tests run here, one after another, where each is told as it ends.
    "xdist": ("-n0",),
    # Measuring is slow, stands in the way of what is traced here, and may turn a passed run into a failed
    # one.
    "pytest_cov": ("--no-cov",),
    # The same order and the same seed on both trees.
    "randomly": ("-p", "no:randomly"),
    "random_order": ("-p", "no:random_order"),
    # A test that passes at times is told as what it is.
    "rerunfailures": ("--reruns=0",),
}
"""Plugin, by the name of its entry point → options that come last, so that they win over the repository's
own."""


def _options(dependencies: str) -> list[str]:
    """What plugins among the dependencies are told. pytest loads these itself, as it would where they are
    installed: one that is loaded by hand is not rewritten, or loaded twice, which `filterwarnings = error`
    makes an error."""
    plugins = {point.name for point in _plugins(dependencies)}
    return [option for name, options in _OPTIONS.items() if name in plugins for option in options]


def _main(arguments: list[str], own: object, dependencies: str) -> int:
    """Run pytest, without plugins that cannot be imported here: they would end every run before its start."""
    import pytest

    broken = []
    try:
        return int(pytest.main(arguments, plugins=[own]))
    except Exception:
        broken = [point.name for point in _plugins(dependencies) if not _loads(point)]
        if not broken:
            raise
    # Outside of the handler: what tests raise has nothing to do with it.
    sys.stderr.write(f"without plugins that cannot be imported: {', '.join(broken)}\n")
    without = [option for name in broken for option in ("-p", f"no:{name}")]
    return int(pytest.main([*arguments, *without], plugins=[own]))


def _plugins(dependencies: str) -> list[metadata.EntryPoint]:
    """pytest's plugins among the dependencies."""
    found = metadata.distributions(path=[dependencies]) if dependencies else ()
    return [point for one in found for point in one.entry_points if point.group == "pytest11"]


def _loads(point: metadata.EntryPoint) -> bool:
    try:
        point.load()
    except Exception:  # noqa: BLE001 - a plugin may raise anything
        return False
    return True


def _forget_this_project(root: str, dependencies: str) -> None:
    """Make room for packages of the repository that are named like ours, and put it on the path."""
    for name in [n for n in sys.modules if n.partition(".")[0] in ("functions", "infra")]:
        del sys.modules[name]
    own = str(Path(__file__).resolve().parents[2])
    paths = [p for p in sys.path if p not in ("", own)]
    sys.path[:] = [*_paths(root, dependencies), *paths]


def _paths(root: str, dependencies: str) -> list[str]:
    source = [f"{root}/src"] if Path(root, "src").is_dir() else []
    return [root, *source, *([dependencies] if dependencies else [])]
