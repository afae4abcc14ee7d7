"""How errors come in: CloudWatch Logs may invoke detect_errors, and what it cannot handle is kept."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.lambdas import DeployedFunction
from infra.permissions import key_statement
from infra.subscription import FILTER_PATTERN, checked_log_group

RETRIES = 2
MAX_AGE_SECONDS = 3600
"""An event that waited longer, behind throttling or failures, goes to the queue, where an alarm sees it."""


class Detection(Construct):
    """Log groups of this account may invoke detect_errors; those in `log_groups` are subscribed here."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        detect_errors: DeployedFunction,
        log_groups: Sequence[str],
        filter_name: str,
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
                filter_name=filter_name,
                filter_pattern=FILTER_PATTERN,
                log_group_name=checked_log_group(log_group),
            )
            subscription.node.add_dependency(permission)


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
