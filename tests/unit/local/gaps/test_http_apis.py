"""HTTP APIs in front of functions."""

from __future__ import annotations

import json
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.unit.local.gaps.bench import Bench

pytestmark = pytest.mark.embedded

ECHO = """
import json
def handler(event, context):
    return {"statusCode": 200, "cookies": ["a=1; HttpOnly", "b=2"], "body": json.dumps(event)}
"""


def ask(bench: Any, name: str) -> tuple[dict[str, Any], list[str]]:
    """What a function behind an API is given with a request, and the cookies that come back."""
    apis = bench.client("apigatewayv2")
    api = apis.create_api(Name=name, ProtocolType="HTTP")["ApiId"]
    apis.create_stage(ApiId=api, StageName="$default", AutoDeploy=True)
    integration = apis.create_integration(
        ApiId=api,
        IntegrationType="AWS_PROXY",
        IntegrationUri=bench.make_function(name, ECHO),
        PayloadFormatVersion="2.0",
    )["IntegrationId"]
    apis.create_route(ApiId=api, RouteKey="$default", Target=f"integrations/{integration}")
    headers = {"Host": f"{api}.execute-api.127.0.0.1", "Cookie": "x=1; y=2"}
    request = urllib.request.Request(f"{bench.emulator.endpoint}/page?t=1", headers=headers)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer), answer.headers.get_all("set-cookie")


def test_ministack_s_http_apis_leave_cookies_in_the_headers(ministack: Bench, unique: str) -> None:
    event, _ = ask(ministack, unique)
    assert event["headers"]["cookie"] == "x=1; y=2"
    assert "cookies" not in event


def test_cookies_arrive_in_their_field_and_come_back_one_by_one(aws: Bench, unique: str) -> None:
    event, cookies = ask(aws, unique)
    assert event["cookies"] == ["x=1", "y=2"]
    assert "cookie" not in event["headers"]
    assert (event["rawPath"], event["rawQueryString"]) == ("/page", "t=1")
    assert cookies == ["a=1; HttpOnly", "b=2"]
