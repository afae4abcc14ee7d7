"""A month's bill."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date

import fastjsonschema
import pytest
from typer.testing import CliRunner

from functions.core.model.models import default_model
from functions.core.model.prices import LISTED, Usage
from infra.alarms import ALARMS, CHOSEN, COMPOSITES
from infra.catalog import STEPS
from infra.cli import main
from infra.cli.schemas import schema
from infra.cost.estimate import Load, bill

MODEL = default_model("us-east-1")
GUIDANCE = Load(errors=1_000_000, unique=1_000, tokens_in=1_000, tokens_out=1_000, model=MODEL)
"""The load for which the AWS Guidance states $60.29 a month."""
NOTHING = Load(0, 0, 0, 0, MODEL)


def test_the_load_of_the_guidance_costs_at_most_forty_dollars_in_every_year() -> None:
    assert max(bill(GUIDANCE).usd_by_year) <= 40
    assert bill(GUIDANCE).usd == pytest.approx(sum(line.usd for line in bill(GUIDANCE).lines))


def test_what_models_cost_is_their_list_price() -> None:
    usage = Usage(input=1_000_000, output=1_000_000)

    assert bill(GUIDANCE).models_usd == pytest.approx(LISTED.cost_usd(MODEL, usage))
    assert bill(replace(GUIDANCE, model="nobody.knows-it")).models_usd > bill(GUIDANCE).models_usd


def test_a_deployment_that_does_nothing_costs_its_keys_alarms_and_images() -> None:
    services = {line.service for line in bill(NOTHING).lines if line.usd >= 0.01}

    assert services <= {"KMS", "CloudWatch", "ECR", "Lambda", "EventBridge", "X-Ray", "Route 53"}
    assert 5 < bill(NOTHING).usd < 15


@pytest.mark.parametrize("field", ["errors", "unique", "tokens_in", "tokens_out", "apps"])
def test_more_costs_more(field: str) -> None:
    more = replace(GUIDANCE, **{field: 2 * getattr(GUIDANCE, field)})

    assert bill(more).usd > bill(GUIDANCE).usd


def test_alarms_are_paid_for_as_the_table_has_them() -> None:
    lines = {line.what: line.quantity for line in bill(GUIDANCE).lines}

    assert lines["alarms"] == sum(len(alarm.metrics) for alarm in ALARMS if alarm.key not in CHOSEN)
    assert lines["composite alarms"] == len(COMPOSITES)


def test_every_step_of_a_heal_is_paid_for() -> None:
    """One that is new is measured first: tests/bench/bench_cost.py. ReviewPatch runs where an app asks."""
    from infra.cost.estimate import _facts

    paid = _facts("measured.toml")["heal"]["seconds"].keys()

    assert {spec.folder for spec in STEPS} - {"review_patch"} <= paid


def test_prices_and_measurements_say_of_when_they_are() -> None:
    found = bill(GUIDANCE)

    assert isinstance(found.prices_read, date)
    assert isinstance(found.measured, date)


def test_the_command_prints_each_line_and_their_sum() -> None:
    arguments = ["cost", "--errors", "1000000", "--unique", "1000", "--model", MODEL]
    document = json.loads(CliRunner().invoke(main.app, [*arguments, "--json"]).stdout)
    shown = CliRunner().invoke(main.app, arguments, env={"COLUMNS": "200"}).stdout

    fastjsonschema.compile(schema("cost/1"))(document)
    assert document["usd"] == pytest.approx(sum(line["usd"] for line in document["lines"]), abs=0.02)
    assert f"${document['usd']:,.2f} a month" in shown
    assert document["prices_read"] in shown


def test_of_the_embedded_run_it_says_what_the_same_would_cost_at_aws() -> None:
    there, here = (CliRunner().invoke(main.app, ["cost", *more]).stdout for more in ((), ("--local",)))
    assert here.startswith(there)
    assert "The embedded run itself costs nothing" in here


def test_more_different_errors_than_errors_are_refused() -> None:
    result = CliRunner().invoke(main.app, ["cost", "--errors", "1", "--unique", "2"])

    assert result.exit_code != 0
