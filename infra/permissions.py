"""What each permission of the catalog means in IAM: the actions, and the resources they are limited to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from aws_cdk import ArnFormat, Stack
from aws_cdk import aws_iam as iam

from functions.core.app import CREDENTIALS_PATH
from functions.fetch_source.function import READABLE
from infra.catalog import May
from infra.names import (
    LINK_KEY_PARAMETER,
    REGISTRY_PATH,
    SIGN_IN_CLIENT_PARAMETER,
    SLACK_SIGNING_PATH,
    WEBHOOKS_PATH,
)

# What a caller needs of a customer-managed key when the service uses it on the caller's behalf.
# DynamoDB: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/encryption.usagenotes.html
# S3: https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html
# SNS and SQS: "Configuring AWS KMS permissions" in their developer guides.
_DYNAMODB_KEY_ACTIONS = (
    "kms:Decrypt",
    "kms:DescribeKey",
    "kms:Encrypt",
    "kms:GenerateDataKey*",
    "kms:ReEncrypt*",
)
# A reference names the version, too.
_READ_OBJECTS = ["s3:GetObject", "s3:GetObjectVersion"]
_READ_WRITE_KEY_ACTIONS = ("kms:Decrypt", "kms:GenerateDataKey")


@dataclass(frozen=True)
class Resources:
    """ARNs that permissions are limited to."""

    incidents_arn: str
    approvals_arn: str
    bucket_arn: str
    topic_arn: str
    personal_topic_arn: str
    data_key_arn: str
    token_key_arn: str
    state_machine_name: str


def statements(stack: Stack, resources: Resources, may: Iterable[May]) -> list[iam.PolicyStatement]:
    """The policy statements for these permissions, key usage through the services included."""
    granted = list(may)
    meaning = _meaning(stack, resources)
    own = [
        iam.PolicyStatement(actions=actions, resources=targets, conditions=_CONDITIONS.get(item))
        for item in granted
        for actions, targets in meaning[item]
    ]
    return (
        own
        + _write_nothing_of_others(resources.bucket_arn, granted)
        + _key_statements(stack, resources, granted)
    )


def _meaning(stack: Stack, resources: Resources) -> dict[May, list[tuple[list[str], list[str]]]]:
    incidents, approvals, bucket = resources.incidents_arn, resources.approvals_arn, resources.bucket_arn
    parameter = stack.format_arn(service="ssm", resource="parameter")
    executions = stack.format_arn(
        service="states",
        resource="execution",
        arn_format=ArnFormat.COLON_RESOURCE_NAME,
        resource_name=f"{resources.state_machine_name}:*",
    )
    # An app may name the region whose models it uses.
    bedrock = f"arn:{stack.partition}:bedrock:*:{stack.account}"
    functions = f"arn:{stack.partition}:lambda:{stack.region}:{stack.account}:function:*"
    return {
        May.READ_INCIDENTS: [(["dynamodb:GetItem"], [incidents])],
        May.UPDATE_INCIDENTS: [(["dynamodb:GetItem", "dynamodb:UpdateItem"], [incidents])],
        May.QUERY_INCIDENTS: [(["dynamodb:Query"], [f"{incidents}/index/by_app"])],
        May.READ_APPROVALS: [(["dynamodb:GetItem"], [approvals])],
        May.OPEN_APPROVALS: [(["dynamodb:PutItem"], [approvals])],
        May.UPDATE_APPROVALS: [(["dynamodb:GetItem", "dynamodb:UpdateItem"], [approvals])],
        May.READ_ARTIFACTS: [(_READ_OBJECTS, [f"{bucket}/*"])],
        # Without it S3 answers 403 instead of 404 for an object that does not exist.
        May.FIND_ARTIFACTS: [(["s3:ListBucket"], [bucket])],
        **{item: [(["s3:PutObject"], [f"{bucket}/*"])] for item in _ONLY_THEIRS},
        May.READ_SOURCE: [
            (
                _READ_OBJECTS,
                [f"{bucket}/{key}" for key in ("*/source.tar.gz", "*/facts.json", "dependencies/*")],
            )
        ],
        May.WRITE_DEPENDENCIES: [(["s3:PutObject"], [f"{bucket}/dependencies/*"])],
        May.READ_APP: [(["ssm:GetParameter"], [f"{parameter}{REGISTRY_PATH}/*"])],
        May.LIST_APPS: [(["ssm:GetParametersByPath"], [f"{parameter}{REGISTRY_PATH}"])],
        May.READ_CREDENTIALS: [(["ssm:GetParameter"], [f"{parameter}{CREDENTIALS_PATH}/*"])],
        May.READ_WEBHOOKS: [(["ssm:GetParameter"], [f"{parameter}{WEBHOOKS_PATH}/*"])],
        May.READ_SLACK_SIGNING: [(["ssm:GetParameter"], [f"{parameter}{SLACK_SIGNING_PATH}/*"])],
        May.READ_CLIENT_SECRET: [(["ssm:GetParameter"], [f"{parameter}{SIGN_IN_CLIENT_PARAMETER}"])],
        May.READ_LINK_KEY: [(["ssm:GetParameter"], [f"{parameter}{LINK_KEY_PARAMETER}"])],
        # Any log group of this account may be registered without a change of the stack.
        May.READ_LOGS: [
            (
                ["logs:GetLogEvents"],
                [f"arn:{stack.partition}:logs:{stack.region}:{stack.account}:log-group:*"],
            )
        ],
        # Any function may be registered without a change of the stack.
        May.READ_TAGS: [(["lambda:ListTags"], [functions])],
        May.READ_ENVIRONMENTS: [(["lambda:GetFunctionConfiguration"], [functions])],
        May.NOTIFY: [(["sns:Publish"], [resources.topic_arn])],
        May.NOTIFY_PERSONS: [(["sns:Publish"], [resources.personal_topic_arn])],
        May.SEAL_TASK_TOKENS: [(["kms:Encrypt"], [resources.token_key_arn])],
        May.OPEN_TASK_TOKENS: [(["kms:Decrypt"], [resources.token_key_arn])],
        # SendTask* have no resource type: the token itself is the capability.
        # https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsstepfunctions.html
        May.ANSWER_TASKS: [(["states:SendTaskSuccess"], ["*"])],
        May.DESCRIBE_EXECUTIONS: [(["states:DescribeExecution"], [executions])],
        May.READ_HISTORY: [(["states:GetExecutionHistory"], [executions])],
        # An inference profile routes to a foundation model in several regions; both need the permission.
        # https://docs.aws.amazon.com/bedrock/latest/userguide/inference-profiles-prereq.html
        May.INVOKE_MODELS: [
            (
                ["bedrock:InvokeModel", "bedrock:CountTokens"],
                [
                    f"arn:{stack.partition}:bedrock:*::foundation-model/*",
                    f"{bedrock}:inference-profile/*",
                    f"{bedrock}:application-inference-profile/*",
                ],
            ),
            (["bedrock:ApplyGuardrail"], [f"{bedrock}:guardrail/*"]),
        ],
    }


# An environment holds secrets: only that of a function whose owner has tagged it.
# https://docs.aws.amazon.com/lambda/latest/dg/attribute-based-access-control.html
_CONDITIONS = {May.READ_ENVIRONMENTS: {"StringEquals": {f"aws:ResourceTag/{READABLE[0]}": READABLE[1]}}}

# What others rely on, below a heal's prefix: https://docs.aws.amazon.com/AmazonS3/latest/userguide/
# s3-arn-format.html, "Wildcards". All of it travels by hash as well.
_ONLY_THEIRS = {
    May.WRITE_SOURCE: ("*/source.tar.gz", "*/source.json", "*/facts.json"),
    May.WRITE_PROPOSALS: ("*/proposal.json", "*/outcome.json"),
    May.WRITE_EVIDENCE: ("*/patch.diff", "*/evidence.json"),
}


def _write_nothing_of_others(bucket: str, granted: list[May]) -> list[iam.PolicyStatement]:
    """A step that writes artifacts writes none that another step answers for, and no dependencies."""
    own = {item for item in granted if item in _ONLY_THEIRS}
    if not own:
        return []
    others = [name for item, names in _ONLY_THEIRS.items() if item not in own for name in names]
    return [
        iam.PolicyStatement(
            effect=iam.Effect.DENY,
            actions=["s3:PutObject"],
            resources=[f"{bucket}/{name}" for name in ("dependencies/*", *others)],
        )
    ]


_KEY_USERS: tuple[tuple[str, tuple[str, ...], frozenset[May]], ...] = (
    (
        "dynamodb",
        _DYNAMODB_KEY_ACTIONS,
        frozenset(
            {
                May.READ_INCIDENTS,
                May.UPDATE_INCIDENTS,
                May.QUERY_INCIDENTS,
                May.READ_APPROVALS,
                May.OPEN_APPROVALS,
                May.UPDATE_APPROVALS,
            }
        ),
    ),
    ("s3", _READ_WRITE_KEY_ACTIONS, frozenset({*_ONLY_THEIRS, May.WRITE_DEPENDENCIES})),
    ("s3", ("kms:Decrypt",), frozenset({May.READ_ARTIFACTS, May.READ_SOURCE})),
    ("sns", _READ_WRITE_KEY_ACTIONS, frozenset({May.NOTIFY, May.NOTIFY_PERSONS})),
    (
        "ssm",
        ("kms:Decrypt",),
        frozenset({May.READ_CREDENTIALS, May.READ_LINK_KEY, May.READ_WEBHOOKS, May.READ_SLACK_SIGNING}),
    ),
    ("ssm", ("kms:Decrypt",), frozenset({May.READ_CLIENT_SECRET})),
)


def _key_statements(stack: Stack, resources: Resources, may: list[May]) -> list[iam.PolicyStatement]:
    """Use of the data key, only through the services that this role uses anyway."""
    actions: dict[str, set[str]] = {}
    for service, needed, users in _KEY_USERS:
        if users & set(may):
            actions.setdefault(service, set()).update(needed)
    return [
        key_statement(stack, resources.data_key_arn, service, sorted(needed))
        for service, needed in sorted(actions.items())
    ]


def key_statement(stack: Stack, key_arn: str, service: str, actions: list[str]) -> iam.PolicyStatement:
    """Use of a key through one service in this region, and not directly."""
    return iam.PolicyStatement(
        actions=actions,
        resources=[key_arn],
        conditions={"StringEquals": {"kms:ViaService": f"{service}.{stack.region}.amazonaws.com"}},
    )
