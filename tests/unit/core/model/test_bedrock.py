"""Bedrock's failures, as a server really answers them, in the workflow's vocabulary."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import NoRegionError
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from functions.core.model.bedrock import Bedrock
from functions.core.model.time_left import TimeLeft
from functions.core.workflow.errors import (
    ModelAccessDenied,
    ModelNotFound,
    ModelRequestInvalid,
    ModelThrottled,
    ModelUnavailable,
    PromptTooLong,
)
from tests.fakes.web import answered_by, as_json

REQUEST = {"modelId": "us.some-model", "messages": [{"role": "user", "content": [{"text": "private words"}]}]}


@dataclass
class Service:
    """A server in Bedrock's place that refuses every call in the same way, and counts the calls."""

    url: str = ""
    status: int = 500
    code: str = ""
    said: str = "said by the service"
    calls: int = 0


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch, httpserver: HTTPServer) -> Service:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    state = Service()

    def answer(_: Request) -> Response:
        state.calls += 1
        return as_json({"message": state.said}, state.status, {"x-amzn-ErrorType": state.code})

    state.url = answered_by(httpserver, answer)
    return state


def bedrock(url: str, time: TimeLeft | None = None, **settings: Any) -> Bedrock:
    def connect(config: Config) -> Any:
        config = config.merge(Config(**settings))
        return boto3.client("bedrock-runtime", endpoint_url=url, region_name="us-east-1", config=config)

    return Bedrock(connect, time)


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (429, "ThrottlingException", ModelThrottled),
        (503, "ServiceUnavailableException", ModelUnavailable),
        (500, "InternalServerException", ModelUnavailable),
        (408, "ModelTimeoutException", ModelUnavailable),
        (424, "ModelErrorException", ModelUnavailable),
        (429, "ModelNotReadyException", ModelThrottled),
        (502, "", ModelUnavailable),
        (403, "AccessDeniedException", ModelAccessDenied),
        (403, "UnrecognizedClientException", ModelAccessDenied),
        (400, "ValidationException", ModelRequestInvalid),
        (404, "ResourceNotFoundException", ModelNotFound),
    ],
)
def test_each_answer_has_its_name_and_is_asked_for_once(
    service: Service, status: int, code: str, error: type[Exception]
) -> None:
    service.status, service.code = status, code
    with pytest.raises(error, match=r"us\.some-model") as raised:
        bedrock(service.url).converse(REQUEST)
    assert service.calls == 1
    assert "private words" not in str(raised.value)


@pytest.mark.parametrize(
    ("status", "code"), [(400, "ValidationException"), (500, "InternalServerException"), (429, "Throttling")]
)
def test_a_prompt_that_is_too_long_is_told_from_other_refusals(
    service: Service, status: int, code: str
) -> None:
    service.status, service.code = status, code
    service.said = "prompt is too long: 205000 tokens > 200000 maximum"
    error = ModelThrottled if status == 429 else PromptTooLong
    with pytest.raises(error, match=r"us\.some-model") as raised:
        bedrock(service.url).converse(REQUEST)
    assert getattr(raised.value, "reads", 200_000) == 200_000


def test_nobody_listens_or_nobody_answers(service: Service) -> None:
    with pytest.raises(ModelUnavailable, match="EndpointConnectionError"):
        bedrock("http://127.0.0.1:1").converse(REQUEST)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(ModelUnavailable, match="no answer within 800 s"):
            bedrock(url, read_timeout=0.2).converse(REQUEST)


def test_a_request_of_the_wrong_shape_is_not_quoted(service: Service) -> None:
    wrong = REQUEST | {"messages": "private words"}
    with pytest.raises(ModelRequestInvalid) as raised:
        bedrock("http://127.0.0.1:1").converse(wrong)
    assert "private words" not in str(raised.value)


@pytest.mark.parametrize(
    ("left", "models", "waited"),
    [(10_000, 1, 800), (880, 1, 800), (895, 2, 440), (895, 4, 220), (300, 1, 285)],
)
def test_a_call_may_take_its_share_of_what_is_left_and_is_made_once(
    left: float, models: int, waited: float
) -> None:
    made: list[Any] = []

    def connect(config: Config) -> Any:
        made.append(config)
        raise NoRegionError

    time = TimeLeft(left)
    time.models = models
    with pytest.raises(ModelUnavailable):
        Bedrock(connect, time).converse(REQUEST)
    assert made[0].read_timeout == pytest.approx(waited, abs=1)
    assert made[0].retries == {"total_max_attempts": 1}


def test_what_cannot_be_answered_in_time_is_not_asked(service: Service) -> None:
    with pytest.raises(ModelUnavailable, match="no time is left"):
        bedrock(service.url, TimeLeft(40)).converse(REQUEST)
    assert service.calls == 0


CLAUDE = {**REQUEST, "modelId": "eu.anthropic.claude-sonnet-4-5-20250929-v1:0"}


@pytest.mark.parametrize(("status", "code"), [(400, "ValidationException"), (403, "AccessDeniedException")])
def test_a_count_that_cannot_be_had_is_none(service: Service, status: int, code: str) -> None:
    service.status, service.code = status, code
    assert bedrock(service.url).count(CLAUDE) is None
    assert service.calls == 1


def test_models_that_cannot_count_are_not_asked_to(service: Service) -> None:
    assert bedrock(service.url).count(REQUEST) is None
    assert service.calls == 0
