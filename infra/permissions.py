"""What each permission of the catalog means in IAM: the actions, and the resources they are limited to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from aws_cdk import ArnFormat, Stack
from aws_cdk import aws_iam as iam

from functions.core.approval.task_tokens import APPROVAL
from functions.core.model.arns import OF_AN_ACCOUNT
from infra.names import DEFAULT, Names
from infra.spec import ArtifactAccess, May

# A reference names the version, too.
_READ_OBJECTS = ["s3:GetObject", "s3:GetObjectVersion"]


@dataclass(frozen=True)
class Resources:
    """ARNs that permissions are limited to."""

    incidents_arn: str
    deliveries_arn: str
    approvals_arn: str
    bucket_arn: str
    topic_arn: str
    personal_topic_arn: str
    data_key_arn: str
    state_machine_name: str
    runner_arn: str
    microvm_image_arn: str = ""
    names: Names = DEFAULT


def statements(stack: Stack, resources: Resources, may: Iterable[May]) -> list[iam.PolicyStatement]:
    """The policy statements for these permissions, key usage through the services included."""
    granted = list(may)
    meaning = _meaning(stack, resources)
    own = [
        iam.PolicyStatement(actions=actions, resources=targets)
        for item in granted
        for actions, targets in meaning[item]
    ]
    return own + _key_statements(stack, resources, granted)


def artifact_statements(
    stack: Stack, resources: Resources, artifacts: ArtifactAccess
) -> list[iam.PolicyStatement]:
    """The policy statements for what a function may do in the artifacts bucket.

    A step cannot overwrite what an earlier one wrote, such as the source that a patch is judged on, nor write
    what a later one does, such as the evidence.
    """
    bucket = resources.bucket_arn
    granted = [
        iam.PolicyStatement(actions=actions, resources=[f"{bucket}/{key}" for key in keys])
        for actions, keys in ((_READ_OBJECTS, artifacts.reads), (["s3:PutObject"], artifacts.writes))
        if keys
    ]
    if artifacts.finds:
        # Without it S3 answers 403 instead of 404 for an object that does not exist; bound to a prefix, it
        # still does, but the prefix can be listed.
        found = iam.PolicyStatement(actions=["s3:ListBucket"], resources=[bucket])
        if artifacts.of_one_heal:
            found.add_condition("StringLike", {"s3:prefix": list(artifacts.finds)})
        granted.append(found)
    # https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html
    used = (("kms:Decrypt", artifacts.reads), ("kms:GenerateDataKey", artifacts.writes))
    if actions := [action for action, keys in used if keys]:
        granted.append(key_statement(stack, resources.data_key_arn, "s3", actions))
    return granted


def _meaning(stack: Stack, resources: Resources) -> dict[May, list[tuple[list[str], list[str]]]]:
    names = resources.names
    incidents, approvals = resources.incidents_arn, resources.approvals_arn
    parameter = stack.format_arn(service="ssm", resource="parameter")
    executions = stack.format_arn(
        service="states",
        resource="execution",
        arn_format=ArnFormat.COLON_RESOURCE_NAME,
        resource_name=f"{resources.state_machine_name}:*",
    )
    # An app may name the region whose models it uses.
    bedrock = f"arn:{stack.partition}:bedrock:*:{stack.account}"
    models = [
        f"arn:{stack.partition}:bedrock:*::foundation-model/*",
        *(f"{bedrock}:{kind}/*" for kind in OF_AN_ACCOUNT),
    ]
    return {
        May.READ_INCIDENTS: [(["dynamodb:GetItem"], [incidents])],
        May.UPDATE_INCIDENTS: [(["dynamodb:UpdateItem"], [incidents])],
        May.QUERY_INCIDENTS: [(["dynamodb:Query"], [f"{incidents}/index/by_app"])],
        May.READ_APPROVALS: [(["dynamodb:GetItem"], [approvals])],
        # In transactions, which need the rights of what they are made of.
        May.COUNT_DELIVERIES: [
            (["dynamodb:BatchGetItem", "dynamodb:UpdateItem"], [resources.deliveries_arn])
        ],
        May.OPEN_APPROVALS: [(["dynamodb:PutItem"], [approvals])],
        May.UPDATE_APPROVALS: [(["dynamodb:GetItem", "dynamodb:UpdateItem"], [approvals])],
        # A machine is authorised as its image; a connector's being passed has no resource type.
        May.RUN_MICROVMS: [
            (
                ["lambda:GetMicrovm", "lambda:RunMicrovm", "lambda:TerminateMicrovm"],
                [resources.microvm_image_arn],
            ),
            (["lambda:PassNetworkConnector"], ["*"]),
        ],
        May.RUN_PATCHES: [(["lambda:InvokeFunction"], [resources.runner_arn])],
        May.READ_APP: [(["ssm:GetParameter"], [f"{parameter}{names.registry}/*"])],
        May.READ_SWITCH: [(["ssm:GetParameter"], [f"{parameter}{names.switch}"])],
        May.LIST_APPS: [(["ssm:GetParametersByPath"], [f"{parameter}{names.registry}"])],
        # The group is what a stream is made in, and the stream what events are put into.
        May.LOG_AS_CANARY: [
            (
                ["logs:CreateLogStream", "logs:PutLogEvents"],
                [f"arn:{stack.partition}:logs:{stack.region}:{stack.account}:log-group:{names.canary}:*"],
            )
        ],
        # Any function's log group may be delivered.
        May.DISCOVER_APPS: [
            (
                ["lambda:ListTags"],
                [f"arn:{stack.partition}:lambda:{stack.region}:{stack.account}:function:*"],
            ),
            (["ssm:GetParameter", "ssm:PutParameter"], [f"{parameter}{names.discovered}/*"]),
        ],
        May.READ_CREDENTIALS: [(["ssm:GetParameter"], [f"{parameter}{names.credentials}/*"])],
        May.READ_WEBHOOKS: [(["ssm:GetParameter"], [f"{parameter}{names.webhooks}/*"])],
        May.READ_SLACK_SIGNING: [(["ssm:GetParameter"], [f"{parameter}{names.slack_signing}/*"])],
        May.READ_CLIENT_SECRET: [(["ssm:GetParameter"], [f"{parameter}{names.sign_in_client}"])],
        May.READ_LINK_KEY: [(["ssm:GetParameter"], [f"{parameter}{names.link_key}"])],
        # Any log group of this account may be registered without a change of the stack.
        May.READ_LOGS: [
            (
                ["logs:GetLogEvents"],
                [f"arn:{stack.partition}:logs:{stack.region}:{stack.account}:log-group:*"],
            )
        ],
        # An environment holds secrets, so two of ours alone have this; any function may be registered without
        # a change of the stack. The runtime and the environment are told by the same call, so no condition
        # can ask for the tag without which these leave the environment alone.
        May.READ_FUNCTIONS: [
            (
                ["lambda:GetFunctionConfiguration", "lambda:ListTags"],
                [f"arn:{stack.partition}:lambda:{stack.region}:{stack.account}:function:*"],
            )
        ],
        May.FIND_IMAGES: [
            (
                ["lambda:GetFunction"],
                [f"arn:{stack.partition}:lambda:{stack.region}:{stack.account}:function:*"],
            )
        ],
        May.SEE_LOG_STREAMS: [
            (
                ["logs:DescribeLogStreams"],
                [f"arn:{stack.partition}:logs:{stack.region}:{stack.account}:log-group:*"],
            )
        ],
        # An image's configuration is a blob like its layers; there is no narrower action for it.
        May.READ_IMAGES: [
            (
                ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
                [f"arn:{stack.partition}:ecr:*:{stack.account}:repository/*"],
            )
        ],
        May.KNOW_IDENTITY_CENTER: [
            (
                ["iam:GetRole"],
                [f"arn:{stack.partition}:iam::{stack.account}:role/aws-reserved/sso.amazonaws.com/*"],
            )
        ],
        May.NOTIFY: [(["sns:Publish"], [resources.topic_arn])],
        May.NOTIFY_PERSONS: [(["sns:Publish"], [resources.personal_topic_arn])],
        # By the key: see below.
        May.SEAL_TASK_TOKENS: [],
        May.OPEN_TASK_TOKENS: [],
        # SendTask* have no resource type: the token itself is the capability.
        # https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsstepfunctions.html
        May.ANSWER_TASKS: [(["states:SendTaskSuccess"], ["*"])],
        May.DESCRIBE_EXECUTIONS: [(["states:DescribeExecution"], [executions])],
        May.READ_HISTORY: [(["states:GetExecutionHistory"], [executions])],
        May.COUNT_TOKENS: [(["bedrock:CountTokens"], models)],
        # An inference profile routes to a foundation model in several regions; both need the permission. A
        # router needs to be read, too, as CDK grants it, and the models that it routes to.
        # https://docs.aws.amazon.com/bedrock/latest/userguide/inference-profiles-prereq.html
        May.INVOKE_MODELS: [
            (
                ["bedrock:InvokeModel"],
                models,
            ),
            (
                ["bedrock:GetPromptRouter"],
                [f"{bedrock}:prompt-router/*", f"{bedrock}:default-prompt-router/*"],
            ),
            # One with cross-region inference is used through its profile.
            # https://docs.aws.amazon.com/bedrock/latest/userguide/guardrails-cross-region-permissions.html
            (["bedrock:ApplyGuardrail"], [f"{bedrock}:guardrail/*", f"{bedrock}:guardrail-profile/*"]),
            # Where a server of the app's own is asked: its key.
            (["ssm:GetParameter"], [f"{parameter}{names.credentials}/model/*"]),
        ],
    }


# What a caller needs of a customer-managed key when the service uses it on the caller's behalf.
# Whoever reads or writes a table has its key decrypted, and whoever makes it needs the rest:
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/encryption.usagenotes.html#dynamodb-cmk-trail
# Whoever publishes: https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
_KEY_USERS: tuple[tuple[str, tuple[str, ...], frozenset[May]], ...] = (
    (
        "dynamodb",
        ("kms:Decrypt",),
        frozenset(
            {
                May.READ_INCIDENTS,
                May.UPDATE_INCIDENTS,
                May.QUERY_INCIDENTS,
                May.READ_APPROVALS,
                May.COUNT_DELIVERIES,
                May.OPEN_APPROVALS,
                May.UPDATE_APPROVALS,
            }
        ),
    ),
    ("sns", ("kms:Decrypt", "kms:GenerateDataKey"), frozenset({May.NOTIFY, May.NOTIFY_PERSONS})),
    (
        "ssm",
        ("kms:Decrypt",),
        frozenset(
            {
                *(May.READ_APP, May.LIST_APPS, May.READ_CREDENTIALS, May.READ_LINK_KEY, May.READ_WEBHOOKS),
                *(May.READ_SLACK_SIGNING, May.READ_CLIENT_SECRET, May.INVOKE_MODELS),
            }
        ),
    ),
)


_TASK_TOKENS = {May.SEAL_TASK_TOKENS: "kms:Encrypt", May.OPEN_TASK_TOKENS: "kms:Decrypt"}


def _key_statements(stack: Stack, resources: Resources, may: list[May]) -> list[iam.PolicyStatement]:
    """Use of the data key, only through the services that this role uses anyway, and for task tokens."""
    actions: dict[str, set[str]] = {}
    for service, needed, users in _KEY_USERS:
        if users & set(may):
            actions.setdefault(service, set()).update(needed)
    through = [
        key_statement(stack, resources.data_key_arn, service, sorted(needed))
        for service, needed in sorted(actions.items())
    ]
    sealed = [action for item, action in _TASK_TOKENS.items() if item in may]
    # Nothing that a service encrypts by it is bound to an approval, so nothing of that is opened directly.
    bound = {"Null": {f"kms:EncryptionContext:{APPROVAL}": "false"}}
    directly = iam.PolicyStatement(actions=sealed, resources=[resources.data_key_arn], conditions=bound)
    return through + ([directly] if sealed else [])


def key_statement(stack: Stack, key_arn: str, service: str, actions: list[str]) -> iam.PolicyStatement:
    """Use of a key through one service in this region, and not directly."""
    return iam.PolicyStatement(
        actions=actions,
        resources=[key_arn],
        conditions={"StringEquals": {"kms:ViaService": f"{service}.{stack.region}.amazonaws.com"}},
    )
