"""Gate 3: the patched files parse, and ruff finds no new undefined name or the like on changed lines.

Ruff knows the syntax of every Python, whichever runs it, so it judges by the app's own. This system's own
parser, by which the gates after this one read, comes second: what it is too old for, and what did not parse
before the patch either, is no finding.
"""

from __future__ import annotations

import ast
import importlib
import json
import subprocess
import tempfile
import threading
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from functions.core.source import engine
from functions.core.workflow.errors import PermanentError
from functions.harness.names import is_test
from functions.validate_patch.candidate import Candidate
from functions.validate_patch.tree import Change, File, Tree

# Errors, not style: E9 syntax and I/O, F821/F822/F823 undefined names, F811 redefinition, F401 an import that
# nothing uses, F63/F7 comparisons and statements that cannot mean what they say, F502-F509 broken % formats.
RUFF_RULES = "E9,F401,F50,F63,F7,F811,F821,F822,F823,PLE"
_SECONDS = 30
_KNOWN_PYTHONS = frozenset(f"3.{minor}" for minor in range(7, 16))


@dataclass(frozen=True, slots=True)
class Checked:
    """findings: what speaks against the patch; unread: why changed files cannot be judged by reading them."""

    findings: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Report:
    """What ruff says of one tree: the first syntax error of a file, and everything else in order."""

    broken: dict[str, tuple[int, str]]
    others: list[tuple[str, int, str, str]]
    """(path, line, rule, message)"""


def check(candidate: Candidate) -> Checked:
    """Syntax errors, and what ruff reports of the patched files that it did not report before."""
    changes = [change for change in candidate.python_changes if change.after is not None]
    if not changes:
        return Checked()
    if deep := [(change, problem) for change in changes if (problem := _too_deep(change.after))]:
        by_patch = tuple(f"{c.path}: {problem}" for c, problem in deep if not _too_deep(c.before))
        return Checked(by_patch, tuple(f"{c.path}: {problem}" for c, problem in deep))
    with tempfile.TemporaryDirectory(prefix="self-heal-") as folder:
        trees = {"before": candidate.before, "after": candidate.after}
        paths = [change.path for change in changes]
        reports = _ruff(Path(folder), trees, paths, candidate.context.python.version)
    before, after = reports["before"], reports["after"]
    findings: list[str] = []
    unread: list[str] = []
    for change in changes:
        new, why_not = _parsing(candidate, change, before.broken, after.broken)
        findings += filter(None, (new,))
        unread += filter(None, (why_not,))
    if not findings:
        findings += _new(before, after)
    return Checked(tuple(findings), tuple(unread))


_DEEPEST = 100
"""Of nodes one within the other. The deepest file of Python 3.11's standard library has 33."""


def _too_deep(file: File | None) -> str:
    """Why a file cannot be read by programs that go down into it, though it may be right; "" if it can be."""
    try:
        level: list[ast.AST] = [ast.parse(file.data if file is not None else b"")]
    except (RecursionError, MemoryError):
        return "does not parse: it is nested too deeply"
    except (SyntaxError, ValueError) as error:
        return "does not parse: it is nested too deeply" if "too many nested" in str(error) else ""
    for _ in range(_DEEPEST):
        level = [inner for node in level for inner in ast.iter_child_nodes(node)]
        if not level:
            return ""
    return f"does not parse: it is nested more than {_DEEPEST} levels deep"


def _parsing(
    candidate: Candidate,
    change: Change,
    before: dict[str, tuple[int, str]],
    after: dict[str, tuple[int, str]],
) -> tuple[str, str]:
    """The finding, and why the file cannot be judged by reading it."""
    path, python = change.path, candidate.context.python
    old = change.before.data if change.before else b""
    new = change.after.data if change.after else b""
    broken = engine.syntax_error(path, new)
    if path in before or (engine.syntax_error(path, old) and not engine.too_new(path, old, python)):
        still = f"{path} does not parse, without the patch as with it: make it parse first"
        return "", still if broken else ""
    if path in after:
        line, message = after[path]
        return f"{path}:{line}: does not parse: {message}", ""
    for source in (old, new):
        if too_new := engine.too_new(path, source, python):
            return "", f"{too_new}. {engine.what_to_do(python)}"
    return broken, ""


def _new(before: _Report, after: _Report) -> list[str]:
    found = []
    known = Counter((path, code, text) for path, _, code, text in before.others)
    for path, line, code, text in after.others:
        if known[path, code, text] > 0:
            known[path, code, text] -= 1
        elif code != "F401" or not is_test(path):  # an import too many in a test harms nobody
            found.append(f"{path}:{line}: {code} {text}")
    return found


_FINDING = threading.Lock()


def _ruff(folder: Path, trees: dict[str, Tree], paths: list[str], python: str) -> dict[str, _Report]:
    """A report per tree, from one call of ruff over both."""
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
    reports = {name: _Report({}, []) for name in trees}
    for row in json.loads(run.stdout):
        tree_name, _, path = Path(row["filename"]).relative_to(folder.resolve()).as_posix().partition("/")
        report, line, message = reports[tree_name], row["location"]["row"], row["message"]
        if row["code"] in (None, _SYNTAX):
            report.broken.setdefault(path, (line, message))
        else:
            report.others.append((path, line, row["code"], message))
    return reports


_SYNTAX = "invalid-syntax"
"""Ruff's name for a syntax error; older releases give none."""


def _ruff_binary() -> str:
    # Python fills sysconfig, which ruff asks, at its first use, and two threads at once must not.
    with _FINDING:
        return str(importlib.import_module("ruff").find_ruff_bin())
