"""Whether the tests of real repositories run: `python tests/bench/bench_repositories.py PATH[@REVISION] ...`.

Each is a clone on this machine. Its dependencies are installed as `selfheal try` installs them, and its tests
run once, behind the wall, without network, on the Python that it names. They count as run when at least nine
in ten of the test files could be collected, and nine in ten of the tests that ran have passed; when time ran
out, of those that ran. Exit code 1 below the target.

    --list FILE      names and revisions from a TOML file, `[[repository]] name, revision, half`
    --clones FOLDER  where the clones of that list are: FOLDER/OWNER+NAME/repo or FOLDER/NAME
    --half NAME      only those: "seen" or "kept"
    --seconds N      for the tests of each repository
"""

from __future__ import annotations

import argparse
import json
import secrets
import sys
import tomllib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from functions.core.apps.app import App
from functions.core.source import archive
from functions.core.source.archive import Member
from functions.fetch_source.interpreter import Word, python_of
from functions.harness import test_runs
from functions.harness.interpreters import available
from functions.harness.job import Job
from functions.harness.test_runs import TestRun
from functions.install_dependencies.install import day_after
from functions.validate_patch import regression_tests
from infra.local.runner import LocalRunner
from infra.trial.dependencies import Prepared, prepare
from infra.trial.source import LocalSource, read_source
from tests.jobs import asked, outcomes_of

TARGET = 0.8
_SHARE = 0.9
_RUNS = 2
_APP = App.from_json("real", {"log_groups": ["local"], "repository": "https://localhost/real"})


@dataclass(frozen=True)
class Row:
    """What came of one repository."""

    name: str
    python: str
    run: TestRun
    dependencies: Prepared
    why: str

    @property
    def ran(self) -> bool:
        """Whether its tests really ran."""
        results = Counter(self.run.results.values())
        told = results["passed"] + results["failed"]
        files = len({name.partition("::")[0] for name in self.run.results}) + len(self.run.uncollected)
        whole = not self.run.problem or self.run.out_of_time
        collected = len(self.run.uncollected) <= (1 - _SHARE) * files
        return whole and told > 0 and collected and results["passed"] >= _SHARE * told


def main() -> int:
    options = _options()
    rows = []
    for name, path, revision in _asked(options):
        row = look(name, path, revision, options.seconds)
        rows.append(row)
        _print(row, verbose=options.verbose)
    ran = sum(row.ran for row in rows)
    share = ran / len(rows) if rows else 0.0
    print(f"the tests run in {ran} of {len(rows)} repositories ({share:.0%}), target {TARGET:.0%}")
    return int(share < TARGET)


def look(name: str, path: Path, revision: str | None, seconds: float) -> Row:
    """Install, and run the tests once, as fetched."""
    source = read_source(path, revision)
    files = {m.path: m.data for m in source.members if m.kind is not archive.MemberKind.SYMLINK}
    python = python_of(_APP, Word, files.get, available(), source.committed)
    given = prepare(files, python.version, day_after(source.committed), lambda text: None)
    run, why = _run(source, python.version, given, seconds)
    return Row(name, python.version, run, given, why)


def _run(source: LocalSource, python: str, given: Prepared, seconds: float) -> tuple[TestRun, str]:
    task = {"kind": "pytest", "args": list(regression_tests.OPTIONS), "first": []}
    plain = {**task, "args": [*regression_tests.OPTIONS, *regression_tests.PLAIN]}
    job = Job(
        nonce=secrets.token_hex(16),
        python=python,
        experiment=asked(
            suite={"task": task, "plain": plain, "seconds": seconds, "left_out": [], "fetched": []}
        ),
        before=archive.pack(source.members),
        # Nothing is to be compared: the second run finds no tests, and ends at once.
        after=archive.pack([Member("nothing.txt", b"")]),
        dependencies=given.archive,
    )
    ran = LocalRunner().run(job)
    told = json.loads(ran.report or b"{}")
    if len(told.get("outcomes", ())) < _RUNS:
        why = str(told.get("problem") or ran.ended)
        return TestRun(why, {}, {}, ()), why
    outcome = outcomes_of(ran.report)[-_RUNS]
    run = test_runs.read(outcome)
    return run, run.problem and f"{run.problem}: {outcome.output[-1500:]}"


def _print(row: Row, *, verbose: bool) -> None:
    results, run = Counter(row.run.results.values()), row.run
    verdict = "runs" if row.ran else "FAILS"
    print(
        f"{verdict:6}{row.name:34} {row.python:5} {results['passed']:6} passed {results['failed']:5} failed"
        f" {results['skipped']:5} skipped {len(run.uncollected):4} not collected of {run.collected:6}"
        f" {'time ran out' if run.out_of_time else ''}",
        flush=True,
    )
    for clause in (*filter(None, [row.dependencies.reason]), *row.dependencies.lost):
        print(f"        {clause[:200]}", flush=True)
    if not row.ran or verbose:
        print(f"        {row.why[-1500:]}")
        raised = Counter(f"{r.type}: {' '.join(r.message.split())[:160]}" for r in run.raised.values())
        for text, count in raised.most_common(8):
            print(f"        {count:5} x {text}", flush=True)


def _asked(options: argparse.Namespace) -> list[tuple[str, Path, str | None]]:
    found: list[tuple[str, Path, str | None]] = []
    for text in options.paths:
        path, _, revision = text.partition("@")
        found.append((path.removesuffix("/repo").rpartition("/")[2], Path(path), revision or None))
    if options.list:
        for row in tomllib.loads(Path(options.list).read_text())["repository"]:
            if options.half in ("", row["half"]):
                owner, _, short = row["name"].partition("/")
                clone = Path(options.clones, f"{owner}+{short}", "repo")
                clone = clone if clone.is_dir() else Path(options.clones, short)
                found.append((f"{short}@{row['revision'][:10]}", clone, row["revision"]))
    return found


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("paths", nargs="*")
    parser.add_argument("--list", default="")
    parser.add_argument("--clones", default=".")
    parser.add_argument("--half", default="", choices=["", "seen", "kept"])
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--verbose", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
