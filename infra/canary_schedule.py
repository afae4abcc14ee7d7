"""When the canary sings, and when it must have been heard."""

from __future__ import annotations

import json

from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_scheduler as scheduler
from constructs import Construct

from infra.names import Names
from infra.storage import LOG_RETENTION
from infra.workflow import only_here

BEGINS_AT, CHECKED_AT = 6, 7
"""Hours of UTC: a heal has one hour."""


class CanarySchedule(Construct):
    """The log group that its app watches, and two calls a day."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        canary: lambda_.Alias,
        group: scheduler.CfnScheduleGroup,
        names: Names,
    ) -> None:
        super().__init__(scope, construct_id)
        logs.LogGroup(
            self,
            "Logs",
            log_group_name=names.canary,
            retention=LOG_RETENTION,
            removal_policy=RemovalPolicy.DESTROY,
        )
        role = iam.Role(self, "Role", assumed_by=only_here(Stack.of(self), "scheduler"))
        role.add_to_policy(
            iam.PolicyStatement(actions=["lambda:InvokeFunction"], resources=[canary.function_arn])
        )
        for do, hour in (("begin", BEGINS_AT), ("check", CHECKED_AT)):
            schedule = scheduler.CfnSchedule(
                self,
                do.capitalize(),
                description=f"The canary: {do}",
                group_name=group.ref,
                flexible_time_window=scheduler.CfnSchedule.FlexibleTimeWindowProperty(mode="OFF"),
                schedule_expression=f"cron(0 {hour} * * ? *)",
                target=scheduler.CfnSchedule.TargetProperty(
                    arn=canary.function_arn, role_arn=role.role_arn, input=json.dumps({"do": do})
                ),
            )
            schedule.node.add_dependency(role)
