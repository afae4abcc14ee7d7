"""The workflow: the state machine of `statemachine/`, and what starts it, watches it and follows up."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from aws_cdk import Duration, RemovalPolicy, Stack
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_pipes as pipes
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from functions.core.apps.app import PROJECT_PREFIX
from functions.core.aws.names import PING
from functions.core.incidents.incident import BRANCH_PREFIX
from functions.core.workflow.lifetimes import LONGEST_APPROVAL_HOURS
from functions.core.workflow.tracking import EVERY_MINUTES, WITHIN_MINUTES
from infra.catalog import STEPS
from infra.lambdas import DeployedFunction
from infra.packaging import ROOT
from infra.permissions import key_statement
from infra.storage import LOG_RETENTION

DEFINITION = ROOT / "statemachine" / "self_heal.asl.json"
REMIND_MINUTES = 30


def definition_text(approval_hours: int) -> str:
    """The state machine as written, before substitution, with the time that people have to decide.

    TimeoutSeconds must be a literal, so it is put into the text. Raises ValueError for less than an hour, or
    more than `functions.core.workflow.lifetimes` has room for.
    """
    if not 1 <= approval_hours <= LONGEST_APPROVAL_HOURS:
        raise ValueError(
            f"approval_hours is {approval_hours}: it must be from 1 to {LONGEST_APPROVAL_HOURS}"
            f" ({LONGEST_APPROVAL_HOURS // 24} days)"
        )
    text = DEFINITION.read_text()
    written = json.loads(text)["States"]["AwaitApproval"]["TimeoutSeconds"]
    return text.replace(f'"TimeoutSeconds": {written}', f'"TimeoutSeconds": {approval_hours * 3600}')


def substitutions(functions: Mapping[str, DeployedFunction], data_key: kms.Key) -> dict[str, str]:
    """Values for the `${...}` tokens of the state machine: each step's alias, and the artifacts' key."""
    aliases = {f"{spec.construct_id}FunctionArn": functions[spec.folder].alias.function_arn for spec in STEPS}
    return {**aliases, "DataKeyArn": data_key.key_arn}


def builds(stack: Stack) -> list[iam.PolicyStatement]:
    """What `codebuild:startBuild.sync` needs, for every project whose name says that it is meant for this.

    https://docs.aws.amazon.com/step-functions/latest/dg/connect-codebuild.html#codebuild-iam
    """
    projects = stack.format_arn(service="codebuild", resource="project", resource_name=f"{PROJECT_PREFIX}*")
    # The service keeps one rule per account for all of its state machines, and hears by it when a build ends.
    rule = stack.format_arn(
        service="events", resource="rule", resource_name="StepFunctionsGetEventForCodeBuildStartBuildRule"
    )
    return [
        iam.PolicyStatement(
            actions=["codebuild:StartBuild", "codebuild:StopBuild", "codebuild:BatchGetBuilds"],
            resources=[projects],
        ),
        iam.PolicyStatement(
            actions=["events:PutTargets", "events:PutRule", "events:DescribeRule"], resources=[rule]
        ),
    ]


def only_here(stack: Stack, service: str) -> iam.ServicePrincipal:
    """A service, acting for this account: nobody else's pipe or state machine may use the role."""
    return iam.ServicePrincipal(
        f"{service}.amazonaws.com", conditions={"StringEquals": {"aws:SourceAccount": stack.account}}
    )


class Workflow(Construct):
    """The state machine with logging of errors and tracing.

    Its role may invoke the steps' aliases, run builds of the apps' own projects, and nothing else.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        functions: Mapping[str, DeployedFunction],
        approval_hours: int,
        data_key: kms.Key,
        *,
        name: str,
    ) -> None:
        super().__init__(scope, construct_id)
        role = iam.Role(self, "Role", assumed_by=only_here(Stack.of(self), "states"))
        role.add_to_policy(
            iam.PolicyStatement(
                actions=["lambda:InvokeFunction"],
                resources=[functions[spec.folder].alias.function_arn for spec in STEPS],
            )
        )
        for statement in builds(Stack.of(self)):
            role.add_to_policy(statement)
        self.state_machine = sfn.StateMachine(
            self,
            "StateMachine",
            state_machine_name=name,
            state_machine_type=sfn.StateMachineType.STANDARD,
            definition_body=sfn.DefinitionBody.from_string(definition_text(approval_hours)),
            definition_substitutions=substitutions(functions, data_key),
            logs=sfn.LogOptions(
                destination=logs.LogGroup(
                    self,
                    "Logs",
                    log_group_name=f"/aws/vendedlogs/states/{name}",
                    retention=LOG_RETENTION,
                    removal_policy=RemovalPolicy.DESTROY,
                ),
                # Execution data holds task tokens.
                include_execution_data=False,
                level=sfn.LogLevel.ERROR,
            ),
            role=role,
            tracing_enabled=True,
        )


def stream_statements(stack: Stack, incidents: dynamodb.Table, key: kms.Key) -> list[iam.PolicyStatement]:
    """What a pipe from the incidents' stream needs, beside its target.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-permissions.html
    """
    read = ("DescribeStream", "GetRecords", "GetShardIterator", "ListStreams")
    return [
        iam.PolicyStatement(
            actions=[f"dynamodb:{action}" for action in read], resources=[str(incidents.table_stream_arn)]
        ),
        key_statement(stack, key.key_arn, "dynamodb", ["kms:Decrypt"]),
    ]


def stream_source(
    patterns: list[dict[str, Any]], dead_letters: sqs.Queue | None = None
) -> pipes.CfnPipe.PipeSourceParametersProperty:
    """A pipe's source: one record of the stream after the other, of those that match any of the patterns."""
    lost = pipes.CfnPipe.DeadLetterConfigProperty(arn=dead_letters.queue_arn) if dead_letters else None
    return pipes.CfnPipe.PipeSourceParametersProperty(
        dynamo_db_stream_parameters=pipes.CfnPipe.PipeSourceDynamoDBStreamParametersProperty(
            # LATEST can miss what is written while the pipe is created.
            starting_position="TRIM_HORIZON",
            batch_size=1,
            maximum_record_age_in_seconds=3600,
            maximum_retry_attempts=20,
            dead_letter_config=lost,
        ),
        filter_criteria=pipes.CfnPipe.FilterCriteriaProperty(
            filters=[pipes.CfnPipe.FilterProperty(pattern=json.dumps(pattern)) for pattern in patterns]
        ),
    )


class StartHeals(Construct):
    """The pipe from the incidents' stream: one execution for each item that became NEW."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        incidents: dynamodb.Table,
        key: kms.Key,
        state_machine: sfn.StateMachine,
        dead_letters: sqs.Queue,
        name: str,
    ) -> None:
        super().__init__(scope, construct_id)
        stack = Stack.of(self)
        role = iam.Role(self, "Role", assumed_by=only_here(stack, "pipes"))
        for statement in stream_statements(stack, incidents, key):
            role.add_to_policy(statement)
        for action, resource in (
            ("states:StartExecution", state_machine.state_machine_arn),
            ("sqs:SendMessage", dead_letters.queue_arn),
        ):
            role.add_to_policy(iam.PolicyStatement(actions=[action], resources=[resource]))
        pipe = pipes.CfnPipe(
            self,
            "Pipe",
            name=name,
            description="Starts a heal for each incident that becomes NEW",
            role_arn=role.role_arn,
            source=str(incidents.table_stream_arn),
            source_parameters=stream_source(became_new_patterns(), dead_letters),
            target=state_machine.state_machine_arn,
            target_parameters=pipes.CfnPipe.PipeTargetParametersProperty(
                # Values are not escaped here, so only the id travels; the steps read the item.
                input_template='{"incident_id": "<$.dynamodb.NewImage.incident_id.S>"}',
                step_function_state_machine_parameters=pipes.CfnPipe.PipeTargetStateMachineParametersProperty(
                    invocation_type="FIRE_AND_FORGET"
                ),
            ),
        )
        pipe.node.add_dependency(role)


def became_new_patterns() -> list[dict[str, Any]]:
    """Event patterns, any of which matches a stream record whose item became NEW with this very write.

    The images are compared, never `eventName`, which is documented as not filterable.
    """
    is_new = {"NewImage": {"status": {"S": ["NEW"]}}}
    return [
        {"dynamodb": {**is_new, "OldImage": {"status": {"S": [{"exists": False}]}}}},
        {"dynamodb": {**is_new, "OldImage": {"status": {"S": [{"anything-but": ["NEW"]}]}}}},
    ]


class ReportFailures(Construct):
    """The rule that tells report_failure of every execution that ended badly."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        state_machine: sfn.StateMachine,
        report_failure: lambda_.Alias,
        dead_letters: sqs.Queue,
    ) -> None:
        super().__init__(scope, construct_id)
        self.rule = events.Rule(
            self,
            "Rule",
            description="Heals that failed, timed out or were aborted",
            event_pattern=events.EventPattern(
                source=["aws.states"],
                detail_type=["Step Functions Execution Status Change"],
                detail={
                    "stateMachineArn": [state_machine.state_machine_arn],
                    "status": ["FAILED", "TIMED_OUT", "ABORTED"],
                },
            ),
        )
        self.rule.add_target(
            targets.LambdaFunction(
                report_failure,
                dead_letter_queue=dead_letters,
                max_event_age=Duration.hours(6),
                retry_attempts=20,
            )
        )


class WhenToldOf(Construct):
    """Looks at pull requests as soon as the forge tells of them, or a heal of one has ended, and not only on
    schedule.

    Its webhooks come to the default event bus, in the form that EventBridge's own quick start gives to those
    of GitHub: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-saas-furls.html. They are believed
    in nothing: what became of a pull request is asked of the forge.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        track_pull_requests: lambda_.Alias,
        life_events: events.IEventBus,
    ) -> None:
        super().__init__(scope, construct_id)
        ours = [{"prefix": BRANCH_PREFIX}]
        self.rule = events.Rule(
            self,
            "Rule",
            description="A pull request of a heal was decided on, checked or remarked on",
            event_pattern=events.EventPattern(
                source=["github.com"],
                detail={
                    "$or": [
                        {
                            "action": ["closed", "reopened"],
                            "pull_request": {"head": {"ref": ours}},
                        },
                        {"action": ["completed"], "check_suite": {"head_branch": ours}},
                        {"action": ["created"], "comment": {"body": [{"prefix": "/self-heal"}]}},
                    ]
                },
            ),
        )
        # Who asked for changes on a pull request waits there for what came of it.
        self.ended = events.Rule(
            self,
            "Ended",
            event_bus=life_events,
            description="A heal that may have had a pull request to revise has ended",
            event_pattern=events.EventPattern(detail={"status": ["PR_OPEN", "FAILED"]}),
        )
        # The schedule looks at the same things.
        target = targets.LambdaFunction(
            track_pull_requests, max_event_age=Duration.minutes(EVERY_MINUTES), retry_attempts=1
        )
        for rule in (self.rule, self.ended):
            rule.add_target(target)


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
        role = iam.Role(self, "Role", assumed_by=only_here(stack, "scheduler"))
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
