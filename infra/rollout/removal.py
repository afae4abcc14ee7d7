"""Taking a deployment out of its account: what would go on or be left dangling, then the stack, then data.

Safe to repeat: whatever is gone already is passed over, and one that broke off goes on where it was. What
the stack leaves is found by its tag, so that data can also be deleted after the stack.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import boto3
from botocore.exceptions import ClientError

from infra.errors import Exit, UserError
from infra.names import TAG, Names

KEY_DAYS = 7
"""The least that KMS waits before it deletes a key.
https://docs.aws.amazon.com/kms/latest/APIReference/API_ScheduleKeyDeletion.html"""
_AT_ONCE = 10
_POLL_SECONDS = 2.0
_GONE = ("ResourceNotFoundException", "NoSuchBucket", "NotFoundException", "ValidationError")


@dataclass(frozen=True)
class DeployedStack:
    """What is to be removed. machine: ARN of its state machine, "" where the stack is gone."""

    session: boto3.Session
    names: Names
    machine: str

    def _client(self, service: str) -> Any:
        return self.session.client(service)  # type: ignore[call-overload]  # any service

    @cached_property
    def _logs(self) -> Any:
        return self._client("logs")

    def under_way(self) -> list[str]:
        """Executions that have not ended."""
        if not self.machine:
            return []
        pages = self._client("stepfunctions").get_paginator("list_executions")
        found = pages.paginate(stateMachineArn=self.machine, statusFilter="RUNNING")
        return [row["executionArn"] for page in found for row in page["executions"]]

    def parameters(self) -> list[str]:
        """Names of all parameters: entries, tokens, keys and the switch."""
        pages = self._client("ssm").get_paginator("get_parameters_by_path")
        found = pages.paginate(Path=self.names.parameters, Recursive=True)
        return [row["Name"] for page in found for row in page["Parameters"]]

    def subscribed(self) -> Iterator[str]:
        """Log groups with a filter of ours, whether an entry names them still or not."""
        for page in self._logs.get_paginator("describe_log_groups").paginate():
            for group in (row["logGroupName"] for row in page["logGroups"]):
                filters = self._logs.describe_subscription_filters(
                    logGroupName=group, filterNamePrefix=self.names.filter
                )["subscriptionFilters"]
                if any(one["filterName"] == self.names.filter for one in filters):
                    yield group

    def left(self) -> list[str]:
        """ARNs of what bears the deployment's tag and exists."""
        pages = self._client("resourcegroupstaggingapi").get_paginator("get_resources")
        rows = pages.paginate(TagFilters=[{"Key": TAG, "Values": [self.names.stack]}])
        return [
            row["ResourceARN"]
            for page in rows
            for row in page["ResourceTagMappingList"]
            if self._exists(row["ResourceARN"])
        ]

    def _exists(self, arn: str) -> bool:
        """The index of tags lags behind, and has keys that are about to be deleted."""
        service, name = arn.split(":")[2], arn.rsplit("/", 1)[-1].rsplit(":", 1)[-1]
        try:
            if service == "kms":
                state = self._client("kms").describe_key(KeyId=arn)["KeyMetadata"]["KeyState"]
                return bool(state != "PendingDeletion")
            if service == "s3":
                self._client("s3").get_bucket_location(Bucket=name)
            if service == "dynamodb":
                self._client("dynamodb").describe_table(TableName=name)
        except ClientError as error:
            if error.response["Error"]["Code"] not in _GONE:
                raise
            return False
        return True


def disconnect(deployment: DeployedStack) -> Iterator[str]:
    """End what is under way, and take along what the stack does not know of; what was done, in words."""
    states = deployment._client("stepfunctions")
    # Nobody wants to be told that they failed.
    events = deployment._client("events")
    for rule in events.list_rules(NamePrefix=deployment.names.stack)["Rules"]:
        if deployment.machine and deployment.machine in rule.get("EventPattern", ""):
            events.disable_rule(Name=rule["Name"])
    # A state machine is deleted only once its executions have ended, and a question may wait for days.
    for execution in deployment.under_way():
        states.stop_execution(executionArn=execution, cause="selfheal destroy")
        yield f"heal {execution.rsplit(':', 1)[1]}"
    for group in deployment.subscribed():
        deployment._logs.delete_subscription_filter(logGroupName=group, filterName=deployment.names.filter)
        yield f"subscription of {group}"
    yield from forget(deployment)


def forget(deployment: DeployedStack) -> Iterator[str]:
    """Delete all parameters; what was done, in words. Once more after the stack: until then a function may
    still keep what it discovers."""
    names = deployment.parameters()
    ssm = deployment._client("ssm")
    for start in range(0, len(names), _AT_ONCE):
        ssm.delete_parameters(Names=names[start : start + _AT_ONCE])
    yield from (f"parameter {name}" for name in names)


def delete_stack(deployment: DeployedStack, progress: Callable[[str], None]) -> bool:
    """Delete the stack and wait; False if there was none. Raises UserError where CloudFormation cannot."""
    formation = deployment._client("cloudformation")
    name = deployment.names.stack
    try:
        stack = formation.describe_stacks(StackName=name)["Stacks"][0]
    except ClientError as error:
        if "does not exist" in str(error):
            return False
        raise
    formation.update_termination_protection(StackName=name, EnableTerminationProtection=False)
    formation.delete_stack(StackName=name)
    told: set[str] = set()
    while True:
        stack = formation.describe_stacks(StackName=stack["StackId"])["Stacks"][0]
        for event in reversed(formation.describe_stack_events(StackName=stack["StackId"])["StackEvents"]):
            if event["EventId"] not in told and event["ResourceStatus"].startswith("DELETE_"):
                progress(
                    f"{event['ResourceStatus']:18} {event['ResourceType']:38} {event['LogicalResourceId']}"
                )
            told.add(event["EventId"])
        if stack["StackStatus"] == "DELETE_COMPLETE":
            return True
        if stack["StackStatus"] == "DELETE_FAILED":
            raise UserError(
                f"{name} could not be deleted: {stack.get('StackStatusReason', 'no reason was given')}",
                "mend that, and destroy it again",
                exit_code=Exit.BROKEN,
            )
        time.sleep(_POLL_SECONDS)


def delete_data(deployment: DeployedStack) -> Iterator[str]:
    """Delete tables, bucket and keys that the stack left; what was done, in words. There is no way back."""
    for arn in deployment.left():
        service, name = arn.split(":")[2], arn.rsplit("/", 1)[-1].rsplit(":", 1)[-1]
        match service:
            case "dynamodb":
                deployment._client("dynamodb").delete_table(TableName=name)
                yield f"table {name}"
            case "s3":
                bucket = deployment.session.resource("s3").Bucket(name)
                bucket.object_versions.delete()
                bucket.delete()
                yield f"bucket {name}"
            case "kms":
                deployment._client("kms").schedule_key_deletion(KeyId=arn, PendingWindowInDays=KEY_DAYS)
                yield f"key {name}, in {KEY_DAYS} days"
    # CodeBuild makes it anew, where a build ends later than the stack.
    group = f"/aws/codebuild/{deployment.names.builds}"
    try:
        deployment._logs.delete_log_group(logGroupName=group)
        yield f"log group {group}"
    except deployment._logs.exceptions.ResourceNotFoundException:
        pass
