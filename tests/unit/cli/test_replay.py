"""`replay`: a repository with a history, its past logs, the real gates, and what people did since."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from functions.core.incidents.incident import Incident, Status
from infra.cli.main import app
from infra.cli.replay import _show
from infra.trial.human_fix import HumanFix
from infra.trial.replay import Replayed
from infra.trial.trial import Trial

CODE = '''\
RATES = {"DE": 4.9, "FR": 5.9}


class UnknownCountry(ValueError):
    pass


def rate(country):
    """Euro per parcel."""
    return RATES[country]


def mean(weights):
    return sum(weights) / len(weights)
'''
REFUSES = "    if country not in RATES:\n        raise UnknownCountry(country)\n    return RATES[country]\n"
TEST = "from rates import rate\n\n\ndef test_rate():\n    assert rate('DE') == 4.9\n"
CRASH = """\
[ERROR] KeyError: 'NZ'
Traceback (most recent call last):
  File "/var/task/rates.py", line 10, in rate
    return RATES[country]
KeyError: 'NZ'

"""
OTHER = """\
Traceback (most recent call last):
  File "/var/task/gone.py", line 3, in lost
    raise RuntimeError("nowhere")
RuntimeError: nowhere

"""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """As it was deployed (`deployed`), then a change of a comment, then a fix that people made."""
    root = tmp_path / "shop"
    (root / "tests").mkdir(parents=True)
    (root / "tests/test_rates.py").write_text(TEST)

    def git(*arguments: str) -> None:
        who = ("-c", "user.name=Ana", "-c", "user.email=ana@shop.example")
        subprocess.run(["git", *who, "-C", str(root), *arguments], check=True, capture_output=True)

    def commit(text: str, said: str) -> None:
        (root / "rates.py").write_text(text)
        git("add", ".")
        git("commit", "-qm", said)

    git("init", "-q", "-b", "main")
    commit(CODE, "Rates")
    git("tag", "deployed")
    commit(f"# Rates.\n{CODE}", "A comment")
    mended = CODE.replace("    return RATES[country]\n", REFUSES)
    (root / "tests/test_rates.py").write_text(TEST + "\n\ndef test_none():\n    assert rate\n")
    commit(f"# Rates.\n{mended}", "Refuse countries that we do not ship to")
    return root


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    folder = tmp_path / "logs"
    folder.mkdir()
    (folder / "monday.log").write_text(CRASH * 2 + OTHER)
    (folder / "tuesday.log").write_text(CRASH)
    return folder


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["replay", *map(str, arguments)], catch_exceptions=False)


def test_past_errors_are_healed_again_and_compared_with_what_people_did(logs: Path, repository: Path) -> None:
    done = run(logs, repository, "--rev", "deployed", "--json")
    assert done.exit_code == 0
    document: Any = json.loads(done.stdout)
    known, lost = document["errors"]
    assert (known["occurrences"], known["place"], known["healed"]) == (3, "rates.py:10", True)
    assert known["fixed_by"]["said"].endswith("Ana: Refuse countries that we do not ship to")
    compared = known["comparison"]
    assert compared["calls"] > 0
    assert compared["calls"] - compared["alike"] == len(compared["differing"])
    assert (lost["healed"], lost["fixed_by"], lost["cost_usd"]) == (False, None, 0)


def test_it_is_summed_up_and_says_what_was_left_out(logs: Path, repository: Path) -> None:
    done = run(logs, repository, "--rev", "deployed", "--limit", 1)
    told = " ".join(done.stdout.split())
    assert done.exit_code == 0
    for words in (
        "KeyError: 'NZ' seen 3 times, rates.py:10",
        "would be asked about: 1 of 1 error, seen 3 times",
        "cost: nothing: the built-in rules answer",
        "fixed by people since: 1",
        "left out: 1 error, seen less often; more with --limit 2",
    ):
        assert words in told, told


def test_where_ours_has_no_patch_people_s_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    incident = Incident("shop-1", "1", "shop", Status.HEALING, "KeyError", "KeyError: 'NZ'", occurrences=1)
    theirs = HumanFix(
        "c" * 40, "2026-11-20 Ana: Refuse it", b"--- a/r.py\n-    return R[c]\n+    return R.get(c)\n"
    )
    _show(Replayed(incident, "r.py:10", Trial("abstained", "no rule"), theirs), free=True)
    told = capsys.readouterr().out
    assert "people: cccccccccccc 2026-11-20 Ana: Refuse it" in told
    assert "-    return R[c]\n+    return R.get(c)" in told


def test_without_a_history_there_is_nothing_to_compare(logs: Path, repository: Path) -> None:
    done = run(logs / "tuesday.log", repository, "--json")
    (only,) = json.loads(done.stdout)["errors"]
    assert (only["fixed_by"], only["comparison"]) == (None, None)


@pytest.mark.parametrize(
    ("text", "said"),
    [("all is well\n", "no error found in these logs"), (None, "holds no files")],
    ids=["no error", "no file"],
)
def test_logs_without_errors_are_said_to_be(
    tmp_path: Path, repository: Path, text: str | None, said: str
) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    if text is not None:
        (folder / "a.log").write_text(text)
    with pytest.raises(Exception, match=said):
        run(folder, repository)
