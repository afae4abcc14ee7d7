"""Sign-in in front of the approval page: CloudFront, then an HTTP API whose authorizer checks every token.

A browser that opens a mailed link sends cookies but no Authorization header, and an authorizer reads nothing
but headers; so a function at CloudFront's edge (viewer_request.js) turns the one into the other.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import cast

from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_apigatewayv2 as apigateway
from aws_cdk import aws_apigatewayv2_authorizers as authorizers
from aws_cdk import aws_apigatewayv2_integrations as integrations
from aws_cdk import aws_cloudfront as cloudfront
from aws_cdk import aws_cloudfront_origins as origins
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.lambdas import DeployedFunction
from infra.provider import SignIn
from infra.storage import LOG_RETENTION

VIEWER_REQUEST = Path(__file__).with_name("viewer_request.js")

# People who read and decide, all together: requests per second, and at once.
_RATE, _BURST = 20, 40


class Entrance(Construct):
    """The way in. Functions are put behind it by `lead_to`, once they exist: they need its address."""

    def __init__(self, scope: Construct, construct_id: str, sign_in: SignIn, prefix: str) -> None:
        super().__init__(scope, construct_id)
        self._tokens = authorizers.HttpJwtAuthorizer(
            "Tokens", sign_in.issuer, jwt_audience=[sign_in.client_id], authorizer_name=f"{prefix}sign-in"
        )
        self.api = apigateway.HttpApi(self, "Api", api_name=f"{prefix}approvals", create_default_stage=False)
        stage = apigateway.HttpStage(
            self,
            "Stage",
            http_api=self.api,
            stage_name="$default",
            auto_deploy=True,
            throttle=apigateway.ThrottleSettings(rate_limit=_RATE, burst_limit=_BURST),
        )
        self._say_who_asked(stage, prefix)
        stack = Stack.of(self)
        host = f"{self.api.api_id}.execute-api.{stack.region}.{stack.url_suffix}"
        distribution = cloudfront.Distribution(
            self,
            "Distribution",
            comment="Approval page of self-healing code",
            default_behavior=cloudfront.BehaviorOptions(
                origin=origins.HttpOrigin(host),
                allowed_methods=cloudfront.AllowedMethods.ALLOW_ALL,
                viewer_protocol_policy=cloudfront.ViewerProtocolPolicy.REDIRECT_TO_HTTPS,
                # With caching disabled, this policy passes the Authorization header on.
                # https://repost.aws/knowledge-center/cloudfront-authorization-header
                cache_policy=cloudfront.CachePolicy.CACHING_DISABLED,
                origin_request_policy=cloudfront.OriginRequestPolicy.ALL_VIEWER_EXCEPT_HOST_HEADER,
                function_associations=[
                    cloudfront.FunctionAssociation(
                        event_type=cloudfront.FunctionEventType.VIEWER_REQUEST,
                        function=cloudfront.Function(
                            self,
                            "ViewerRequest",
                            code=cloudfront.FunctionCode.from_file(file_path=str(VIEWER_REQUEST)),
                            runtime=cloudfront.FunctionRuntime.JS_2_0,
                            comment="Session cookie to Authorization header",
                        ),
                    )
                ],
            ),
        )
        self.url = f"https://{distribution.distribution_domain_name}/"
        """Base address of the page, ending in `/`."""

    def _say_who_asked(self, stage: apigateway.HttpStage, prefix: str) -> None:
        """A line per request: who and how, and never the address, which holds signed links."""
        group = logs.LogGroup(
            self,
            "Requests",
            log_group_name=f"/aws/vendedlogs/apis/{prefix}approvals",
            retention=LOG_RETENTION,
            removal_policy=RemovalPolicy.DESTROY,
        )
        fields = {name: f"$context.{name}" for name in ("requestId", "requestTime", "routeKey", "status")}
        made = cast(apigateway.CfnStage, stage.node.default_child)
        made.access_log_settings = apigateway.CfnStage.AccessLogSettingsProperty(
            destination_arn=group.log_group_arn,
            format=json.dumps({**fields, "ip": "$context.identity.sourceIp"}),
        )

    def lead_to(self, page: DeployedFunction, sign_in: DeployedFunction) -> None:
        """Everything needs a token, except to get one, and Slack's clicks, which Slack signs."""
        shown = integrations.HttpLambdaIntegration("Page", page.alias)
        entered = integrations.HttpLambdaIntegration("SignIn", sign_in.alias)
        nobody = apigateway.HttpNoneAuthorizer()
        for path in ("/sign-in", "/sign-in/{page}", "/sign-out"):
            self.api.add_routes(
                path=path, methods=[apigateway.HttpMethod.GET], integration=entered, authorizer=nobody
            )
        self.api.add_routes(
            path="/slack", methods=[apigateway.HttpMethod.POST], integration=shown, authorizer=nobody
        )
        apigateway.HttpRoute(
            self,
            "Everything",
            http_api=self.api,
            route_key=apigateway.HttpRouteKey.DEFAULT,
            integration=shown,
            authorizer=self._tokens,
        )
