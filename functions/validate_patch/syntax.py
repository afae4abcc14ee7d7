"""Gate 3: the patched files parse, and ruff finds no new undefined name or the like on changed lines."""

from __future__ import annotations

import ast
import importlib
import json
import subprocess
import tempfile
import threading
from collections import Counter
from pathlib import Path

from functions.core.errors import PermanentError
from functions.harness.names import is_test
from functions.validate_patch.candidate import Candidate
from functions.validate_patch.tree import Tree

# Errors, not style: E9 syntax and I/O, F821/F822/F823 undefined names, F811 redefinition, F401 an import that
# nothing uses, F63/F7 comparisons and statements that cannot mean what they say, F502-F509 broken % formats.
RUFF_RULES = "E9,F401,F50,F63,F7,F811,F821,F822,F823,PLE"
_SECONDS = 30
_KNOWN_PYTHONS = frozenset(f"3.{minor}" for minor in range(7, 16))


def findings(candidate: Candidate) -> tuple[str, ...]:
    """Syntax errors, and what ruff reports of the patched files that it did not report before."""
    found = []
    for change in candidate.python_changes:
        if change.after is None:
            continue
        try:
            ast.parse(change.after.data, change.path)
        except SyntaxError as error:
            found.append(f"{change.path}:{error.lineno}: does not parse: {error.msg}")
        except ValueError as error:
            found.append(f"{change.path}: does not parse: {error}")
    if found:
        return tuple(found)
    paths = [change.path for change in candidate.python_changes if change.after is not None]
    if not paths:
        return ()
    with tempfile.TemporaryDirectory(prefix="self-heal-") as folder:
        trees = {"before": candidate.before, "after": candidate.after}
        reports = _ruff(Path(folder), trees, paths, candidate.facts.python.version)
    known = Counter((path, code, text) for path, _, code, text in reports["before"])
    for path, line, code, text in reports["after"]:
        if known[path, code, text] > 0:
            known[path, code, text] -= 1
        elif code != "F401" or not is_test(path):  # an import too many in a test harms nobody
            found.append(f"{path}:{line}: {code} {text}")
    return tuple(found)


_FINDING = threading.Lock()
_Report = tuple[str, int, str, str]


def _ruff(folder: Path, trees: dict[str, Tree], paths: list[str], python: str) -> dict[str, list[_Report]]:
    """(path, line, rule, message) per tree, from one call of ruff over both."""
    for name, tree in trees.items():
        for path in paths:
            if path in tree:
                target = folder / name / path
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(tree[path].data)
    arguments = ["check", "--isolated", "--no-cache", "--output-format=json", f"--select={RUFF_RULES}"]
    if python in _KNOWN_PYTHONS:  # syntax of a later version is an error then
        arguments.append(f"--target-version=py{python.replace('.', '')}")
    # Comments in the files must not switch the check off.
    arguments += ["--ignore-noqa", "--quiet", "--exit-zero", "--ignore=E902", "."]
    run = subprocess.run(
        [_ruff_binary(), *arguments], cwd=folder, capture_output=True, timeout=_SECONDS, check=False
    )
    if run.returncode != 0:
        raise PermanentError(f"ruff failed: {run.stderr.decode(errors='replace')[-500:]}")
    reports: dict[str, list[_Report]] = {name: [] for name in trees}
    for row in json.loads(run.stdout):
        tree_name, _, path = Path(row["filename"]).relative_to(folder.resolve()).as_posix().partition("/")
        line = row["location"]["row"]
        reports[tree_name].append((path, line, row["code"] or "syntax error", row["message"]))
    return reports


def _ruff_binary() -> str:
    # Python fills sysconfig, which ruff asks, at its first use, and two threads at once must not.
    with _FINDING:
        return str(importlib.import_module("ruff").find_ruff_bin())
