"""The deployed revision as the failing function's tags and variables name it: moto's Lambda, a real forge."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from functions.core.apps.deployed import READABLE, told_by_function
from functions.core.forge.connect import connect
from functions.core.forge.git_remote import Remote
from functions.core.incidents.incident import Incident, Status
from functions.fetch_source.source import Source, fetch_source

if TYPE_CHECKING:
    from tests.unit.conftest import Hosted

SECRET = "hunter2-hunter2"
IDENTITY = ("-c", "user.name=t", "-c", "user.email=t@example.com")
INCIDENT = Incident(
    incident_id="orders-f",
    fingerprint="f",
    app="orders",
    status=Status.HEALING,
    error_type="KeyError",
    title="KeyError",
    log_group="/aws/lambda/orders",
    log_stream="2026/11/20/[$LATEST]0123456789abcdef",
    execution_arn="arn:aws:states:us-east-1:123456789012:execution:self-heal:h1",
)

Deploy = Callable[..., None]
Fetch = Callable[..., Source]


@pytest.fixture
def deploy(aws: None) -> Deploy:
    """Deploys function `orders` with these tags and environment variables."""
    role = boto3.client("iam").create_role(RoleName="orders", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("handler.py", "")

    def call(tags: dict[str, str] | None = None, variables: dict[str, str] | None = None) -> None:
        boto3.client("lambda").create_function(
            FunctionName="orders",
            Runtime="python3.12",
            Role=role,
            Handler="handler.handler",
            Code={"ZipFile": code.getvalue()},
            Tags={"team": SECRET, "self-heal:environment": "readable", **(tags or {})},
            Environment={"Variables": {"DB_PASSWORD": SECRET, **(variables or {})}},
        )

    return call


@pytest.fixture
def fetch(hosted: Hosted, aws: None) -> Fetch:
    """Fetches as the step does; `main` has moved on from the commit that is tagged v1.2."""
    hosted.git(*IDENTITY, "tag", "-a", "v1.2", "-m", "release", hosted.base_sha)
    hosted.branch("main")

    def call(
        incident: Incident = INCIDENT,
        client: Any = None,
        logged: str = "",
        environment: bool = True,
        **entry: Any,
    ) -> Source:
        app = replace(hosted.app, **entry)
        function = partial(told_by_function, client or boto3.client("lambda"), incident, environment)
        return fetch_source(
            app, Remote.of(app, hosted.token), connect(app, hosted.token), logged=logged, function=function
        )

    return call


NAMED: dict[str, tuple[dict[str, str], dict[str, str], str]] = {
    "a tag": ({"self-heal:revision": "{base}"}, {}, "tag self-heal:revision of function orders names {base}"),
    "a tag, short": ({"GitSha": "x", "git-sha": "{base:.8}"}, {}, "tag git-sha of function orders names"),
    "a tag that is a version": ({"version": "1.2"}, {}, "names 1.2, which is refs/tags/v1.2"),
    "a variable": ({}, {"GIT_COMMIT": "{base}"}, "variable GIT_COMMIT of function orders names {base}"),
    "a variable in another case": ({}, {"CommitId": "", "revision": " {base}\n"}, "variable revision of"),
    "the tag goes before the variable": (
        {"git_sha": "{base}"},
        {"SELF_HEAL_REVISION": "{head}"},
        "tag git_sha of function orders names {base}",
    ),
    "the more telling name goes first": (
        {},
        {"VERSION": "2.0", "DD_GIT_COMMIT_SHA": "{base}", "GIT_SHA": "{head}"},
        "variable DD_GIT_COMMIT_SHA of function orders names {base}",
    ),
    "a tag that the forge does not know": (
        {"git_sha": "0" * 39 + "1"},
        {"GIT_SHA": "{base}"},
        "variable GIT_SHA of function orders names {base}; the app's entry names no revision; "
        "tag git_sha of function orders names no commit and no tag of the repository",
    ),
    "Yor's commit is another one": (
        {"git_commit": "{head}", "yor_trace": "7"},
        {"GIT_COMMIT": "{base}"},
        "variable GIT_COMMIT of function orders names {base}",
    ),
}


@pytest.mark.parametrize("case", NAMED)
def test_what_the_function_names_is_read(hosted: Hosted, deploy: Deploy, fetch: Fetch, case: str) -> None:
    commits = {"base": hosted.base_sha, "head": hosted.git("rev-parse", "main")}
    tags, variables, said = NAMED[case]
    deploy(*({k: v.format(**commits) for k, v in values.items()} for values in (tags, variables)))
    source = fetch(logged="")
    assert (source.sha, source.revision_from) == (hosted.base_sha, "deployed")
    assert said.format(**commits) in source.reason
    assert SECRET not in source.reason


@pytest.mark.parametrize(
    "value",
    [SECRET, "0" * 64, "", "main", "--upload-pack=touch /tmp/x", "refs/heads/main", "abc", "x" * 4000, "a b"],
)
def test_a_value_that_is_no_revision_is_named_and_never_told(
    hosted: Hosted, deploy: Deploy, fetch: Fetch, value: str
) -> None:
    deploy({}, {"GIT_SHA": value})
    source = fetch(logged="1.2")
    assert source.sha == hosted.base_sha
    assert source.reason.startswith("the log names 1.2, which is refs/tags/v1.2; ")
    assert "variable GIT_SHA of function orders names no commit and no tag" in source.reason
    assert not value or value not in source.reason.replace("the log names 1.2", "")


def test_the_apps_entry_goes_first_and_then_the_function_is_not_even_asked(
    hosted: Hosted, fetch: Fetch
) -> None:
    client = boto3.client("lambda")
    with Stubber(client):  # any call would raise
        source = fetch(client=client, revision=hosted.base_sha)
    assert source.reason == f"the app's entry names {hosted.base_sha}"


OTHER = {
    "/ecs/orders": "log group /ecs/orders is no Lambda function's own",
    "/aws/lambda/us-east-1.orders": "log group /aws/lambda/us-east-1.orders is no Lambda function's own",
    "/aws/lambda/gone": "tags of function gone: there is no such function",
}


@pytest.mark.parametrize("group", OTHER)
def test_where_there_is_no_function_the_log_is_asked(hosted: Hosted, fetch: Fetch, group: str) -> None:
    source = fetch(replace(INCIDENT, log_group=group), logged="v1.2")
    assert source.sha == hosted.base_sha
    assert OTHER[group] in source.reason


def test_what_may_not_be_looked_at_is_said(hosted: Hosted, fetch: Fetch) -> None:
    client = boto3.client("lambda")
    with Stubber(client) as stub:
        stub.add_response("list_tags", {"Tags": dict([READABLE])})
        stub.add_response("get_function_configuration", {"Environment": {"Error": {"ErrorCode": "KMS"}}})
        source = fetch(client=client)
    assert source.reason == (
        "head of main; the app's entry names no revision; "
        "environment of function orders: access was denied; the log names none"
    )


@pytest.mark.parametrize(
    ("tags", "asked", "said"),
    [
        ({}, False, "no tag of function orders says"),
        ({"self-heal:environment": "no"}, True, "environment of function orders: the function is not tagged"),
    ],
)
def test_an_environment_is_read_only_if_the_app_asks_and_the_function_is_tagged(
    hosted: Hosted, deploy: Deploy, fetch: Fetch, tags: dict[str, str], asked: bool, said: str
) -> None:
    deploy(tags, {"GIT_SHA": hosted.base_sha})
    source = fetch(environment=asked)
    assert source.revision_from == "branch"
    assert said in source.reason


def test_a_failure_that_passes_is_not_taken_for_an_answer(fetch: Fetch) -> None:
    client = boto3.client("lambda")
    with Stubber(client) as stub, pytest.raises(ClientError, match="TooManyRequestsException"):
        stub.add_client_error("list_tags", "TooManyRequestsException")
        fetch(client=client)


@pytest.mark.parametrize(
    ("stream", "version"),
    [
        ("2026/11/20/[12]0123456789abcdef", "12"),
        ("2026/11/20/[$LATEST]0123456789abcdef", "$LATEST"),
        ("my-own-stream/[12]", "$LATEST"),
    ],
)
def test_the_variables_are_those_of_the_version_that_wrote_the_log(
    hosted: Hosted, fetch: Fetch, stream: str, version: str
) -> None:
    arn = "arn:aws:lambda:us-east-1:123456789012:function:orders"
    client = boto3.client("lambda")
    with Stubber(client) as stub:
        stub.add_response("list_tags", {"Tags": dict([READABLE])}, {"Resource": arn})
        stub.add_response(
            "get_function_configuration",
            {"Environment": {"Variables": {"GIT_SHA": hosted.base_sha}}},
            {"FunctionName": arn, "Qualifier": version},
        )
        assert fetch(replace(INCIDENT, log_stream=stream), client).sha == hosted.base_sha
