"""Verdicts on the whole corpus of patches, with its repositories written for each Python in turn.

    python tests/bench/bench_dialects.py [VERSION …]

Prints, per dialect, how many of the wrong patches are refused or asked about, how many of the honest ones are
accepted and proven, and how many gates were not run for these.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

from functions.harness.interpreters import find, missing
from tests.dialects import DIALECTS, Verdict, cases, judge


def as_expected(number: int, verdict: Verdict) -> bool:
    """Whether a verdict is the corpus's own."""
    return verdict.stopped if cases()[number]["wrong"] else verdict.accepted and verdict.proven


def main(versions: Sequence[str]) -> None:
    print(f"{'Python':8}{'wrong':>12}{'honest':>12}{'not run':>10}{'seconds':>10}")
    for version in versions:
        if find(version) is None:
            print(missing(version))
            continue
        began = time.monotonic()
        right, total, not_run = {True: 0, False: 0}, {True: 0, False: 0}, 0
        with judge(version) as ask:
            for number, case in enumerate(cases()):
                verdict, wrong = ask(number), case["wrong"]
                total[wrong] += 1
                right[wrong] += as_expected(number, verdict)
                not_run += len(verdict.not_run) if not wrong else 0
                if not as_expected(number, verdict):
                    print(f"  {case['name']}: {verdict}")
        figures = "".join(f"{right[wrong]}/{total[wrong]}".rjust(12) for wrong in (True, False))
        print(f"{version:8}{figures}{not_run:>10}{time.monotonic() - began:>10.0f}")


if __name__ == "__main__":
    main(sys.argv[1:] or list(DIALECTS))
