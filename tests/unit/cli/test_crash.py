"""`selfheal crash`: what it says of a request to the sample service."""

from __future__ import annotations

import pytest

from infra.local.crash import ServiceAnswer
from tests.unit.cli.conftest import Selfheal


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (ServiceAnswer({"errorMessage": "'NZ'"}, "KeyError"), "what is known already is counted"),
        (ServiceAnswer({"statusCode": 200}, ""), 'did not crash: {"statusCode": 200} Its fix runs.'),
    ],
)
def test_it_says_whether_it_crashed_and_what_comes_of_it(
    answer: ServiceAnswer, said: str, selfheal: Selfheal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infra.cli.connect.connect", lambda local: None)
    monkeypatch.setattr("infra.local.crash.request", lambda target, event: answer)
    ran = selfheal("crash", "quote")
    assert (ran.exit_code, said in ran.text) == (0, True), ran.text
