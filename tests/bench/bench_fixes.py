"""How patches of real crashes are judged: `python tests/bench/bench_fixes.py --clones FOLDER [--half
seen|kept]`.

For each fix in `tests/data/real/fixes.toml` (a repository and a commit, nothing of them): the fix's tests are
run on its parent, what they raise is logged as a service would log it, and `selfheal try` judges upstream's
fix with and without its tests, and patches that swallow the error, invent or echo a result, or make the case
a special one. The repository's tests are the files that the fix's tests are in; `--whole` runs all.

    --clones FOLDER  where the clones are: FOLDER/OWNER+NAME/repo or FOLDER/NAME
    --find CLONE     print commits of one clone whose tests show a crash on their parents, newest first
    --of FILE        with --find: only commits that this file lists, one per line
    --json FILE      write every verdict

Exit code 1 when a target is missed.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

from functions.core.apps.app import App
from infra.local.runner import LocalRunner
from infra.trial.trial import Trial, run_trial
from tests.bench.fixes import ROOT, Crash, NoCrash, bad_patches, committed_by, crash_of

CASES = Path(__file__).parents[1] / "data" / "real" / "fixes.toml"
REFUSED, STOPPED = 0.05, 0.90
_GOOD = ("fix+tests", "fix")
_SUBJECT = re.compile(r"fix|bug|crash|error|exception|handle|regress", re.I)


def main() -> int:
    options = _options()
    if options.find:
        return _find(options)
    verdicts: list[dict[str, Any]] = []
    for case in tomllib.loads(CASES.read_text())["fix"]:
        if options.half in ("", case["half"]) and options.only in f"{case['name']}@{case['commit']}":
            verdicts += _case(case, options)
            if options.json:
                Path(options.json).write_text(json.dumps(verdicts, indent=1))
    return _summed_up(verdicts)


def _case(case: dict[str, Any], options: argparse.Namespace) -> list[dict[str, Any]]:
    label = f"{case['name'].rpartition('/')[2]}@{case['commit'][:8]}"
    try:
        crash = crash_of(_clone(options.clones, case["name"]), case["commit"])
    except NoCrash as why:
        print(f"{label:28} no crash: {why}", flush=True)
        return []
    print(f"{label:28} {crash.raised.type} in {crash.path}:{crash.line}, shown by {crash.name}", flush=True)
    patches = [("fix+tests", crash.fix_with_tests), ("fix", crash.fix), *bad_patches(crash)]
    found = []
    for kind, diff in patches:
        try:
            trial = _tried(crash, diff, whole=options.whole)
        except Exception as error:  # noqa: BLE001 - a defect of ours is counted, and the other patches are still tried
            trial = Trial("failed", f"{type(error).__name__}: {error}")
        verdict = _verdict(trial)
        found.append({"case": label, "kind": kind, "verdict": verdict, "reason": trial.reason})
        print(f"    {kind:10} {verdict:11} {' '.join(trial.reason.split())[:170]}", flush=True)
    return found


def _tried(crash: Crash, diff: str, *, whole: bool) -> Trial:
    entry = {"log_groups": ["local"], "repository": "https://localhost/real", "source_roots": {ROOT: ""}}
    if not whole:
        there = {m.path for m in crash.source.members}
        tests = [path for path in crash.tests if path in there and not path.endswith("conftest.py")]
        entry["test_command"] = ["pytest", *tests] if tests else []
    app = App.from_json("real", entry)
    return run_trial(
        committed_by(crash), crash.log, app, LocalRunner(), lambda text: None, answer=diff.encode()
    )


def _verdict(trial: Trial) -> str:
    """`refused`, `questioned`, `unproven`, `proven`, or what else became of it."""
    if trial.outcome != "accepted":
        return "refused" if trial.outcome == "rejected" else trial.outcome
    evidence = trial.evidence
    if getattr(evidence, "questions", ()):
        return "questioned"
    return "unproven" if evidence is not None and evidence.not_proven else "proven"


def _summed_up(verdicts: list[dict[str, Any]]) -> int:
    kinds = dict.fromkeys(row["kind"] for row in verdicts)
    names = ("refused", "questioned", "unproven", "proven", "failed", "abstained")
    print(f"{'':12}" + "".join(f"{name:>12}" for name in names))
    for kind in kinds:
        count = Counter(row["verdict"] for row in verdicts if row["kind"] == kind)
        print(f"{kind:12}" + "".join(f"{count[name]:12}" for name in names))
    with_tests = [row for row in verdicts if row["kind"] == _GOOD[0]]
    bad = [row for row in verdicts if row["kind"] not in _GOOD]
    refused = sum(row["verdict"] == "refused" for row in with_tests)
    stopped = sum(row["verdict"] in ("refused", "questioned") for row in bad)
    print(
        f"human fixes with their tests refused: {refused} of {len(with_tests)}, target at most {REFUSED:.0%}"
    )
    print(f"bad patches refused or questioned: {stopped} of {len(bad)}, target at least {STOPPED:.0%}")
    return int(refused > REFUSED * len(with_tests) or stopped < STOPPED * len(bad))


def _find(options: argparse.Namespace) -> int:
    clone = Path(options.find)
    if options.of:
        commits = Path(options.of).read_text().split()
    else:
        log = ["git", "-C", str(clone), "log", "--no-merges", f"--since={options.since}", "--format=%H %s"]
        lines = subprocess.run(log, capture_output=True, text=True, check=True).stdout.splitlines()
        commits = [line.partition(" ")[0] for line in lines if _SUBJECT.search(line.partition(" ")[2])]
    found = 0
    for commit in commits:
        try:
            crash = crash_of(clone, commit)
        except NoCrash as why:
            if options.of or "tests" in str(why):
                print(f"# {commit[:10]} {why}", flush=True)
            continue
        print(f"{commit} {crash.raised.type} {crash.path}:{crash.line} {crash.name}", flush=True)
        found += 1
        if found == options.most:
            break
    return 0


def _clone(folder: str, name: str) -> Path:
    owner, _, short = name.partition("/")
    clone = Path(folder, f"{owner}+{short}", "repo")
    return clone if clone.is_dir() else Path(folder, short)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--clones", default=".")
    parser.add_argument("--half", default="", choices=["", "seen", "kept"])
    parser.add_argument("--only", default="", help="part of OWNER/NAME@COMMIT")
    parser.add_argument("--whole", action="store_true")
    parser.add_argument("--json", default="")
    parser.add_argument("--find", default="")
    parser.add_argument("--of", default="")
    parser.add_argument("--since", default="2021-12-01")
    parser.add_argument("--most", type=int, default=5)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
