"""sign_in from the Lambda event on: settings, and the client's secret where there is one."""

from __future__ import annotations

from http.cookies import SimpleCookie
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import boto3
import pytest
import urllib3

from functions.sign_in import handler as module
from tests.fakes.oidc import CLIENT_ID

if TYPE_CHECKING:
    from tests.fakes.emulated import LambdaContext
    from tests.fakes.oidc import OidcProvider

PARAMETER = "/self-heal/sign-in-client-secret"


@pytest.fixture(autouse=True)
def fresh(provider: OidcProvider, aws: None, monkeypatch: pytest.MonkeyPatch) -> None:
    environment = {
        "APPROVAL_URL": "https://d111.cloudfront.example/",
        "CLIENT_SECRET_PARAMETER": PARAMETER,
        "IDENTITY_FROM": "email",
        "OIDC_CLIENT_ID": CLIENT_ID,
        "OIDC_ISSUER": provider.url,
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)


def sign_in(context: Any) -> dict[str, Any]:
    """Both requests of a sign-in, and the provider's between them."""
    begun = module.handler({"rawPath": "/sign-in", "queryStringParameters": {"to": "/a/1"}}, context)
    with urllib3.PoolManager() as http:
        back = urlsplit(http.request("GET", begun["headers"]["Location"], redirect=False).headers["Location"])
    ((name, morsel),) = SimpleCookie(begun["cookies"][0]).items()
    return module.handler(
        {
            "rawPath": back.path,
            "queryStringParameters": dict(parse_qsl(back.query)),
            "cookies": [f"{name}={morsel.value}"],
        },
        context,
    )


def test_a_public_client_signs_in_without_a_secret(lambda_context: LambdaContext) -> None:
    response = sign_in(lambda_context)
    assert response["statusCode"] == 303
    assert response["headers"]["Location"] == "https://d111.cloudfront.example/a/1"
    assert [line.partition("=")[0] for line in response["cookies"]][1] == "__Host-session"


def test_a_secret_is_used_where_there_is_one(provider: OidcProvider, lambda_context: LambdaContext) -> None:
    provider.secret = "kept-in-parameter-store"
    boto3.client("ssm").put_parameter(Name=PARAMETER, Value=provider.secret, Type="SecureString")
    assert sign_in(lambda_context)["statusCode"] == 303


def test_a_secret_that_cannot_be_read_is_a_page_and_a_reason_in_the_log(
    lambda_context: LambdaContext, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_SSM", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    response = sign_in(lambda_context)
    assert (response["statusCode"], "Signing in does not work" in response["body"]) == (502, True)
    assert "cannot read the client secret" in capsys.readouterr().out
