"""What a function, or its image, says of its Python: Lambda and ECR by their models; a blob over HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber
from pytest_httpserver import HTTPServer

from functions.core.incidents.incident import Incident, Status
from functions.fetch_source.image import python_of_uri
from functions.fetch_source.interpreter import Word
from functions.fetch_source.runtime import runtime_of_function

INCIDENT = Incident(
    incident_id="orders-f",
    fingerprint="f",
    app="orders",
    status=Status.HEALING,
    error_type="KeyError",
    title="KeyError",
    log_group="/aws/lambda/orders",
    log_stream="2026/11/20/[7]0123456789abcdef",
    execution_arn="arn:aws:states:us-east-1:123456789012:execution:self-heal:h1",
)
ARN = "arn:aws:lambda:us-east-1:123456789012:function:orders"
WHICH = {"FunctionName": ARN, "Qualifier": "7"}
CONFIG = "sha256:" + "c" * 64
DIGEST = "sha256:" + "d" * 64
URI = f"123456789012.dkr.ecr.eu-west-1.amazonaws.com/shop/orders@{DIGEST}"


def no_image(uri: str) -> Word:
    raise AssertionError(uri)


def asked(stub: Stubber, incident: Incident = INCIDENT) -> Word:
    client: Any = stub.client
    return runtime_of_function(client, incident, no_image)


@pytest.fixture
def stub(aws: None) -> Iterator[Stubber]:
    """Lambda, which answers what a test tells it to, and must be asked for it."""
    with Stubber(boto3.client("lambda")) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


@pytest.mark.parametrize(
    ("runtime", "word"),
    [
        ("python3.12", Word("3.12", "function orders has Runtime python3.12")),
        ("python3.9", Word("3.9", "function orders has Runtime python3.9")),
        ("provided.al2023", Word("", "function orders has Runtime 'provided.al2023', which names no Python")),
    ],
)
def test_the_runtime_is_that_of_the_version_that_wrote_the_log(
    stub: Stubber, runtime: str, word: Word
) -> None:
    stub.add_response("get_function_configuration", {"Runtime": runtime, "PackageType": "Zip"}, WHICH)
    assert asked(stub) == word


def test_of_an_image_its_address_is_followed(stub: Stubber) -> None:
    stub.add_response("get_function_configuration", {"PackageType": "Image"}, WHICH)
    stub.add_response("get_function", {"Code": {"ResolvedImageUri": URI}}, WHICH)
    client: Any = stub.client
    assert runtime_of_function(client, INCIDENT, lambda uri: Word("3.12", uri)) == Word("3.12", URI)


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("AccessDeniedException", "configuration of function orders: access was denied"),
        ("ResourceNotFoundException", "configuration of function orders: there is no such function"),
    ],
)
def test_a_function_that_does_not_tell_is_no_failure(stub: Stubber, code: str, why: str) -> None:
    stub.add_client_error("get_function_configuration", code)
    assert asked(stub) == Word("", why)


def test_a_failure_that_passes_is_not_taken_for_an_answer(stub: Stubber) -> None:
    stub.add_client_error("get_function_configuration", "TooManyRequestsException")
    with pytest.raises(ClientError, match="TooManyRequestsException"):
        asked(stub)


def test_a_log_group_of_no_function_says_nothing(stub: Stubber) -> None:
    incident = replace(INCIDENT, log_group="/ecs/orders")
    assert asked(stub, incident) == Word()


Registry = Callable[..., Word]


@pytest.fixture
def registry(aws: None, httpserver: HTTPServer) -> Registry:
    """Asks for an image with this configuration, which lies behind the address that ECR gives."""

    image = {"registryId": "123456789012", "repositoryName": "shop/orders"}

    def ask(config: Any, status: int = 200, manifest: str | None = None, error: str = "") -> Word:
        body = config if isinstance(config, bytes) else json.dumps({"config": config}).encode()
        httpserver.expect_request("/blob").respond_with_data(body, status, {"Location": "/elsewhere"})
        client: Any = boto3.client("ecr", region_name="eu-west-1")
        text = json.dumps({"config": {"digest": CONFIG}}) if manifest is None else manifest
        with Stubber(client) as stub:
            if error:
                stub.add_client_error("batch_get_image", error)
            else:
                stub.add_response("batch_get_image", {"images": [{"imageManifest": text}] if text else []})
            stub.add_response(
                "get_download_url_for_layer",
                {"downloadUrl": httpserver.url_for("/blob"), "layerDigest": CONFIG},
                {**image, "layerDigest": CONFIG},
            )
            return python_of_uri(URI, {"eu-west-1": client}.__getitem__)

    return ask


OCI = "org.opencontainers.image.base.name"


@pytest.mark.parametrize(
    ("config", "version", "why"),
    [
        (
            {"Labels": {"self-heal.python": "3.12", OCI: "python:3.9"}},
            "3.12",
            "label self-heal.python of image shop/orders names it",
        ),
        (
            {"Labels": {OCI: "docker.io/library/python:3.11-slim"}, "Env": ["PYTHON_VERSION=3.9.1"]},
            "3.11",
            f"image shop/orders is built on Python 3.11, says its label {OCI}",
        ),
        (
            {"Labels": None, "Env": ["SECRET=hunter2", "PYTHON_VERSION=3.13.4"]},
            "3.13",
            "variable PYTHON_VERSION of image shop/orders names it",
        ),
        ({"Env": ["SECRET=hunter2"]}, "", "image shop/orders says nothing of its Python"),
        ({"Labels": {"self-heal.python": "hunter2"}}, "", "image shop/orders says nothing of its Python"),
        ({"Labels": [], "Env": {}}, "", "image shop/orders says nothing of its Python"),
        ("nonsense", "", "image shop/orders says nothing of its Python"),
        (b"\xff{", "", "image shop/orders says nothing of its Python"),
        (b" " * 1_100_000, "", "image shop/orders says nothing of its Python"),
    ],
)
def test_an_image_tells_by_its_labels_and_one_variable(
    registry: Registry, config: Any, version: str, why: str
) -> None:
    assert registry(config) == Word(version, why)


@pytest.mark.parametrize("manifest", ["", "[]", "{", '{"config": {"digest": "../x"}}', '{"manifests": []}'])
def test_a_manifest_that_is_none_tells_nothing(registry: Registry, manifest: str) -> None:
    assert registry({}, manifest=manifest).version == ""


@pytest.mark.parametrize("status", [302, 403, 500])
def test_a_blob_that_cannot_be_had_tells_nothing(registry: Registry, status: int) -> None:
    assert registry({"Labels": {"self-heal.python": "3.12"}}, status=status).version == ""


def test_a_registry_that_may_not_be_looked_at_is_said(registry: Registry) -> None:
    word = registry({}, error="AccessDeniedException")
    assert word == Word("", "image of repository shop/orders: AccessDeniedException")
    with pytest.raises(ClientError):
        registry({}, error="ServerException")


OTHERS = ("", "python:3.12", URI.replace("@", ":"), URI.replace("amazonaws.com", "evil.example"))


@pytest.mark.parametrize("uri", OTHERS)
def test_an_address_that_is_not_ecrs_is_never_followed(uri: str) -> None:
    def never(region: str) -> Any:
        raise AssertionError(region)

    assert python_of_uri(uri, never) == Word("", "the function's image is in no ECR repository")
