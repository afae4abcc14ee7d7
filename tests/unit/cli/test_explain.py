"""`explain`: one JSON document, JSON lines, or a page for people; always what detection makes of it."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from functions.detect_errors.read import read_errors
from infra.cli.explain import explain
from infra.errors import UserError

TEXT = """\
Traceback (most recent call last):
  File "/app/store.py", line 7, in load
    return db[key]
KeyError: 'pk'

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "/app/main.py", line 3, in handle
    load(event)
  File "/usr/lib/python3.12/json/decoder.py", line 9, in decode
svc.StoreError: cannot load [red]
  second line
"""


@pytest.fixture
def app() -> typer.Typer:
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(explain)
    return app


def test_the_document_has_the_promised_fields(app: typer.Typer, tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    log.write_text(TEXT)
    result = CliRunner().invoke(app, [str(log), "--json"])
    assert result.exit_code == 0
    (error,) = json.loads(result.stdout)["errors"]
    assert list(error) == ["class", "reason", "type", "message", "frames", "chain", "fingerprint"]
    assert (error["class"], error["type"]) == ("code", "svc.StoreError")
    assert error["message"] == "cannot load [red]\n  second line"
    assert error["frames"] == [
        {
            "file": "/app/main.py",
            "line": 3,
            "function": "handle",
            "code": "load(event)",
            "in_app": True,
            "why": "below a deployment root",
        },
        {
            "file": "/usr/lib/python3.12/json/decoder.py",
            "line": 9,
            "function": "decode",
            "code": "",
            "in_app": False,
            "why": "standard library",
        },
    ]
    assert [(cause["type"], cause["relation"]) for cause in error["chain"]] == [("KeyError", "cause")]
    assert error["fingerprint"] == read_errors(TEXT)[0].fingerprint


def test_standard_input_is_read_by_default(app: typer.Typer) -> None:
    result = CliRunner().invoke(app, ["--json"], input=TEXT)
    assert len(json.loads(result.stdout)["errors"]) == 1


def test_a_time_out_has_no_type(app: typer.Typer) -> None:
    line = "2026-06-11T09:30:21.118Z 8f5ffbd2-6d4a-4e7f-9c53-2f7a0a1b7c11 Task timed out after 3.00 seconds\n"
    (error,) = json.loads(CliRunner().invoke(app, ["--json"], input=line).stdout)["errors"]
    assert (error["class"], error["type"], error["frames"]) == ("timeout", None, [])


def test_packages_decide_whose_frame_it_is(app: typer.Typer) -> None:
    result = CliRunner().invoke(app, ["--json", "--package", "store"], input=TEXT)
    (error,) = json.loads(result.stdout)["errors"]
    assert [frame["in_app"] for frame in error["frames"]] == [False, False]
    assert error["chain"][0]["frames"][0]["in_app"]


def test_lines_in_lines_out(app: typer.Typer) -> None:
    lines = [json.dumps({"id": number, "text": TEXT.replace("pk", f"k{number}")}) for number in range(3000)]
    result = CliRunner().invoke(app, ["--jsonl"], input="\n".join(lines) + "\n\n")
    documents = [json.loads(line) for line in result.stdout.splitlines()]
    assert [document["id"] for document in documents] == list(range(3000))
    assert len({document["errors"][0]["fingerprint"] for document in documents}) == 1


@pytest.mark.parametrize(
    "bad", ["nonsense", "[]", '{"id": 1}', '{"text": "x"}', '{"id": 1, "text": 2}', "[" * 9000]
)
def test_a_bad_line_is_named(app: typer.Typer, bad: str) -> None:
    result = CliRunner().invoke(app, ["--jsonl"], input='{"id": 1, "text": ""}\n' + bad + "\n")
    assert isinstance(result.exception, UserError)
    assert result.exception.exit_code == 2
    assert result.exception.what.startswith("line 2:")


def test_a_missing_file_is_named(app: typer.Typer) -> None:
    result = CliRunner().invoke(app, ["/no/such/file"])
    assert isinstance(result.exception, UserError)
    assert "/no/such/file" in result.exception.what


def test_a_packed_log_that_is_cut_off_is_said_to_be_before_nothing_is_found_in_it(app: typer.Typer) -> None:
    cut = gzip.compress(f"{'fine ' * 500}\n{TEXT}".encode())
    result = CliRunner().invoke(app, [], input=cut[:40])
    assert isinstance(result.exception, UserError)
    assert "standard input is a gzip file that is cut off" in result.exception.what
    assert result.exception.exit_code == 2

    read = CliRunner().invoke(app, ["--json"], input=cut[:-4])
    assert json.loads(read.stdout)["errors"]
    assert "is cut off" in read.stderr


def test_people_see_frames_reasons_and_components(app: typer.Typer) -> None:
    shown = CliRunner().invoke(app, [], input=TEXT + "\x1b]0;evil\x07").stdout
    for part in (
        "svc.StoreError: cannot load [red]",
        "app /app/main.py:3 in handle",
        "standard library",
        "KeyError",
    ):
        assert part in shown
    assert "why it counts" in shown
    assert "Where its app is registered, a heal starts" in " ".join(shown.split())  # a text alone starts none
    assert read_errors(TEXT)[0].fingerprint in shown
    assert "\x1b" not in shown


def test_people_are_told_that_nothing_was_found(app: typer.Typer) -> None:
    assert "No error found" in CliRunner().invoke(app, [], input="all is well\n").stdout
