"""How much of the crash corpus the embedded model heals: `python tests/bench/bench_model.py`.

Prints the healed ratio, wrong patches, the answer's latency, and the memory of the server's process.
Exit code 1 when a target is missed: 80% of those in scope healed, no wrong patch, abstained out of scope.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import psutil

from tests.crash_corpus import ask, build_prompt, cases, judge, run

TARGET = 0.8


def main() -> int:
    server = subprocess.Popen(
        [sys.executable, "-m", "infra.local.model", "--port", "0"], stdout=subprocess.PIPE, text=True
    )
    try:
        assert server.stdout is not None
        url = server.stdout.readline().split()[-1]
        return _measure(url, psutil.Process(server.pid))
    finally:
        server.terminate()
        server.wait()


def _measure(url: str, process: psutil.Process) -> int:
    failures: list[str] = []
    counts: Counter[tuple[str, str]] = Counter()
    seconds: list[float] = []
    with tempfile.TemporaryDirectory() as scratch:
        for case in cases():
            prompt = build_prompt(case.folder, run(case.folder, case.call))
            start = time.perf_counter()
            ask(url, prompt)
            seconds.append(time.perf_counter() - start)
            verdict = judge(case, url, Path(scratch) / case.name)
            counts[case.outcome, verdict.outcome] += 1
            if verdict.outcome != case.outcome:
                failures.append(f"{case.name}: {verdict.outcome}: {verdict.detail}")
    in_scope = sum(n for (wanted, _), n in counts.items() if wanted == "healed")
    out_of_scope = sum(n for (wanted, _), n in counts.items() if wanted == "abstained")
    healed, wrong = counts["healed", "healed"], sum(n for (_, got), n in counts.items() if got == "wrong")
    print(f"in scope       {in_scope:4}   healed    {healed:4}   {healed / in_scope:.0%}")
    print(f"out of scope   {out_of_scope:4}   abstained {counts['abstained', 'abstained']:4}")
    print(f"wrong patches  {wrong:4}")
    print(
        f"answer         {statistics.median(seconds) * 1000:.0f} ms median, {max(seconds) * 1000:.0f} ms "
        "at most"
    )
    print(f"server memory  {process.memory_info().rss / 2**20:.0f} MiB")
    for failure in failures:
        print(f"- {failure}")
    return int(healed / in_scope < TARGET or wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
