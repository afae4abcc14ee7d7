"""`try`: real repositories, the real gates in the real sandbox, and what the command prints and leaves."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from infra.cli.try_ import try_
from infra.errors import UserError
from infra.trial.source import read_source


@pytest.fixture(autouse=True)
def a_cache_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


SHOP = Path(__file__).parents[2] / "data" / "validate" / "shop"
AVERAGE = 'return sum(order["amount"] for order in orders) / len(orders)'
LOG = f"""\
2026-03-01 10:00:00 request 7f1e for jane.doe@example.org
Traceback (most recent call last):
  File "/var/lang/lib/python3.12/asyncio/runners.py", line 118, in run
    return self._loop.run_until_complete(task)
  File "/var/task/shop/reports.py", line 13, in average
    {AVERAGE}
ZeroDivisionError: division by zero
"""
FIX = f"""\
--- a/shop/reports.py
+++ b/shop/reports.py
@@ -10,5 +10,5 @@

 def average(orders):
     \"\"\"Euro per order.\"\"\"
-    {AVERAGE}
+    {AVERAGE} if orders else 0

"""
TEST = """\
--- /dev/null
+++ b/tests/test_average.py
@@ -0,0 +1,5 @@
+from shop.reports import average
+
+
+def test_no_orders():
+    assert average([]) == 0
"""
SILENT = FIX.replace("-10,5 +10,5", "-10,5 +10,8").replace(
    f"+    {AVERAGE} if orders else 0",
    f"+    try:\n+        {AVERAGE}\n+    except Exception:\n+        return 0",
)
ABSTAINS = {"class": "data", "reason": "A broken row.", "files_looked_at": [], "next_action": "Mend the row."}
PROPOSES = {
    "root_cause": "No orders.",
    "title": "Average of nothing",
    "explanation": "Guards the division.",
    "edits": [{"path": "shop/reports.py", "search": AVERAGE, "replace": f"{AVERAGE} if orders else 0"}],
    "confidence": 0.9,
}


def git(repository: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main"]
    return subprocess.run(
        ["git", *identity, *arguments], cwd=repository, check=True, capture_output=True, text=True
    ).stdout.strip()


def state_of(repository: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(repository)): path.read_bytes()
        for path in repository.rglob("*")
        if path.is_file()
    }


@dataclass(frozen=True)
class Bench:
    """A committed shop and a way to run the command on it."""

    repository: Path
    scratch: Path

    def run(self, *options: str, log: str = LOG, path: Path | None = None, answer: Any = None) -> Result:
        (self.scratch / "log.txt").write_text(log)
        given = []
        if answer is not None:
            text = answer if isinstance(answer, str) else json.dumps(answer)
            (self.scratch / "answer").write_text(text)
            given = ["--answer", str(self.scratch / "answer")]
        app = typer.Typer(pretty_exceptions_enable=False)
        app.command()(try_)
        arguments = [str(path or self.repository), "--log", str(self.scratch / "log.txt"), *given, *options]
        return CliRunner().invoke(app, arguments)

    def json(self, *options: str, **given: Any) -> tuple[int, dict[str, Any]]:
        result = self.run("--json", *options, **given)
        document: dict[str, Any] = json.loads(result.stdout)
        return result.exit_code, document


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    repository = tmp_path / "repository"
    shutil.copytree(SHOP, repository, ignore=shutil.ignore_patterns("__pycache__"))
    git(repository, "init", "-q")
    git(repository, "add", ".")
    git(repository, "commit", "-qm", "As deployed")
    return Bench(repository, tmp_path)


def gates(document: dict[str, Any]) -> dict[str, str]:
    return {gate["gate"]: gate["result"] for gate in document["evidence"]}


def test_the_embedded_model_heals_and_the_work_tree_stays_as_it_is(bench: Bench) -> None:
    (bench.repository / "shop" / "reports.py").write_text("work in progress: not even Python\n")
    before = state_of(bench.repository)
    code, document = bench.json()
    assert (code, document["outcome"]) == (0, "accepted")
    parts = {"schema", "outcome", "reason", "frames", "prompt", "python", "diff", "evidence", "seconds"}
    parts |= {"questions", "behaviour"}
    assert set(document) == parts
    assert document["frames"] == [
        {
            "file": "/var/lang/lib/python3.12/asyncio/runners.py",
            "line": 118,
            "function": "run",
            "mapped_to": None,
        },
        {
            "file": "/var/task/shop/reports.py",
            "line": 13,
            "function": "average",
            "mapped_to": "shop/reports.py",
        },
    ]
    first = document["prompt"]["parts"][0]
    assert set(first) == {"path", "function", "tokens", "why"}
    assert (first["path"], first["function"]) == ("shop/reports.py", "average")
    assert document["prompt"]["tokens"] > sum(part["tokens"] for part in document["prompt"]["parts"]) > 0
    assert set(gates(document).values()) == {"pass"}
    assert all(set(gate) == {"gate", "result", "detail"} for gate in document["evidence"])
    assert "+    if not orders:" in document["diff"]
    assert document["seconds"] > 0
    assert state_of(bench.repository) == before


def test_a_diff_with_its_test_is_judged_by_that_test(bench: Bench) -> None:
    code, document = bench.json(answer=FIX + TEST)
    assert (code, document["outcome"]) == (0, "accepted")
    (reproduces,) = [gate for gate in document["evidence"] if gate["gate"] == "reproduces"]
    assert reproduces["result"] == "pass"
    assert reproduces["detail"].startswith("tests/test_average.py::test_no_orders: fails before")


@pytest.mark.parametrize(
    ("answer", "outcome", "gate", "reason"),
    [
        (FIX + TEST.replace("== 0", "== 1"), "rejected", {"reproduces": "fail"}, "reproduces: "),
        (SILENT + TEST, "rejected", {"error_seen": "fail"}, "error_seen: "),
        (FIX.replace("average(orders)", "mean(orders)"), "rejected", {"applies": "fail"}, "does not apply"),
        (FIX.replace("shop/", "../shop/"), "rejected", {"applies": "fail"}, "does not apply"),
        (FIX.replace("b/shop/reports.py", "/dev/null"), "rejected", {"applies": "fail"}, "deletes a file"),
        (
            FIX.replace("a/shop", "shop").replace("b/shop", "shop"),
            "accepted",
            {"applies": "pass"},
            "accepted",
        ),
        (PROPOSES, "accepted", {"applies": "pass", "reproduces": "pass"}, "accepted"),
        ({"name": "propose_patch", "input": PROPOSES}, "accepted", {"applies": "pass"}, "accepted"),
        ({**PROPOSES, "edits": []}, "rejected", {}, "does not fit the tool's schema"),
        (ABSTAINS, "abstained", {}, "data: A broken row. Next: Mend the row."),
    ],
)
def test_what_is_given_as_the_answer_is_judged(
    bench: Bench, answer: Any, outcome: str, gate: dict[str, str], reason: str
) -> None:
    code, document = bench.json(answer=answer)
    assert (document["outcome"], code) == (outcome, 0 if outcome == "accepted" else 1), document["reason"]
    assert gates(document).items() >= gate.items()
    assert reason in document["reason"]


def test_an_older_revision_is_looked_at_where_asked_for(bench: Bench) -> None:
    deployed = git(bench.repository, "rev-parse", "HEAD")
    (bench.repository / "shop" / "reports.py").write_text("# moved away\n")
    git(bench.repository, "commit", "-qam", "After the deployment")
    assert bench.json()[1]["outcome"] == "abstained"
    assert bench.json("--rev", deployed[:10])[1]["outcome"] == "accepted"


def test_a_directory_of_a_repository_is_a_root_of_its_own(bench: Bench) -> None:
    around = bench.scratch / "around"
    (around / "services").mkdir(parents=True)
    git(around, "init", "-q")
    shutil.copytree(bench.repository, around / "services" / "orders", ignore=shutil.ignore_patterns(".git"))
    git(around, "add", ".")
    git(around, "commit", "-qm", "Many services")
    code, document = bench.json(path=around / "services" / "orders")
    assert (code, document["frames"][1]["mapped_to"]) == (0, "shop/reports.py")


def test_a_directory_without_git_is_taken_as_it_is(bench: Bench) -> None:
    shutil.rmtree(bench.repository / ".git")
    assert bench.json()[0] == 0


OTHER = (
    'Traceback (most recent call last):\n  File "/opt/other/thing.py", line 1, in run\n    x\nNameError: x\n'
)


@pytest.mark.parametrize("log", [LOG + OTHER, OTHER + LOG, OTHER + LOG + OTHER])
def test_of_several_errors_the_last_one_in_this_code_is_used_and_said(bench: Bench, log: str) -> None:
    result = bench.run("--json", log=log, answer=ABSTAINS)
    assert json.loads(result.stdout)["frames"][1]["function"] == "average"
    assert "the last one in this repository's code: ZeroDivisionError" in result.stderr


CALLED = '  File "/var/task/shop/reports.py", line 9, in report\n    average([])\n  File "/var/task/shop'
INSTALLED = LOG.replace('  File "/var/task/shop', CALLED).replace(
    "/var/task/", "/usr/local/lib/python3.12/site-packages/"
)
DENIED = (
    'Traceback (most recent call last):\n  File "/var/task/shop/reports.py", line 13, in average\n'
    f"    {AVERAGE}\nbotocore.exceptions.ClientError: An error occurred (AccessDenied) when calling the"
    " GetObject operation: Access Denied\n"
)


@pytest.mark.parametrize(
    ("log", "outcome", "reason"),
    [
        (INSTALLED, "accepted", "accepted"),
        (DENIED, "abstained", "not an error of the code, so nothing is asked: permission"),
        (OTHER, "abstained", "not_enough_context: The traceback could not be matched"),
    ],
    ids=["installed package", "no error of the code", "other code"],
)
def test_frames_decide_what_is_asked(bench: Bench, log: str, outcome: str, reason: str) -> None:
    code, document = bench.json(log=log)
    assert (document["outcome"], code) == (outcome, 0 if outcome == "accepted" else 1)
    assert reason in document["reason"]


LATIN = """# -*- coding: latin-1 -*-
RABATT = {"m\u00e4rz": 5}


def rabatt(monat):
    if monat not in RABATT:
        raise ValueError("unbekannter Monat: " + monat)
    return RABATT[monat]


def preis(summe, monat):
    \"\"\"F\u00fcr leere Summen 0.\"\"\"
    return summe * 100 / summe
"""


@pytest.mark.parametrize("pasted", [False, True], ids=["as git prints it", "pasted, with its line ends lost"])
def test_a_file_in_another_encoding_with_other_line_ends_is_shown_and_patched(
    bench: Bench, pasted: bool
) -> None:
    before = LATIN.replace("\n", "\r\n").encode("latin-1")
    path = bench.repository / "shop" / "rabatt.py"
    path.write_bytes(before)
    git(bench.repository, "add", ".")
    git(bench.repository, "commit", "-qm", "Rabatt")
    path.write_bytes(before.replace(b"100 / summe", b"100 / summe if summe else 0"))
    command = ["git", "diff", "--no-color"]
    diff = subprocess.run(command, cwd=bench.repository, check=True, capture_output=True).stdout
    (bench.scratch / "fix.diff").write_bytes(diff.replace(b"\r\n", b"\n") if pasted else diff)
    log = LOG.replace("reports.py", "rabatt.py").replace(AVERAGE, "return summe * 100 / summe")
    entry = bench.scratch / "entry.json"
    entry.write_text(json.dumps({"allowed_paths": ["tests/**"]}))  # so that nothing is run
    options = ("--answer", str(bench.scratch / "fix.diff"), "--app", str(entry))
    _, document = bench.json(*options, log=log.replace("average", "preis"))
    assert document["prompt"]["parts"][0]["function"] == "preis"
    assert gates(document)["applies"] == "pass", document["reason"]
    assert "+    return summe * 100 / summe if summe else 0\r\n" in document["diff"]


def test_what_looks_installed_is_the_app_s_own_once_its_packages_say_so(bench: Bench) -> None:
    hint = "a deployment takes this for a library until 'packages' has: shop"
    assert hint in bench.run(log=INSTALLED, answer=ABSTAINS).stderr
    entry = bench.scratch / "entry.json"
    for packages, mapped in ((["shop"], "shop/reports.py"), (["other"], None)):
        entry.write_text(json.dumps({"packages": packages}))
        result = bench.run("--json", "--app", str(entry), log=INSTALLED, answer=ABSTAINS)
        assert json.loads(result.stdout)["frames"][1]["mapped_to"] == mapped
        assert hint not in result.stderr


def test_an_entry_sets_what_the_registry_would(bench: Bench) -> None:
    entry = bench.scratch / "entry.json"
    entry.write_text(json.dumps({"allowed_paths": ["tests/**"]}))
    code, document = bench.json("--app", str(entry), answer=FIX)
    assert (code, gates(document)["scope"]) == (1, "fail")


@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        (lambda b: b.run(log="all is well"), "no error found"),
        (lambda b: b.run("--rev", "nope"), "has no revision 'nope'"),
        (lambda b: b.run("--rev", "--output=x"), "has no revision"),
        (lambda b: b.run("--rev", ""), "--rev is empty"),
        (lambda b: b.run(log="x" * (64 * 2**20 + 1)), "larger than 64 MiB"),
        (lambda b: b.run("--model", "gpt"), "--model 'gpt' is unknown"),
        (lambda b: b.run(answer="just words"), "neither a unified diff nor a JSON object"),
        (lambda b: b.run(answer="{"), "not valid JSON"),
        (lambda b: b.run("--answer", "/nonexistent"), "No such file"),
        (lambda b: b.run(path=b.scratch / "nowhere"), "does not exist"),
        (lambda b: b.run("--rev", "main", path=b.scratch), "is not a git repository"),
    ],
)
def test_bad_usage_is_said_in_two_lines_and_ends_with_2(
    bench: Bench, spoil: Callable[[Bench], Result], what: str
) -> None:
    result = spoil(bench)
    assert isinstance(result.exception, UserError)
    assert result.exception.exit_code == 2
    assert what in result.exception.what
    assert result.exception.next_step
    assert result.stdout == ""


def test_a_model_that_cannot_be_reached_is_a_failure(bench: Bench) -> None:
    code, document = bench.json("--model", "http://127.0.0.1:9")
    assert (code, document["outcome"]) == (3, "failed")
    assert "http://127.0.0.1:9/v1: no answer" in document["reason"]
    assert document["frames"]


@pytest.mark.parametrize("args", [("--model", "http://127.0.0.1:9"), ("--model", "http://127.0.0.1:9/v1")])
def test_whoever_reads_that_is_told_what_to_look_at(bench: Bench, args: tuple[str, ...]) -> None:
    said = bench.run(*args).stdout
    assert "next:  look whether the server runs at that address" in said
    assert "--model embedded" in said


def test_people_see_frames_prompt_patch_and_evidence(bench: Bench) -> None:
    result = bench.run(answer=FIX + TEST)
    assert result.exit_code == 0
    for heading in ("frames, innermost last", "prompt, ", "patch", "evidence", "accepted after"):
        assert heading in result.stdout


def test_what_is_given_beside_a_directory_is_none_of_its_source(tmp_path: Path) -> None:
    for name in ("app.py", "error.log", "fix.diff"):
        (tmp_path / name).write_text("x = 1\n")
    given = [str(tmp_path / "error.log"), str(tmp_path / "fix.diff")]
    assert [member.path for member in read_source(tmp_path, but=given).members] == ["app.py"]
