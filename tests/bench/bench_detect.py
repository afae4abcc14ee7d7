"""How fast detection reads, and how sturdy it is. Run: `python tests/bench/bench_detect.py`.

Prints one line per figure: what was measured, the value, the target, and whether it is met. Exit code 1 if
one is not. Rates are the best of several rounds of CPU time on one core.
"""

from __future__ import annotations

import importlib.util
import json
import random
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from functions.detect_errors.read import read_errors, reader
from tests import log_texts

ROOT = Path(__file__).parents[2]
DISTINCT, STORM, MANGLED, IMPORT_SECONDS = 15_000, 60_000, 20_000, 0.35
DATA = ROOT / "tests" / "data" / "detect_errors" / "tracebacks.jsonl"
HOSTILE = ROOT / "tests" / "unit" / "detect_errors" / "test_hostile.py"


def distinct(number: int) -> str:
    """A traceback of ten frames, half of them the app's, that no other number gives."""
    lines = ["Traceback (most recent call last):"]
    for level in range(5):
        lines += [
            f'  File "/app/svc{number % 97}/m{level}.py", line {number % 900}, in f{level}_{number % 1000}',
            f"    return call{level}(event['key{number % 13}'], {number})",
            "           ^^^^^^^^^^^^^^^^^^^^^^^",
            f'  File "/usr/lib/python3.12/site-packages/lib/m{level}.py", line {level}, in wrapper',
            "    return fn(*args, **kwargs)",
        ]
    return "\n".join([*lines, f"KeyError: 'key-{number}'\n"])


def storm(base: str) -> str:
    """One error again, with another time, request and key."""
    identity = uuid.uuid4()
    record = f"2026-11-20 13:39:18,{identity.int % 1000:03d} ERROR [worker] request {identity} failed\n"
    return record + base.replace("'key-7'", f"'{identity.hex}'")


def rate(texts: Sequence[str], rounds: int = 5) -> float:
    """Texts read per second of CPU time, in the best round."""
    best = float("inf")
    for _ in range(rounds):
        start = time.process_time()
        for text in texts:
            read_errors(text)
        best = min(best, time.process_time() - start)
    return len(texts) / best


def mangled(count: int) -> tuple[int, int]:
    """Crashes, and whole tracebacks lost, among `count` texts, mangled as in the unit test."""
    spec = importlib.util.spec_from_file_location("hostile", HOSTILE)
    assert spec is not None
    assert spec.loader is not None
    hostile = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(hostile)
    texts = [json.loads(line)["text"] for line in DATA.read_text(encoding="utf-8").splitlines()]
    dice, crashes, lost = random.Random(7), 0, 0
    for _ in range(count):
        text = hostile.mangle(dice.choice(texts), texts, dice)
        try:
            found = read_errors(text.rstrip() + "\n" + hostile.WHOLE)
        except Exception:  # noqa: BLE001 - that anything at all is raised is what is counted
            crashes += 1
            continue
        lost += not any((one.type or "").endswith("WholeError") for one in hostile.every(found))
    return crashes, lost


def shares() -> Iterator[tuple[str, float, float]]:
    """Of each labelled collection and half of it: what is right, and the percentage that is aimed at."""
    texts = log_texts.rows("reports")
    collections: tuple[
        tuple[str, list[dict[str, Any]], Callable[[dict[str, Any]], object], tuple[float, float]], ...
    ]
    operational = [
        row for name in ("", "_2", "_3", "_4", "_5") for row in log_texts.operational(f"operational{name}")
    ]
    pairs = [*log_texts.rows("pairs"), *log_texts.rows("pairs_2")]
    collections = (
        ("texts in the kinds of public reports", texts, log_texts.wrong, (99, 97)),
        ("more texts in such kinds", log_texts.rows("reports_2"), log_texts.wrong, (99, 97)),
        ("texts really raised, in such kinds", log_texts.rows("reports_3"), log_texts.wrong, (99, 97)),
        (
            "texts in the shapes of shippers and frameworks",
            log_texts.rows("reports_4"),
            log_texts.wrong,
            (99, 97),
        ),
        ("what follows an error kept out of it", followed(texts), log_texts.wrong, (100, 100)),
        ("operational exceptions classed", operational, log_texts.wrong, (95, 95)),
        ("operational exceptions not healed as code", unmendable(operational), healed, (97, 97)),
        ("pairs of errors told apart or kept together", pairs, log_texts.confused, (99, 99)),
    )
    for name, rows, is_wrong, targets in collections:
        for half, target in zip(log_texts.HALVES, targets, strict=True):
            if mine := [row for row in rows if row["half"] == half]:
                right = sum(not is_wrong(row) for row in mine)
                yield f"{name}, {half} ({len(mine)})", right / len(mine), target


def followed(texts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The texts in which something else follows, or another error."""
    return [row for row in texts if row["kind"].startswith(("followed by", "three ", "two "))]


def unmendable(operational: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The operational exceptions that no patch mends."""
    return [row for row in operational if "code" not in row["right"]["class"]]


def healed(row: dict[str, Any]) -> bool:
    """Whether a heal would be started for an exception that no patch mends."""
    return read_errors(row["text"])[-1].error_class == "code"


def cold_import() -> float:
    """Seconds to import the reader in a fresh process, over what an empty process needs; the best of five."""

    def best(code: str) -> float:
        times = []
        for _ in range(5):
            start = time.perf_counter()
            subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
            times.append(time.perf_counter() - start)
        return min(times)

    return best("import functions.detect_errors.events") - best("pass")


def main() -> int:
    """Measure all figures; returns the process's exit code."""
    met = True

    def report(
        what: str, value: float, target: float, fits: Callable[[float, float], bool], unit: str
    ) -> None:
        nonlocal met
        good = fits(value, target)
        met = met and good
        print(f"{what:<58} {value:>10,.2f} {unit:<4} target {target:>9,.2f}  {'met' if good else 'MISSED'}")

    def at_least(value: float, target: float) -> bool:
        return value >= target

    def at_most(value: float, target: float) -> bool:
        return value <= target

    random.seed(7)
    texts = [distinct(number) for number in range(5_000)]
    report("parse and fingerprint, distinct tracebacks of ten frames", rate(texts), DISTINCT, at_least, "/s")
    reader.cache_clear()
    base = distinct(7)
    report(
        "a storm of one error with changing ids",
        rate([storm(base) for _ in range(20_000)]),
        STORM,
        at_least,
        "/s",
    )
    crashes, lost = mangled(MANGLED)
    report(f"{MANGLED:,} mangled texts: crashes", crashes, 0, at_most, "")
    report(f"{MANGLED:,} mangled texts: whole tracebacks lost", lost, 0, at_most, "")
    for what, share, target in shares():
        report(what, 100 * share, target, at_least, "%")
    report("cold import of the reader", cold_import(), IMPORT_SECONDS, at_most, "s")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
