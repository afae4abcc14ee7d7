"""The Lambda functions of the catalog: role, log group, code, alias `live`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from aws_cdk import ArnFormat, Duration, RemovalPolicy, Size, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from functions.core.workflow.heal import HEAL_TAG, INCIDENT_TAG
from infra.assets import ARCHITECTURE, LIGHT_ARCHITECTURE, Package
from infra.names import Names
from infra.network import Networks
from infra.permissions import Resources, artifact_statements, statements
from infra.spec import Spec
from infra.storage import LOG_RETENTION

# Actions that Lambda itself needs to place a function in a VPC; they do not support narrower resources.
# https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html#configuration-vpc-permissions
NETWORK_INTERFACE_ACTIONS = (
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
)


@dataclass(frozen=True)
class DeployedFunction:
    """A function and its alias. Everything invokes the alias, so that a redrive runs fixed code."""

    spec: Spec
    function: lambda_.Function
    alias: lambda_.Alias
    role: iam.Role


class FunctionFactory:
    """Builds functions of the catalog within one stack.

    reserve: whether to reserve concurrency; new AWS accounts have too little to reserve any.
    """

    def __init__(
        self,
        stack: Stack,
        names: Names,
        resources: Resources,
        networks: Networks,
        package: Package,
        *,
        reserve: bool,
    ) -> None:
        self._stack = stack
        self._names = names
        self._resources = resources
        self._networks = networks
        self._package = package
        self._reserve = reserve
        self._layers = package.layers(stack)

    def build(self, spec: Spec, settings: Mapping[str, str]) -> DeployedFunction:
        """One function. `settings` has a value for at least every setting that the function uses."""
        scope = Construct(self._stack, spec.construct_id)
        name = self._names.function(spec.folder)
        log_group = logs.LogGroup(
            scope,
            "Logs",
            log_group_name=f"/aws/lambda/{name}",
            retention=LOG_RETENTION,
            removal_policy=RemovalPolicy.DESTROY,
        )
        role = iam.Role(scope, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        network = self._networks.of(spec)
        if network is not None:
            self._let_lambda_attach(role, name)
        if not spec.runs_strangers:
            role.add_to_policy(
                iam.PolicyStatement(
                    actions=["logs:CreateLogStream", "logs:PutLogEvents"], resources=[log_group.log_group_arn]
                )
            )
        for statement in statements(self._stack, self._resources, spec.may):
            role.add_to_policy(statement)
        settings = {**settings, **self._let_use_artifacts(scope, spec, role)}
        code = self._package.code(spec)
        function = lambda_.Function(
            scope,
            "Function",
            function_name=name,
            architecture=ARCHITECTURE if spec.image else LIGHT_ARCHITECTURE,
            code=code.code,
            handler=code.handler,
            runtime=code.runtime,
            layers=None if spec.image else self._layers,
            role=role,
            log_group=log_group,
            timeout=Duration.seconds(spec.timeout),
            memory_size=spec.memory,
            ephemeral_storage_size=Size.mebibytes(spec.disk),
            # Tracing would be a right, and a daemon beside code of strangers.
            tracing=lambda_.Tracing.DISABLED if spec.runs_strangers else lambda_.Tracing.ACTIVE,
            reserved_concurrent_executions=spec.concurrency if self._reserve else None,
            environment=None if spec.runs_strangers else _environment(spec, self._names, settings),
            vpc=network.vpc if network else None,
            vpc_subnets=network.subnets if network else None,
            security_groups=list(network.security_groups) if network else None,
            tenancy_config=lambda_.TenancyConfig.PER_TENANT if spec.runs_strangers else None,
        )
        alias = lambda_.Alias(scope, "Live", alias_name="live", version=function.current_version)
        return DeployedFunction(spec, function, alias, role)

    def _let_use_artifacts(self, scope: Construct, spec: Spec, role: iam.Role) -> dict[str, str]:
        """Let a function use its artifacts; the settings by which it does.

        A step has no right to them itself. It takes on a role that has, in a session with the tags of one
        heal: without them, and to objects of another, the role gives none.
        https://docs.aws.amazon.com/IAM/latest/UserGuide/id_session-tags.html
        """
        granted = artifact_statements(self._stack, self._resources, spec.artifacts)
        if not spec.artifacts.of_one_heal:
            for statement in granted:
                role.add_to_policy(statement)
            return {}
        tags = [INCIDENT_TAG, HEAL_TAG]
        lent = iam.Role(
            scope,
            "ArtifactsRole",
            description=f"Artifacts of one heal, for {spec.folder}",
            assumed_by=iam.ArnPrincipal(role.role_arn)
            .with_session_tags()
            .with_conditions(
                {
                    "Null": {f"aws:RequestTag/{tag}": "false" for tag in tags},
                    "ForAllValues:StringEquals": {"aws:TagKeys": tags},
                }
            ),
        )
        for statement in granted:
            lent.add_to_policy(statement)
        role.add_to_policy(
            iam.PolicyStatement(actions=["sts:AssumeRole", "sts:TagSession"], resources=[lent.role_arn])
        )
        return {"artifacts_role_arn": lent.role_arn}

    def _let_lambda_attach(self, role: iam.Role, name: str) -> None:
        role.add_to_policy(iam.PolicyStatement(actions=list(NETWORK_INTERFACE_ACTIONS), resources=["*"]))
        # These are for the Lambda service, not for the code that runs under the same role.
        # https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html#configuration-vpc-best-practice
        role.add_to_policy(
            iam.PolicyStatement(
                effect=iam.Effect.DENY,
                actions=list(NETWORK_INTERFACE_ACTIONS),
                resources=["*"],
                conditions={
                    "ArnEquals": {
                        "lambda:SourceFunctionArn": self._stack.format_arn(
                            service="lambda",
                            resource="function",
                            resource_name=name,
                            arn_format=ArnFormat.COLON_RESOURCE_NAME,
                        )
                    }
                },
            )
        )


def _environment(spec: Spec, names: Names, settings: Mapping[str, str]) -> dict[str, str]:
    return {
        "POWERTOOLS_METRICS_NAMESPACE": names.stack,
        "POWERTOOLS_SERVICE_NAME": spec.folder,
        **{key.upper(): settings[key] for key in spec.settings},
    }
