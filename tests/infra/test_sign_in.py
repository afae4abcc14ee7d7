"""The stack where people sign in first: nothing is reached without a token but the way to get one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from functions.core.aws.settings import Settings
from infra.catalog import SIGN_IN
from infra.provider import SignIn
from tests.deployment_uses import settings_of
from tests.fakes.edge import ISSUER, VIEWER_REQUEST
from tests.fakes.oidc import CLIENT_ID
from tests.infra.test_alarms import metrics_of

if TYPE_CHECKING:
    from tests.infra.conftest import Template

API = "self-heal-approvals"
BEHIND_IT = {"self-heal-sign-in:live", "self-heal-decide-approval:live"}
# Managed by AWS, the same in every account.
# https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/using-managed-cache-policies.html
CACHING_DISABLED = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
# .../using-managed-origin-request-policies.html
ALL_VIEWER_EXCEPT_HOST_HEADER = "b689b0a8-53d0-40ab-baf2-68738e2966ac"


def only(resources: dict[str, Any]) -> dict[str, Any]:
    (found,) = resources.values()
    return dict(found)


def authorizer(template: Any) -> dict[str, Any]:
    return only(template.of_type("AWS::ApiGatewayV2::Authorizer"))


def target(template: Any, route: dict[str, Any]) -> str:
    """The alias that a route leads to."""
    integration = route["Target"].removeprefix("integrations/")
    uri = template.of_type("AWS::ApiGatewayV2::Integration")[integration]["IntegrationUri"]
    return str(uri).partition(":function:")[2]


def test_without_the_setting_there_is_none_of_it(image_template: Template) -> None:
    kinds = {resource["Type"] for resource in image_template.resources.values()}
    assert not [kind for kind in kinds if kind.startswith(("AWS::ApiGateway", "AWS::CloudFront"))]
    assert image_template.function("decide_approval")["Environment"]["Variables"]["IDENTITY_FROM"] == "link"
    assert len(image_template.of_type("AWS::Lambda::Url")) == 1


def test_the_rest_of_the_stack_is_the_same(zip_template: Template, signed_in_template: Template) -> None:
    def rest(template: Any) -> set[str]:
        front = (
            "SignIn",
            "Entrance",
            "AlarmsSignIn",
            "KeepAwakeSignIn",
            "DecideApprovalLiveFunctionUrl",
            "DecideApprovalLiveinvoke",
        )
        # A version's id changes with its settings.
        return {
            name.partition("CurrentVersion")[0] for name in template.resources if not name.startswith(front)
        }

    assert rest(signed_in_template) == rest(zip_template)


def test_every_route_needs_a_token_but_those_to_get_one_and_slack_s(signed_in_template: Template) -> None:
    routes = {
        route["RouteKey"]: (route["AuthorizationType"], target(signed_in_template, route))
        for route in signed_in_template.of_type("AWS::ApiGatewayV2::Route").values()
    }
    assert routes == {
        "$default": ("JWT", "self-heal-decide-approval:live"),
        "GET /sign-in": ("NONE", "self-heal-sign-in:live"),
        "GET /sign-in/{page}": ("NONE", "self-heal-sign-in:live"),
        "GET /sign-out": ("NONE", "self-heal-sign-in:live"),
        "POST /slack": ("NONE", "self-heal-decide-approval:live"),
    }
    (protected,) = [
        route
        for route in signed_in_template.of_type("AWS::ApiGatewayV2::Route").values()
        if route["AuthorizationType"] == "JWT"
    ]
    assert protected["AuthorizerId"] == authorizer(signed_in_template)["Name"]


def test_tokens_are_this_issuer_s_for_this_client(signed_in_template: Template) -> None:
    tokens = authorizer(signed_in_template)
    assert tokens["AuthorizerType"] == "JWT"
    assert tokens["IdentitySource"] == ["$request.header.Authorization"]
    assert tokens["JwtConfiguration"] == {"Issuer": ISSUER, "Audience": [CLIENT_ID]}


def test_there_is_no_other_way_to_the_page(signed_in_template: Template) -> None:
    assert not signed_in_template.of_type("AWS::Lambda::Url")
    allowed = [
        permission
        for permission in signed_in_template.of_type("AWS::Lambda::Permission").values()
        if permission["FunctionName"].partition(":function:")[2] in BEHIND_IT
    ]
    assert {p["FunctionName"].partition(":function:")[2] for p in allowed} == BEHIND_IT
    for permission in allowed:
        assert permission["Principal"] == "apigateway.amazonaws.com"
        assert permission["SourceArn"].startswith(f"arn:aws:execute-api:eu-central-1:111122223333:{API}/*/")


def test_requests_are_limited(signed_in_template: Template) -> None:
    stage = only(signed_in_template.of_type("AWS::ApiGatewayV2::Stage"))
    assert (stage["StageName"], stage["AutoDeploy"]) == ("$default", True)
    assert stage["DefaultRouteSettings"] == {"ThrottlingRateLimit": 20, "ThrottlingBurstLimit": 40}
    assert signed_in_template.function("sign_in")["ReservedConcurrentExecutions"] == 5


def test_nothing_is_cached_and_everything_but_the_host_is_passed_on(signed_in_template: Template) -> None:
    distribution = only(signed_in_template.of_type("AWS::CloudFront::Distribution"))["DistributionConfig"]
    behaviour = distribution["DefaultCacheBehavior"]
    (origin,) = distribution["Origins"]
    assert "CacheBehaviors" not in distribution
    assert behaviour["CachePolicyId"] == CACHING_DISABLED
    assert behaviour["OriginRequestPolicyId"] == ALL_VIEWER_EXCEPT_HOST_HEADER
    assert behaviour["ViewerProtocolPolicy"] == "redirect-to-https"
    assert "POST" in behaviour["AllowedMethods"]
    assert origin["DomainName"] == f"{API}.execute-api.eu-central-1.amazonaws.com"
    assert origin["CustomOriginConfig"]["OriginProtocolPolicy"] == "https-only"


def test_the_function_in_front_is_the_file_and_sees_every_request(signed_in_template: Template) -> None:
    function = only(signed_in_template.of_type("AWS::CloudFront::Function"))
    distribution = only(signed_in_template.of_type("AWS::CloudFront::Distribution"))["DistributionConfig"]
    (association,) = distribution["DefaultCacheBehavior"]["FunctionAssociations"]
    assert function["FunctionCode"] == VIEWER_REQUEST.read_text()
    assert (function["FunctionConfig"]["Runtime"], function["AutoPublish"]) == ("cloudfront-js-2.0", True)
    assert association["EventType"] == "viewer-request"


def test_links_lead_to_the_distribution(signed_in_template: Template) -> None:
    (name,) = signed_in_template.of_type("AWS::CloudFront::Distribution")
    address = f"https://{name}.DomainName/"
    for folder in ("await_approval", "remind_approvers", "sign_in"):
        variables = signed_in_template.function(folder)["Environment"]["Variables"]
        assert variables["APPROVAL_URL"] == address, folder
    outputs = signed_in_template._resolve(signed_in_template.raw["Outputs"])
    assert outputs["ApprovalUrl"]["Value"] == address
    assert outputs["SignInRedirectUri"]["Value"] == f"{address}sign-in/callback"


def test_both_functions_go_by_the_same_claim(signed_in_template: Template) -> None:
    for folder in ("decide_approval", "sign_in"):
        assert signed_in_template.function(folder)["Environment"]["Variables"]["IDENTITY_FROM"] == "email"


def test_signing_in_takes_one_parameter_and_nothing_else(signed_in_template: Template) -> None:
    granted = {
        (statement.action, statement.resource)
        for statement in signed_in_template.granted(signed_in_template.role_of("sign_in"))
    }
    log_group = signed_in_template.arn("SignInLogs", "AWS::Logs::LogGroup")
    parameter = "arn:aws:ssm:eu-central-1:111122223333:parameter/self-heal/sign-in-client-secret"
    assert granted == {
        ("ssm:GetParameter", parameter),
        ("kms:Decrypt", signed_in_template.arn("DataKey", "AWS::KMS::Key")),
        ("logs:CreateLogStream", log_group),
        ("logs:PutLogEvents", log_group),
        ("xray:PutTelemetryRecords", "*"),
        ("xray:PutTraceSegments", "*"),
    }


def test_its_settings_are_those_that_the_code_asks_for(signed_in_template: Template) -> None:
    asked, _ = settings_of("sign_in")
    variables = signed_in_template.function("sign_in")["Environment"]["Variables"]
    assert asked == set(SIGN_IN.settings)
    powertools = {"POWERTOOLS_METRICS_NAMESPACE", "POWERTOOLS_SERVICE_NAME"}
    assert set(variables) == {name.upper() for name in asked} | powertools
    assert asked <= set(Settings.__dataclass_fields__)


def test_its_errors_raise_an_alarm(signed_in_template: Template) -> None:
    assert [
        alarm
        for alarm in signed_in_template.of_type("AWS::CloudWatch::Alarm").values()
        for metric in metrics_of(alarm)
        for dimension in metric.get("Dimensions", [])
        if (metric["MetricName"], str(dimension["Value"]).split(":")[-1]) == ("Errors", "self-heal-sign-in")
    ]


@pytest.mark.parametrize(
    "value",
    [
        ISSUER,
        f"{ISSUER},",
        f"http://identity.shop.example,{CLIENT_ID}",
        f"{ISSUER}?x=1,{CLIENT_ID}",
        f"{ISSUER},{CLIENT_ID},link",
        f"{ISSUER},{CLIENT_ID},email,more",
    ],
)
def test_a_setting_that_cannot_work_says_so(value: str) -> None:
    with pytest.raises(ValueError, match="sign_in"):
        SignIn.parse(value)
