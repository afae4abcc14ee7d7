"""What becomes of right and of wrong patches: `python tests/bench/bench_patches.py`.

Puts every patch of `tests/data/validate` through all gates, with one run of a regression test for each tree:
what is flaky is not what is measured. `--kept` keeps what the harness reported, so that
a change of the judge alone is measured in seconds. Exit code 1 when a target is missed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from functions.harness import driver
from functions.harness.runner import Ran
from functions.validate_patch import order
from functions.validate_patch.validate import (
    RUNNING,
    Validation,
    conclude,
    examine,
    judge,
    not_run,
    why_not_run,
)
from infra.local.runner import LocalRunner
from tests.validate_cases import FRESH, FRESH_UNSEEN, LOOKED_AT, OTHERS, UNSEEN, Case, cases, dependencies

STOPPED = {LOOKED_AT: 0.98, UNSEEN: 0.93, OTHERS: 0.90, FRESH: 0.98, FRESH_UNSEEN: 0.93}
REFUSED = {LOOKED_AT: 0.0, UNSEEN: 0.01, OTHERS: 0.02, FRESH: 0.0, FRESH_UNSEEN: 0.01}
QUESTIONED, FOUND = 0.12, 0.97
_NONCE = "0" * 32


@dataclass(frozen=True)
class Verdict:
    case: Case
    said: str
    """`refused`, `questioned` or `accepted`."""
    reason: str
    found: bool
    """Whether a failing input, or a test, reproduced the incident."""
    reached: bool
    """Whether the gates that run were reached."""
    seconds: float


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--kept", type=Path, help="directory of reports")
    options.add_argument("--set", action="append", choices=tuple(STOPPED), help="these sets alone")
    options.add_argument("--quiet", action="store_true", help="figures alone")
    given = options.parse_args()
    chosen = [case for case in cases() if not given.set or case.part in given.set]
    with ThreadPoolExecutor(2) as pool:
        first = _judged(
            chosen[0], given.kept
        )  # alone: sysconfig, which finds ruff, is not safe to start twice
        verdicts = [first, *pool.map(lambda case: _judged(case, given.kept), chosen[1:])]
    missed = [_figures(verdicts, part) for part in STOPPED]
    if not given.quiet:
        for v in verdicts:
            expected = "accepted" if v.case.right else "refused"
            if v.said != expected and v.case.part not in (UNSEEN, FRESH_UNSEEN):
                print(f"{v.said:10} {'right' if v.case.right else 'wrong'}  {v.case.name}: {v.reason[:240]}")
    return int(any(missed))


def _figures(verdicts: list[Verdict], part: str) -> bool:
    """Print one set's figures; whether a target is missed."""
    here = [v for v in verdicts if v.case.part == part]
    if not here:
        return False
    wrong, right = [v for v in here if not v.case.right], [v for v in here if v.case.right]
    stopped = _share(v.said != "accepted" for v in wrong)
    refused = _share(v.said == "refused" for v in right)
    questioned = _share(v.said == "questioned" for v in right)
    reached = [v for v in right if v.reached]
    incidents = {v.case.incident for v in reached}
    found = _share(any(v.found for v in reached if v.case.incident == name) for name in incidents)
    said = {word: sum(v.said == word for v in wrong) for word in ("refused", "questioned", "accepted")}
    print(f"{part}: {len(wrong)} wrong ({json.dumps(said)}), {len(right)} right")
    print(f"  wrong stopped or questioned  {stopped:6.1%}   target {STOPPED[part]:.0%}")
    print(f"  right refused                {refused:6.1%}   target {REFUSED[part]:.0%}")
    print(f"  right questioned             {questioned:6.1%}   target {QUESTIONED:.0%}")
    print(f"  incidents with failing input {found:6.1%}   target {FOUND:.0%} of {len(incidents)}")
    cost = sorted(v.seconds for v in here)
    print(f"  seconds a patch, median and 95%  {cost[len(cost) // 2]:.1f}  {cost[len(cost) * 95 // 100]:.1f}")
    return stopped < STOPPED[part] or refused > REFUSED[part] or questioned > QUESTIONED


def _share(of: object) -> float:
    known = list(of)  # type: ignore[call-overload] # any iterable of bools
    return sum(known) / len(known) if known else 0.0


def _judged(case: Case, kept: Path | None) -> Verdict:
    started = time.monotonic()
    result = _validated(case, kept)
    evidence = result.evidence
    said = "refused" if not evidence.accepted else "accepted"
    if said == "accepted" and evidence.questions:
        said = "questioned"
    reached = not any(g.gate == RUNNING[0] and "earlier gate" in g.detail for g in evidence.gates)
    return Verdict(case, said, result.reason, result.proven, reached, time.monotonic() - started)


def _validated(case: Case, kept: Path | None) -> Validation:
    examined = examine(case.tree, case.proposal, case.context)
    if why := why_not_run(examined, ""):
        return conclude(examined, examined.candidate, not_run(*RUNNING, why=why), "0" * 40)
    asked = {**order.asked(examined.candidate), "times": 1}
    job = order.job_of(examined.candidate, asked, _NONCE, dependencies(case.needs))
    if kept is None:
        return judge(examined, LocalRunner().run(job), _NONCE, asked, "0" * 40)
    kept.mkdir(parents=True, exist_ok=True)
    file = kept / hashlib.sha256(_harness() + job.pack()).hexdigest()
    if not file.exists():
        ran = LocalRunner().run(job)
        if not ran.report:
            return judge(examined, ran, _NONCE, asked, "0" * 40)
        file.write_bytes(ran.report)
    return judge(examined, Ran(file.read_bytes(), "kept"), _NONCE, asked, "0" * 40)


def _harness() -> bytes:
    digest = hashlib.sha256()
    for path in sorted(Path(driver.__file__).parent.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.digest()


if __name__ == "__main__":
    raise SystemExit(main())
