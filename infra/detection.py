"""How errors come in: CloudWatch Logs may invoke detect_errors, and what it cannot handle is kept."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import CfnOutput, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.lambdas import DeployedFunction
from infra.names import ACCOUNT_POLICY, Names
from infra.permissions import key_statement
from infra.subscription import (
    FILTER_PATTERN,
    Subscribe,
    checked_log_group,
    policy_document,
    selection_criteria,
)

RETRIES = 2
MAX_AGE_SECONDS = 3600
"""An event that waited longer, behind throttling or failures, goes to the queue, where an alarm sees it."""


class Detection(Construct):
    """Log groups of this account may invoke detect_errors; `log_groups`, or all, are subscribed here."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        detect_errors: DeployedFunction,
        log_groups: Sequence[str],
        subscribe: Subscribe,
        names: Names,
    ) -> None:
        super().__init__(scope, construct_id)
        stack = Stack.of(self)
        alias = detect_errors.alias
        permission = lambda_.CfnPermission(
            self,
            "LogsMayInvoke",
            action="lambda:InvokeFunction",
            function_name=alias.function_arn,
            principal="logs.amazonaws.com",
            source_account=stack.account,
            source_arn=f"arn:{stack.partition}:logs:{stack.region}:{stack.account}:log-group:*",
        )
        for log_group in log_groups:
            subscription = logs.CfnSubscriptionFilter(
                self,
                f"Subscription{log_group}",
                destination_arn=alias.function_arn,
                filter_name=names.filter,
                filter_pattern=FILTER_PATTERN,
                log_group_name=checked_log_group(log_group),
            )
            subscription.node.add_dependency(permission)
        if subscribe is Subscribe.ACCOUNT:
            policy = logs.CfnAccountPolicy(
                self,
                "AllLogGroups",
                policy_name=names.filter,
                policy_type="SUBSCRIPTION_FILTER_POLICY",
                policy_document=stack.to_json_string(policy_document(alias.function_arn)),
                scope="ALL",
                selection_criteria=selection_criteria(names),
            )
            policy.node.add_dependency(permission)
            CfnOutput(stack, ACCOUNT_POLICY, value=names.filter)


def keep_failed_events(deployed: DeployedFunction, queue: sqs.Queue) -> None:
    """Send events that an asynchronously invoked function could not handle to a queue, not to oblivion."""
    stack = Stack.of(deployed.function)
    deployed.role.add_to_policy(iam.PolicyStatement(actions=["sqs:SendMessage"], resources=[queue.queue_arn]))
    if key := queue.encryption_master_key:
        deployed.role.add_to_policy(
            key_statement(stack, key.key_arn, "sqs", ["kms:Decrypt", "kms:GenerateDataKey"])
        )
    config = lambda_.CfnEventInvokeConfig(
        deployed.function,
        "Asynchronous",
        function_name=deployed.function.function_name,
        qualifier=deployed.alias.alias_name,
        maximum_retry_attempts=RETRIES,
        maximum_event_age_in_seconds=MAX_AGE_SECONDS,
        destination_config=lambda_.CfnEventInvokeConfig.DestinationConfigProperty(
            on_failure=lambda_.CfnEventInvokeConfig.OnFailureProperty(destination=queue.queue_arn)
        ),
    )
    config.node.add_dependency(deployed.alias)
