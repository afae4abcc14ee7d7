"""The alarms of `infra/alarms.py`, on what the stack has."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from aws_cdk import Duration
from aws_cdk import aws_apigatewayv2 as apigateway
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_events as events
from aws_cdk import aws_scheduler as scheduler
from constructs import Construct

from infra.alarms import ALARMS, BAND, COMPOSITES, Alarm, Composite, Watched
from infra.lambdas import DeployedFunction
from infra.names import Names
from infra.storage import Storage
from infra.workflow import Workflow

RUNBOOK = ".github/RUNBOOK.md"


@dataclass(frozen=True)
class WatchedRule:
    """bus: whose rule it is, None for the account's own."""

    rule: events.Rule
    bus: events.EventBus | None = None


@dataclass(frozen=True)
class Parts:
    """What is watched."""

    storage: Storage
    workflow: Workflow
    functions: Mapping[str, DeployedFunction]
    schedules: scheduler.CfnScheduleGroup
    rules: Mapping[str, WatchedRule]
    """By the function that they invoke."""
    api: apigateway.HttpApi | None = None
    """In front of the page, where people sign in; its function answers by itself otherwise."""


class Alarms(Construct):
    """All of them ring the team's topic; those of the steps do it through one composite."""

    def __init__(self, scope: Construct, construct_id: str, *, parts: Parts, names: Names) -> None:
        super().__init__(scope, construct_id)
        self._parts = parts
        self._names = names
        self._action = actions.SnsAction(parts.storage.topic)
        present = [alarm for alarm in ALARMS if self._is_there(alarm)]
        made: dict[str, cloudwatch.IAlarm] = {alarm.name: self._alarm(alarm) for alarm in present}
        made[BAND.name] = self._band(BAND)
        for composite in COMPOSITES:
            made[composite.name] = self._composite(composite, made)

    def _is_there(self, alarm: Alarm) -> bool:
        of_function = alarm.watched in (Watched.FUNCTION, Watched.OURS)
        return not of_function or alarm.key in self._parts.functions

    def _text(self, alarm: Alarm | Composite) -> str:
        """Ends with what answers it."""
        answer = alarm.answer + (self._names.flag if alarm.answer.startswith("selfheal") else "")
        # A function's name stays as it is: people look for it.
        named = "_" in alarm.means.partition(" ")[0]
        means = alarm.means if named else alarm.means[0].upper() + alarm.means[1:]
        return f"{means}. {RUNBOOK}, section {alarm.runbook}. {answer}"

    def _name(self, alarm: Alarm | Composite) -> str:
        return self._names.prefix + re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", alarm.name).lower()

    def _alarm(self, alarm: Alarm) -> cloudwatch.Alarm:
        operators = cloudwatch.ComparisonOperator
        missing = cloudwatch.TreatMissingData
        made = cloudwatch.Alarm(
            self,
            alarm.name,
            alarm_name=self._name(alarm),
            alarm_description=self._text(alarm),
            metric=self._metric(alarm),
            threshold=alarm.threshold,
            evaluation_periods=1,
            comparison_operator=operators.LESS_THAN_THRESHOLD
            if alarm.below
            else operators.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            treat_missing_data=missing.BREACHING if alarm.below else missing.NOT_BREACHING,
        )
        if not alarm.silent:
            made.add_alarm_action(self._action)
        return made

    def _band(self, alarm: Alarm) -> cloudwatch.AnomalyDetectionAlarm:
        made = cloudwatch.AnomalyDetectionAlarm(
            self,
            alarm.name,
            alarm_name=self._name(alarm),
            alarm_description=self._text(alarm),
            metric=self._metric(alarm),
            std_devs=alarm.threshold,
            evaluation_periods=2,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_UPPER_THRESHOLD,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
        made.add_alarm_action(self._action)
        return made

    def _composite(
        self, composite: Composite, made: Mapping[str, cloudwatch.IAlarm]
    ) -> cloudwatch.CompositeAlarm:
        rings = [
            cloudwatch.AlarmRule.from_alarm(made[name], cloudwatch.AlarmState.ALARM)
            for name in composite.of
            if name in made
        ]
        found = cloudwatch.CompositeAlarm(
            self,
            composite.name,
            composite_alarm_name=self._name(composite),
            alarm_description=self._text(composite),
            alarm_rule=cloudwatch.AlarmRule.any_of(*rings),
            actions_suppressor=made.get(composite.hushed_by),
        )
        found.add_alarm_action(self._action)
        return found

    def _metric(self, alarm: Alarm) -> cloudwatch.IMetric:
        period = Duration.minutes(alarm.minutes)
        if alarm.watched is Watched.ACCOUNT:
            return _share_of_quota(alarm, period)
        namespace, dimensions = self._place(alarm)
        each = {
            f"m{number}": cloudwatch.Metric(
                namespace=namespace,
                metric_name=name,
                dimensions_map=dimensions,
                period=period,
                statistic=alarm.statistic,
            )
            for number, name in enumerate(self._called(alarm))
        }
        if len(each) == 1:
            return each["m0"]
        total = " + ".join(f"FILL({name}, 0)" for name in each)
        return cloudwatch.MathExpression(expression=total, using_metrics=dict(each), period=period)

    def _called(self, alarm: Alarm) -> tuple[str, ...]:
        return ("5xx",) if alarm.watched is Watched.PAGE and self._parts.api else alarm.metrics

    def _place(self, alarm: Alarm) -> tuple[str, dict[str, str]]:
        """Namespace and dimensions of an alarm's metrics."""
        parts = self._parts
        match alarm.watched:
            case Watched.PAGE if parts.api:
                return "AWS/ApiGateway", {"ApiId": parts.api.api_id}
            case Watched.FUNCTION | Watched.PAGE:
                function = parts.functions[alarm.key].function.function_name
                name = self._names.function(alarm.key)
                return "AWS/Lambda", {"FunctionName": function, "Resource": f"{name}:live"}
            case Watched.QUEUE:
                return "AWS/SQS", {"QueueName": parts.storage.queues[alarm.key].queue_name}
            case Watched.TABLE:
                return "AWS/DynamoDB", {"TableName": parts.storage.tables[alarm.key].table_name}
            case Watched.PIPE:
                return "AWS/EventBridge/Pipes", {"PipeName": getattr(self._names, alarm.key)}
            case Watched.STATE_MACHINE:
                return "AWS/States", {"StateMachineArn": parts.workflow.state_machine.state_machine_arn}
            case Watched.SCHEDULES:
                return "AWS/Scheduler", {"ScheduleGroup": str(parts.schedules.name)}
            case Watched.RULE:
                rule = parts.rules[alarm.key]
                # What counts on a bus of one's own bears its name, too, and would not be found without.
                # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-monitoring.html
                bus = {"EventBusName": rule.bus.event_bus_name} if rule.bus else {}
                return "AWS/Events", {**bus, "RuleName": rule.rule.rule_name}
            case _:
                return self._names.stack, {"service": alarm.key}


def _share_of_quota(alarm: Alarm, period: Duration) -> cloudwatch.MathExpression:
    """Percent of the account's own limit, whatever that is.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch-Quotas-Visualize-Alarms.html
    """
    used = cloudwatch.Metric(
        namespace="AWS/Usage",
        metric_name="ResourceCount",
        dimensions_map={
            "Class": "None",
            "Resource": alarm.metrics[0],
            "Service": "Lambda",
            "Type": "Resource",
        },
        period=period,
        statistic=alarm.statistic,
    )
    share = "used / SERVICE_QUOTA(used) * 100"
    return cloudwatch.MathExpression(expression=share, using_metrics={"used": used}, period=period)
