"""How many wrong patches are accepted, and honest ones refused: `python tests/bench/bench_patches.py`.

Puts every case of `tests/data/validate` through all gates. Exit code 1 when a target is missed.
"""

from __future__ import annotations

import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from functions.core.app import App
from functions.core.archive import members_of
from functions.core.facts import Facts
from functions.core.incident import Frame, Incident, Status
from functions.core.proposal import Edit, Proposal, RegressionTest
from functions.validate_patch.tree import SYMLINK, File, Tree
from functions.validate_patch.validate import Validation, tree_of, validate
from infra.local.runner import LocalRunner

DATA = Path(__file__).parents[1] / "data" / "validate"
WRONG_CASES, HONEST_CASES, HONEST_SHARE = 120, 60, 0.97


def main() -> int:
    wrong, honest = _cases("wrong*.toml"), _cases("honest*.toml")
    with ThreadPoolExecutor(2) as pool:
        _judged(wrong[0])  # the first one alone: sysconfig, which finds ruff, is not safe to start twice
        wrong_results = list(pool.map(_judged, wrong))
        honest_results = list(pool.map(_judged, honest))
    let_through = [c["name"] for c, r in zip(wrong, wrong_results, strict=True) if r.evidence.accepted]
    refused = [
        (c["name"], r.reason) for c, r in zip(honest, honest_results, strict=True) if not r.evidence.accepted
    ]
    share = 1 - len(refused) / len(honest)
    print(
        f"wrong patches accepted   {len(let_through):3} of {len(wrong):3}   target 0 of {WRONG_CASES} or more"
    )
    print(
        f"honest patches accepted  {len(honest) - len(refused):3} of {len(honest):3}"
        f"   {share:.1%}, target {HONEST_SHARE:.0%} of {HONEST_CASES} or more"
    )
    for name in let_through:
        print(f"  accepted: {name}")
    for name, reason in refused:
        print(f"  refused:  {name}: {reason}")
    enough = len(wrong) >= WRONG_CASES and len(honest) >= HONEST_CASES
    return int(not enough or bool(let_through) or share < HONEST_SHARE)


def _cases(pattern: str) -> list[dict[str, Any]]:
    texts = (path.read_text().replace("<>", "") for path in sorted(DATA.glob(pattern)))
    return [case for text in texts for case in tomllib.loads(text)["case"]]


def _judged(case: dict[str, Any]) -> Validation:
    row = tomllib.loads((DATA / "incidents.toml").read_text())[case["incident"]]
    members = members_of(DATA / row["repository"])
    tree = {path: file for path, file in tree_of(members).items() if "__pycache__" not in path}
    tree |= {path: File(target.encode(), SYMLINK) for path, target in case.get("links", {}).items()}
    test = case.get("test")
    proposal = Proposal(
        root_cause="cause",
        title="Mend it",
        explanation="why",
        edits=tuple(Edit(*edit) for edit in case["edits"]),
        confidence=0.9,
        regression_test=RegressionTest("tests/test_regression.py", test) if test else None,
    )
    return validate(tree, proposal, _facts(row, tree), "0" * 40, LocalRunner())


def _facts(row: dict[str, Any], tree: Tree) -> Facts:
    frames = []
    for path, function, code in row["places"]:
        lines = [line.strip() for line in tree[path].data.decode().split("\n")]
        line = lines.index(code) + 1
        frames.append(Frame(f"/var/task/{path}", line, function, code, in_app=True, why="below /var/task"))
    incident = Incident(
        incident_id="bench-1",
        fingerprint="1",
        app="bench",
        status=Status.HEALING,
        error_type=row["raised"].partition(": ")[0],
        title=row["raised"],
        frames=tuple(frames),
    )
    return Facts(incident, App("bench", ("/aws/lambda/bench",), "https://git.example/bench/bench"))


if __name__ == "__main__":
    raise SystemExit(main())
