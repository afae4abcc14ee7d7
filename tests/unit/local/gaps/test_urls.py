"""Function URLs."""

from __future__ import annotations

import http.client
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

if TYPE_CHECKING:
    from tests.unit.local.gaps.bench import Bench

pytestmark = pytest.mark.embedded

ECHO = """
import base64
def handler(event, context):
    if event["rawPath"] == "/go":
        return {"statusCode": 303, "headers": {"location": "./done"}, "cookies": ["a=1; HttpOnly", "b=2"]}
    if event["rawPath"] == "/binary":
        return {"statusCode": 200, "headers": {"content-type": "image/gif"}, "isBase64Encoded": True,
                "body": base64.b64encode(bytes(range(256))).decode()}
    return event
"""


def url_of(bench: Any, name: str) -> str:
    bench.make_function(name, ECHO)
    address: str = bench.lambda_.create_function_url_config(FunctionName=name, AuthType="NONE")["FunctionUrl"]
    for action in ("lambda:InvokeFunctionUrl", "lambda:InvokeFunction"):
        bench.lambda_.add_permission(
            FunctionName=name,
            StatementId=action.partition(":")[2],
            Action=action,
            Principal="*",
            **(
                {"FunctionUrlAuthType": "NONE"} if action.endswith("Url") else {"InvokedViaFunctionUrl": True}
            ),
        )
    return address


def ask(url: str, path: str, method: str = "GET", **request: Any) -> tuple[http.client.HTTPResponse, bytes]:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=10)
    connection.request(method, parts.path.rstrip("/") + path, **request)
    response = connection.getresponse()
    body = response.read()
    connection.close()
    return response, body


def test_ministack_gives_out_an_address_on_the_internet(ministack: Bench, unique: str) -> None:
    assert ".on.aws" in url_of(ministack, unique)


def test_ministack_leaves_cookies_in_the_headers(ministack: Bench, unique: str) -> None:
    identifier = url_of(ministack, unique).removeprefix("https://").partition(".")[0]
    url = f"{ministack.emulator.endpoint}/_aws/lambda-url/{identifier}/"
    event = json.loads(ask(url, "/page", headers={"Cookie": "a=1"})[1])
    assert "cookies" not in event


def test_the_address_works_on_this_machine(aws: Bench, unique: str) -> None:
    url = url_of(aws, unique)
    assert url.startswith("http://127.0.0.1:")
    assert aws.lambda_.get_function_url_config(FunctionName=unique)["FunctionUrl"] == url
    listed = aws.lambda_.list_function_url_configs(FunctionName=unique)["FunctionUrlConfigs"]
    assert [item["FunctionUrl"] for item in listed] == [url]
    event = json.loads(ask(url, "/page?id=a%20b&x=1", headers={"Cookie": "a=1; b=2"})[1])
    assert event["rawPath"] == "/page"
    assert event["queryStringParameters"] == {"id": "a b", "x": "1"}
    assert event["requestContext"]["http"]["method"] == "GET"
    assert event["cookies"] == ["a=1", "b=2"]
    assert "cookie" not in event["headers"]


def test_a_form_arrives_as_base64(aws: Bench, unique: str) -> None:
    headers = {"content-type": "application/x-www-form-urlencoded"}
    event = json.loads(ask(url_of(aws, unique), "/", "POST", body="decision=approve", headers=headers)[1])
    assert event["isBase64Encoded"] is True
    assert event["body"] == "ZGVjaXNpb249YXBwcm92ZQ=="


def test_redirects_cookies_and_bytes_reach_the_browser(aws: Bench, unique: str) -> None:
    url = url_of(aws, unique)
    response, _ = ask(url, "/go", "POST")
    assert response.status == 303
    assert response.getheader("location") == "./done"
    assert response.msg.get_all("set-cookie") == ["a=1; HttpOnly", "b=2"]
    assert ask(url, "/binary")[1] == bytes(range(256))
