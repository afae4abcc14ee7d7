"""A CodeBuild project of the stack's own, for apps whose tests need more than a Lambda but no image of
theirs.

Its role is the one that .github/PROOF.md prints for an app's own project: code of strangers runs under it.
"""

from __future__ import annotations

from aws_cdk import ArnFormat, RemovalPolicy, Stack
from aws_cdk import aws_codebuild as codebuild
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.storage import LOG_RETENTION

# S3 uses the bucket's key on the build's behalf; CodeBuild uses it as `EncryptionKeyOverride`.
_KEY_ACTIONS = ("kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*")


class Builds(Construct):
    """A project. name: as an app's `codebuild_project` has. image: such as `aws/codebuild/standard:7.0`,
    or one in a registry that CodeBuild reaches."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        name: str,
        image: str,
        bucket_arn: str,
        key_arn: str,
    ) -> None:
        super().__init__(scope, construct_id)
        stack = Stack.of(self)
        role = iam.Role(
            self,
            "Role",
            assumed_by=iam.ServicePrincipal(
                "codebuild.amazonaws.com",
                conditions={"StringEquals": {"aws:SourceAccount": stack.account}},
            ),
        )
        own = f"{bucket_arn}/builds/{name}/*"
        log_group = stack.format_arn(
            service="logs",
            resource="log-group",
            resource_name=f"/aws/codebuild/{name}*",
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )
        for actions, resource in (
            (("s3:GetObject", "s3:GetObjectVersion"), f"{own}/source.zip"),
            (("s3:PutObject",), f"{own}/results/*"),
            (("s3:GetBucketAcl", "s3:GetBucketLocation"), bucket_arn),
            (("logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"), log_group),
        ):
            role.add_to_policy(iam.PolicyStatement(actions=list(actions), resources=[resource]))
        role.add_to_policy(
            iam.PolicyStatement(
                actions=list(_KEY_ACTIONS),
                resources=[key_arn],
                conditions={"StringLike": {"kms:ViaService": "s3.*.amazonaws.com"}},
            )
        )
        # CodeBuild would make it with the first build, and keep it for good.
        group = logs.LogGroup(
            self,
            "Logs",
            log_group_name=f"/aws/codebuild/{name}",
            retention=LOG_RETENTION,
            removal_policy=RemovalPolicy.DESTROY,
        )
        project = codebuild.CfnProject(
            self,
            "Project",
            name=name,
            description="Runs the tests of patches; what came back is judged elsewhere",
            service_role=role.role_arn,
            source=codebuild.CfnProject.SourceProperty(
                type="NO_SOURCE", build_spec="{version: 0.2, phases: {build: {commands: [exit]}}}"
            ),
            artifacts=codebuild.CfnProject.ArtifactsProperty(type="NO_ARTIFACTS"),
            environment=codebuild.CfnProject.EnvironmentProperty(
                type="LINUX_CONTAINER", compute_type="BUILD_GENERAL1_SMALL", image=image
            ),
        )
        project.node.add_dependency(role, group)
