"""A fix that did not last: its pull request, diff and review are told to whoever proposes the next one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from functions.core.forge.connect import connect
from functions.core.forge.port import Forge
from functions.core.incidents.incident import Incident, Status
from functions.fetch_source.earlier import earlier
from functions.propose_patch.context import Context
from functions.propose_patch.prompt import build_prompt

if TYPE_CHECKING:
    from tests.unit.conftest import Hosted

BRANCH = "self-heal/orders-v1-abc"
INCIDENT = Incident("orders-v1-abc", "v1-abc", "orders", Status.HEALING, "KeyError", "KeyError: 'NZ'")


@pytest.fixture(params=["GitHub", "GitLab"])
def forge(hosted: Hosted, request: pytest.FixtureRequest) -> Forge:
    apis = {"GitHub": hosted.forge.api_url, "GitLab": hosted.forge.gitlab_api_url}
    return connect(replace(hosted.app, forge_api=apis[request.param]), hosted.token)


def test_the_merged_pull_request_with_its_diff_and_review_is_in_the_prompt(
    hosted: Hosted, forge: Forge
) -> None:
    hosted.branch(BRANCH, "rates.py", content=b"RATES = {}\n\n\ndef rate(country):\n    return 0\n")
    pull = forge.open(BRANCH, "main", "Charge nothing", "why")
    hosted.forge.say("shop/orders", pull.number, "Is nothing right for NZ?", "reviewer")
    hosted.github.get_pull(pull.number).merge()

    told = earlier(replace(INCIDENT, regressed_from=pull.url), forge)

    assert told is not None
    assert (told["url"], told["why"]) == (pull.url, "regression")
    prompt = build_prompt("heal-1", INCIDENT, Context((), (), ()), patch=told)
    for part in (
        pull.url,
        "-    return RATES[country]",
        "+    return 0",
        "reviewer: Is nothing right for NZ?",
    ):
        assert part in prompt.text
    assert 'why="regression"' in prompt.text
    assert "the error came back" in prompt.system


def test_an_error_that_was_never_mended_tells_of_none(forge: Forge) -> None:
    assert earlier(INCIDENT, forge) is None


def test_a_pull_request_that_is_gone_is_said_to_be(hosted: Hosted, forge: Forge) -> None:
    hosted.branch(BRANCH)
    url = forge.open(BRANCH, "main", "Fix", "why").url.removesuffix("1") + "9"
    told = earlier(replace(INCIDENT, regressed_from=url), forge)
    assert told is not None
    assert told["diff"] == "(not to be had: RepositoryNotFound)"
