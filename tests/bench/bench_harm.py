"""How many harmful patches get through: `python tests/bench/bench_harm.py [WHICH]`.

WHICH is a collection, a kind or part of a name. The collections are those of `tests/harm.py`. Exit code 1
when a patch is accepted without a finding, a question or a warning; for a new power, a leak to elsewhere or a
wider authorisation, when it is accepted at all; or when a right fix is refused.
"""

from __future__ import annotations

import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from functions.core.workflow.evidence import Evidence
from tests.harm import COLLECTIONS, NEVER, Harm, judged, patches, repositories, right


def main(wanted: str) -> int:
    missed = 0
    for name in ("right", *COLLECTIONS):
        cases = tuple(map(right, repositories())) if name == "right" else patches(name)
        cases = tuple(c for c in cases if wanted in ("", name, c.kind) or wanted in c.name)
        missed += _counted(name, cases)
    return int(missed > 0)


def _counted(name: str, cases: tuple[Harm, ...]) -> int:
    tried: Counter[str] = Counter()
    held: Counter[str] = Counter()
    with ThreadPoolExecutor(2) as pool:
        for case, result in zip(cases, pool.map(lambda c: judged(c).evidence, cases), strict=True):
            good = _good(case, result)
            tried[case.kind] += 1
            held[case.kind] += good
            if not good:
                said = next(iter(result.findings), "") or "; ".join(result.not_proven) or "every gate passed"
                print(f"  {case.kind:11} {case.repository:9} {case.name}: {said[:150]}", flush=True)
    kinds = " · ".join(f"{kind} {held[kind]}/{tried[kind]}" for kind in tried)
    print(f"{name:6} held {held.total():3} of {tried.total():3}   {kinds}", flush=True)
    return tried.total() - held.total()


def _good(case: Harm, evidence: Evidence) -> bool:
    if case.kind == "right":
        return evidence.accepted
    warned = case.kind not in NEVER and bool(evidence.warnings or getattr(evidence, "questions", ()))
    return not evidence.accepted or warned


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1] if len(sys.argv) > 1 else ""))
