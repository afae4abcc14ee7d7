"""What EventBridge Scheduler invokes: functions that look for what is due, and all of them once a day."""

from __future__ import annotations

import json
from collections.abc import Mapping

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_scheduler as scheduler
from constructs import Construct

from functions.core.aws.names import PING
from functions.core.workflow.tracking import WITHIN_MINUTES
from infra.lambdas import DeployedFunction


def only_here(stack: Stack, service: str) -> iam.ServicePrincipal:
    """A service, acting for this account: nobody else's pipe or state machine may use the role."""
    return iam.ServicePrincipal(
        f"{service}.amazonaws.com", conditions={"StringEquals": {"aws:SourceAccount": stack.account}}
    )


class OnSchedule(Construct):
    """Invokes a function every so many minutes of the hour."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        function: lambda_.Alias,
        minutes: int,
        description: str,
        group: scheduler.CfnScheduleGroup,
    ) -> None:
        super().__init__(scope, construct_id)
        stack = Stack.of(self)
        role = iam.Role(
            self,
            "Role",
            assumed_by=only_here(stack, "scheduler"),
        )
        role.add_to_policy(
            iam.PolicyStatement(actions=["lambda:InvokeFunction"], resources=[function.function_arn])
        )
        schedule = scheduler.CfnSchedule(
            self,
            "Schedule",
            description=description,
            group_name=group.ref,
            flexible_time_window=scheduler.CfnSchedule.FlexibleTimeWindowProperty(
                mode="FLEXIBLE", maximum_window_in_minutes=WITHIN_MINUTES
            ),
            schedule_expression=f"cron(0/{minutes} * * * ? *)",
            target=scheduler.CfnSchedule.TargetProperty(
                arn=function.function_arn,
                role_arn=role.role_arn,
                # The next run looks at the same things: nothing is lost with this one.
                retry_policy=scheduler.CfnSchedule.RetryPolicyProperty(
                    maximum_retry_attempts=0, maximum_event_age_in_seconds=minutes * 60
                ),
            ),
        )
        schedule.node.add_dependency(role)


class KeepAwake(Construct):
    """Calls every function once a day, with an event that it answers without doing anything.

    Lambda makes image and VPC functions inactive that nobody calls for weeks, and refuses the first calls
    after that while they wake up: a heal, or a person who opens the page, should not be the one to wait.
    https://docs.aws.amazon.com/lambda/latest/dg/functions-states.html
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        functions: Mapping[str, DeployedFunction],
        group: scheduler.CfnScheduleGroup,
    ) -> None:
        super().__init__(scope, construct_id)
        role = iam.Role(self, "Role", assumed_by=only_here(Stack.of(self), "scheduler"))
        # An invocation of the runner names a tenant, which no schedule can: RunPatch passes its ping on.
        pinged = [deployed for deployed in functions.values() if not deployed.spec.runs_strangers]
        aliases = [deployed.alias.function_arn for deployed in pinged]
        role.add_to_policy(iam.PolicyStatement(actions=["lambda:InvokeFunction"], resources=aliases))
        for deployed in pinged:
            schedule = scheduler.CfnSchedule(
                self,
                deployed.spec.construct_id,
                description=f"Keeps {deployed.spec.folder} from falling asleep",
                group_name=group.ref,
                flexible_time_window=scheduler.CfnSchedule.FlexibleTimeWindowProperty(
                    mode="FLEXIBLE", maximum_window_in_minutes=60
                ),
                schedule_expression="rate(1 day)",
                target=scheduler.CfnSchedule.TargetProperty(
                    arn=deployed.alias.function_arn,
                    role_arn=role.role_arn,
                    input=json.dumps(PING),
                    # One that sleeps in spite of it refuses at first, as it wakes up.
                    retry_policy=scheduler.CfnSchedule.RetryPolicyProperty(
                        maximum_retry_attempts=10, maximum_event_age_in_seconds=3600
                    ),
                ),
            )
            schedule.node.add_dependency(role)
