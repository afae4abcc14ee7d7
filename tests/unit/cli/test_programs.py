"""What programs rely on: exit codes, the shapes of documents, and help that says all it has to say."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock

import fastjsonschema
import pytest
import typer
from aws_lambda_powertools.utilities.parameters import SSMProvider
from botocore.exceptions import ClientError
from rich.console import Console
from typer.testing import CliRunner

from functions.core.apps.registry import Registry
from functions.core.incidents.incident import Incident, Status
from infra.cli import listing, main, options
from infra.cli.report import IncidentReport, render
from infra.cli.schemas import SHAPES, schema
from infra.cli.selection import Filter, select
from infra.errors import Exit, UserError
from tests.unit.cli.conftest import Selfheal

if TYPE_CHECKING:
    from infra.target import Target

ROOT = Path(__file__).parents[3]
MANUAL = (ROOT / ".github" / "OPERATING.md").read_text()


def commands(group: Any = None, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    root: Any = group or typer.main.get_command(main.app)
    for name, command in root.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


EVERY = dict(commands())


def test_the_manual_and_the_help_have_the_one_table_of_exit_codes() -> None:
    table = dict(re.findall(r"^\| (\d+) \| (.+?) \|$", MANUAL, re.M))
    assert table == {str(code.value): code.meaning for code in Exit}
    shown = " ".join(CliRunner().invoke(main.app, ["--help"], env={"COLUMNS": "200"}).stdout.split())
    for code in Exit:
        assert f"{code.value}: {code.meaning.replace('`', '')}" in shown


@pytest.mark.parametrize(
    ("raised", "expected"),
    [(UserError("no"), Exit.NO), (UserError("what?", exit_code=Exit.USAGE), Exit.USAGE)],
)
def test_what_goes_wrong_ends_with_its_code_and_never_with_a_traceback(
    raised: Exception, expected: Exit, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails() -> None:
        raise raised

    monkeypatch.setattr(main, "app", fails)
    with pytest.raises(SystemExit) as ended:
        main.main()
    assert ended.value.code == expected
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("code", "message", "next_step"),
    [
        ("ThrottlingException", "Rate exceeded", "again in a minute"),
        ("InvalidKeyId", "arn:aws:kms:...:key/1 is disabled", "aws kms enable-key"),
        ("AccessDeniedException", "KMS key access denied error", "aws kms enable-key"),
        ("AccessDeniedException", "not authorized", "selfheal policy operator"),
    ],
)
@pytest.mark.parametrize("of_an_entry", [False, True])
def test_what_aws_refuses_is_told_with_what_helps(
    of_an_entry: bool,
    code: str,
    message: str,
    next_step: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    refused = ClientError({"Error": {"Code": code, "Message": message}}, "GetParametersByPath")

    def fails() -> None:
        if not of_an_entry:
            raise refused
        provider = SSMProvider(boto3_client=Mock(get_parameter=Mock(side_effect=refused)))
        Registry("/self-heal/apps", provider).text("orders")

    monkeypatch.setattr(main, "app", fails)
    with pytest.raises(SystemExit) as ended:
        main.main()
    said = " ".join(capsys.readouterr().err.split())
    assert (ended.value.code, code in said, next_step in said) == (Exit.BROKEN, True, True), said


@pytest.mark.parametrize("path", EVERY, ids=" ".join)
def test_help_says_every_word_of_every_option(path: tuple[str, ...]) -> None:
    """Rich takes `[main]` for markup and drops it."""
    result = CliRunner().invoke(main.app, [*path, "--help"], env={"COLUMNS": "300", "TERMINAL_WIDTH": "300"})
    shown = re.sub(r"[\s│]+", " ", result.stdout)
    for parameter in EVERY[path].params:
        text = " ".join((getattr(parameter, "help", None) or "").replace("`", "").split())
        assert getattr(parameter, "hidden", False) or text in shown, (parameter.name, text)


@pytest.mark.parametrize("path", EVERY, ids=" ".join)
def test_the_same_option_is_called_the_same_everywhere(path: tuple[str, ...]) -> None:
    names = {option for parameter in EVERY[path].params for option in parameter.opts}
    source = inspect.getsource(EVERY[path].callback)
    assert ("connect(local)" in source) <= ("--local" in names), "what acts on a deployment can act on both"
    assert ("print_document" in source) <= ("--json" in names)


INCIDENT = Incident(
    *("orders-v1-1", "v1-1", "orders", Status.AWAITING_APPROVAL, "KeyError", "KeyError: 'NZ'"), attempts=1
)
OUTCOME = {"model": "claude", "model_note": "", "cost_usd": 0.1}
DOCUMENTS: dict[str, Callable[[], dict[str, Any]]] = {
    "incidents/1": lambda: listing.to_json(select([INCIDENT], Filter())),
    "show/1": lambda: IncidentReport(INCIDENT, None, None, None, outcome=OUTCOME).to_json(),
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_has_the_shape_that_is_told(name: str) -> None:
    document = json.loads(json.dumps({"schema": name, **DOCUMENTS[name]()}))
    fastjsonschema.compile(schema(name))(document)
    for field in SHAPES[name]:
        broken = {key: value for key, value in document.items() if key != field}
        with pytest.raises(fastjsonschema.JsonSchemaException):
            fastjsonschema.compile(schema(name))(broken)


def test_every_shape_is_a_schema_and_every_document_names_a_known_one() -> None:
    sources = "\n".join(path.read_text() for path in (ROOT / "infra" / "cli").glob("*.py"))
    used = set(
        re.findall(r'"([a-z]+/\d+)"', sources.replace((ROOT / "infra/cli/schemas.py").read_text(), ""))
    )
    assert used == set(SHAPES)
    for name in SHAPES:
        fastjsonschema.compile(schema(name))


@pytest.mark.parametrize(
    "arguments",
    [
        ("incidents", "--json"),
        ("retry", "--status", "ABSTAINED", "--json"),
        ("clear", "--status", "ABSTAINED", "--json"),
        ("redrive", "--failed", "--json"),
        ("apps", "list", "--json"),
        ("apps", "show", "orders", "--json"),
        ("apps", "pause", "orders", "--json"),
        ("apps", "resume", "orders", "--json"),
        ("stop", "--json"),
        ("start", "--json"),
    ],
    ids=" ".join,
)
def test_what_a_command_prints_has_the_shape_that_it_names(
    arguments: tuple[str, ...],
    put: Callable[..., str],
    register: Callable[..., None],
    selfheal: Selfheal,
) -> None:
    register("orders")
    put(status="ABSTAINED")
    document = selfheal(*arguments).document
    fastjsonschema.compile(schema(document["schema"]))(document)


def test_where_aws_is_not_reached_status_says_where_it_would_have_been(
    selfheal: Selfheal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(local: bool) -> Any:
        raise UserError("no stack")

    embedded = {"home": "/h", "forge": "", "model": "", "endpoint": "", "parts": {"aws": True}}
    monkeypatch.setattr("infra.cli.status.connect", unreachable)
    monkeypatch.setattr("infra.cli.status._embedded", lambda: embedded)
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    assert "not reached: no stack asked for profile default, region eu-west-1" in selfheal("status").text


def test_while_healing_is_stopped_status_says_by_whom_once_and_how_it_goes_on(selfheal: Selfheal) -> None:
    selfheal("stop", "--reason", "a bad model")
    said = selfheal("status").text
    assert "healing stopped by arn:" in said
    assert said.count("stopped") == 1
    assert "selfheal start" in said
    selfheal("start")
    assert "healing on" in (now := selfheal("status").text)
    assert "selfheal start" not in now


@pytest.mark.parametrize("part", [True, False])
def test_of_an_embedded_run_that_is_not_there_status_says_what_the_others_say(
    part: bool, selfheal: Selfheal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(local: bool) -> Any:
        raise UserError("no embedded run here", "start one with: selfheal up", exit_code=Exit.BROKEN)

    embedded = {
        "home": "/h",
        "forge": "",
        "model": "",
        "endpoint": "",
        "parts": {"aws": False, "forge": part},
    }
    monkeypatch.setattr("infra.cli.status.connect", unreachable)
    monkeypatch.setattr("infra.cli.status._embedded", lambda: embedded)
    ran = selfheal("status", "--local")
    assert (ran.exit_code, "selfheal up" in ran.text) == (Exit.DONE if part else Exit.BROKEN, True)
    assert "profile" not in ran.text


def test_completion_knows_incidents_apps_and_statuses_and_says_nothing_when_it_cannot_look(
    put: Callable[..., str], register: Callable[..., None], target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    register("orders")
    name = put()
    monkeypatch.setattr(options, "_target", lambda context: target)
    context: Any = None
    assert options.complete_incident(context, "ord") == [name]
    assert options.complete_app(context, "o") == ["orders"]
    monkeypatch.setattr("infra.cli.connect.connect", lambda local: target if local else None)
    assert options.complete_own("o") == ["orders"]
    assert options._complete_status("fa") == ["FAILED"]
    assert "eu.anthropic.claude-sonnet-5-5" in options.complete_model("EU.anthropic.claude-son")

    def unreachable(context: Any) -> Any:
        raise UserError("no stack")

    monkeypatch.setattr(options, "_target", unreachable)
    assert options.complete_incident(context, "ord") == []


def shown(report: IncidentReport) -> str:
    console = Console(width=200)
    with console.capture() as capture:
        console.print(render(report))
    return " ".join(capture.get().split())


def test_show_has_the_traceback_and_says_who_really_answered_for_how_much() -> None:
    incident = replace(INCIDENT, sample="Traceback (most recent call last):\n  KeyError: 'NZ'", cost_usd=0.1)
    text = shown(IncidentReport(incident, None, None, None, outcome=OUTCOME))
    assert "Traceback (most recent call last): KeyError: 'NZ'" in text
    assert "answered by claude" in text
    assert "$0.1000" in text
    assert "selfheal approve orders-v1-1 --wait" in text

    rules = shown(
        IncidentReport(
            incident, None, None, None, outcome=OUTCOME, answered_by="built-in rules", costs_nothing=True
        )
    )
    assert "answered by built-in rules (asked as claude)" in rules
    assert "cost nothing; counted as $0.1000" in rules


def test_a_long_traceback_is_never_cut_in_silence() -> None:
    lines = [f"line {number}" for number in range(200)]
    text = shown(IncidentReport(replace(INCIDENT, sample="\n".join(lines)), None, None, None))
    assert "line 0 " in text
    assert "line 199" in text
    assert "120 lines are left out here; all of them: selfheal show orders-v1-1 --json" in text
