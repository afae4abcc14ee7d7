"""The app registry in Parameter Store."""

from __future__ import annotations

import json
from dataclasses import replace
from unittest.mock import Mock

import boto3
import pytest
from aws_lambda_powertools.utilities.parameters import SSMProvider
from aws_lambda_powertools.utilities.parameters.exceptions import GetParameterError
from botocore.exceptions import ClientError

from functions.core.apps.app import App
from functions.core.apps.registry import Registry, bound
from functions.core.workflow.errors import AppInvalid, AppNotRegistered, PermanentError

ENTRY = {"log_groups": ["/aws/lambda/orders"], "repository": "https://github.com/shop/orders.git"}


@pytest.fixture
def registry(aws: None) -> Registry:
    ssm = boto3.client("ssm")
    entry = ENTRY | {"credentials": "/self-heal/credentials/orders"}
    ssm.put_parameter(Name="/self-heal/apps/orders", Value=json.dumps(entry), Type="SecureString")
    ssm.put_parameter(Name="/self-heal/apps/broken", Value="{", Type="SecureString")
    ssm.put_parameter(Name="/self-heal/credentials/orders", Value="github.com token", Type="SecureString")
    return Registry("/self-heal/apps", SSMProvider(boto3_client=ssm))


def test_an_app_is_found_by_name_and_by_log_group(registry: Registry) -> None:
    app = registry.app("orders")
    assert registry.app_of_log_group("/aws/lambda/orders") == app
    assert registry.app_of_log_group("/aws/lambda/nobody") is None
    assert registry.credentials(app) == "token"


def test_a_broken_entry_hurts_only_its_own_app(registry: Registry) -> None:
    assert [app.name for app in registry.apps()] == ["orders"]
    with pytest.raises(AppInvalid, match="not JSON"):
        registry.app("broken")


def test_an_unknown_app_is_named_with_what_to_do(registry: Registry) -> None:
    with pytest.raises(AppNotRegistered, match="selfheal configure billing"):
        registry.app("billing")


@pytest.mark.parametrize("code", ["ThrottlingException", "InvalidKeyId"])
def test_what_aws_refuses_is_not_taken_for_a_secret_or_an_app_that_is_gone(code: str) -> None:
    client = Mock()
    client.get_parameter.side_effect = ClientError({"Error": {"Code": code, "Message": "no"}}, "GetParameter")
    registry = Registry("/self-heal/apps", SSMProvider(boto3_client=client))
    app = App.from_json("orders", ENTRY | {"credentials": "/self-heal/credentials/orders"})
    for read in (lambda: registry.app("orders"), lambda: registry.credentials(app)):
        with pytest.raises(GetParameterError, match=code):
            read()


def test_lost_credentials_are_named(registry: Registry) -> None:
    app = registry.app("orders")
    boto3.client("ssm").delete_parameter(Name="/self-heal/credentials/orders")
    with pytest.raises(PermanentError, match="/self-heal/credentials/orders"):
        registry.credentials(app)


@pytest.mark.parametrize(
    "value", ["token", "gitlab.com token", "api.github.com token", "github.com:8443 token", ""]
)
def test_a_token_is_sent_to_the_host_that_it_was_given_for_and_to_no_other(
    registry: Registry, value: str
) -> None:
    boto3.client("ssm").put_parameter(
        Name="/self-heal/credentials/orders", Value=value or " ", Overwrite=True
    )
    with pytest.raises(PermanentError, match=r"not for github\.com, so it is not sent there"):
        registry.credentials(registry.app("orders"))


def test_an_entry_that_names_another_host_gets_no_token(registry: Registry) -> None:
    entry = ENTRY | {"repository": "https://evil.example/x/y.git", "forge_api": "https://evil.example/api/v3"}
    entry |= {"credentials": "/self-heal/credentials/orders"}
    boto3.client("ssm").put_parameter(Name="/self-heal/apps/orders", Value=json.dumps(entry), Overwrite=True)
    with pytest.raises(PermanentError, match=r"is for github\.com, not for evil\.example"):
        registry.credentials(registry.app("orders"))


def test_what_is_registered_or_mended_now_counts_now(registry: Registry) -> None:
    ssm = boto3.client("ssm")
    assert registry.app_of_log_group("/aws/lambda/billing") is None
    entry = ENTRY | {"log_groups": ["/aws/lambda/billing"]}
    ssm.put_parameter(Name="/self-heal/apps/billing", Value=json.dumps(entry), Type="SecureString")
    found = registry.app_of_log_group("/aws/lambda/billing")
    assert found
    assert found.name == "billing"
    ssm.put_parameter(
        Name="/self-heal/apps/billing", Value=json.dumps(entry | {"branch": "next"}), Overwrite=True
    )
    assert registry.app("billing").branch == "next"
    assert registry.credentials(registry.app("orders")) == "token"
    ssm.put_parameter(Name="/self-heal/credentials/orders", Value="github.com renewed", Overwrite=True)
    assert registry.credentials(registry.app("orders")) == "renewed"


def test_the_key_for_commits_lies_beside_the_token_and_is_read_where_commits_are_signed(
    registry: Registry,
) -> None:
    app = registry.app("orders")
    assert registry.signing_key(app) == ""
    with pytest.raises(PermanentError, match=r"/self-heal/credentials/signing/orders.*--signing-key-file"):
        registry.signing_key(replace(app, signed_commits=True))
    name = registry.signing_parameter("orders")
    boto3.client("ssm").put_parameter(Name=name, Value="key", Type="SecureString")
    assert registry.signing_key(replace(app, signed_commits=True)) == "key"
    assert registry.credentials(app) == "token"


def test_a_models_key_is_sent_to_the_server_that_it_was_given_for(registry: Registry) -> None:
    served = {"model": "m", "model_url": "https://llm.example/v1", "model_key": True}
    app = App.from_json("orders", ENTRY | served)
    assert registry.model_key(replace(app, model_key=False)) == ""
    with pytest.raises(PermanentError, match=r"/self-heal/credentials/model/orders.*--model-key-file"):
        registry.model_key(app)
    name = registry.model_key_parameter("orders")
    value = bound("a key", "llm.example")
    boto3.client("ssm").put_parameter(Name=name, Value=value, Type="SecureString")
    assert registry.model_key(app) == "a key"
    with pytest.raises(PermanentError, match=r"is for llm\.example, not for evil\.example"):
        registry.model_key(replace(app, model_url="https://evil.example/v1"))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"model_url": "http://llm.example/v1"}, "must use https"),
        ({"model_url": "http://8.8.8.8/v1"}, "must use https"),
        ({"model_url": "https://me:secret@llm.example/v1"}, "without credentials"),
        ({"model_url": "https://llm.example/v1?key=x"}, "or query"),
        ({"model_url": "llm.example"}, "must be an https URL"),
        ({"model": ""}, "needs 'model'"),
        ({"guardrail": "g:1"}, "'guardrail' is Bedrock's"),
        ({"model_region": "eu-west-1"}, "'model_region' is Bedrock's"),
    ],
)
def test_a_server_that_source_may_not_go_to_is_refused(fields: dict[str, str], said: str) -> None:
    served = {"model": "m", "model_url": "https://llm.example/v1"}
    with pytest.raises(AppInvalid, match=said):
        App.from_json("orders", ENTRY | served | fields)


@pytest.mark.parametrize(
    "url", ["http://10.0.3.7:8000/v1", "http://llm.corp.internal/v1", "http://127.0.0.1:1"]
)
def test_one_in_a_network_of_its_own_may_speak_http(url: str) -> None:
    assert App.from_json("orders", ENTRY | {"model": "m", "model_url": url}).model_url == url


def test_a_deploy_key_is_for_the_host_that_it_was_given_for(registry: Registry) -> None:
    app = registry.app("orders")
    assert registry.deploy_key(app) == ""
    with_key = replace(app, deploy_key=True)
    with pytest.raises(PermanentError, match=r"/self-heal/credentials/deploy/orders.*--deploy-key-file"):
        registry.deploy_key(with_key)
    name = registry.deploy_key_parameter("orders")
    boto3.client("ssm").put_parameter(Name=name, Value=bound("key", app.host), Type="SecureString")
    assert registry.deploy_key(with_key) == "key"
    with pytest.raises(
        PermanentError, match=r"its deploy key, in '/self-heal/credentials/deploy/orders', is for"
    ):
        registry.deploy_key(replace(with_key, repository="https://gitlab.com/shop/orders.git"))
