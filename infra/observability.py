"""What a platform engineer watches: alarms to the topic, and a dashboard."""

from __future__ import annotations

from collections.abc import Mapping

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from constructs import Construct

from functions.core.aws.telemetry import NAMESPACE
from infra.lambdas import Deployed
from infra.storage import Storage
from infra.workflow import NAME, Workflow

PERIOD = Duration.minutes(5)
DASHBOARD = "self-heal"


class Observability(Construct):
    """Alarms on everything that gets lost or fails without anyone asking, and one page of figures."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        storage: Storage,
        workflow: Workflow,
        functions: Mapping[str, Deployed],
    ) -> None:
        super().__init__(scope, construct_id)
        self._action = actions.SnsAction(storage.topic)
        executions = {
            "ExecutionsFailed": workflow.state_machine.metric_failed(period=PERIOD),
            "ExecutionsTimedOut": workflow.state_machine.metric_timed_out(period=PERIOD),
            "ExecutionsAborted": workflow.state_machine.metric_aborted(period=PERIOD),
        }
        queues = {
            "FailedDetections": storage.failed_detections,
            "UnstartedHeals": storage.unstarted_heals,
            "UnreportedFailures": storage.unreported_failures,
        }
        depths = {
            name: queue.metric_approximate_number_of_messages_visible(period=PERIOD, statistic="Maximum")
            for name, queue in queues.items()
        }
        pipe = cloudwatch.Metric(
            namespace="AWS/EventBridge/Pipes",
            metric_name="ExecutionFailed",
            dimensions_map={"PipeName": NAME},
            period=PERIOD,
            statistic="Sum",
        )
        self._alarm(
            "FailedDetections", depths["FailedDetections"], "log events that detect_errors gave up on"
        )
        self._alarm("UnstartedHeals", depths["UnstartedHeals"], "incidents whose heal never started")
        self._alarm("UnreportedFailures", depths["UnreportedFailures"], "failures that nobody was told of")
        self._alarm("PipeFailed", pipe, "the pipe could not start heals")
        for name, metric in executions.items():
            self._alarm(name, metric, "heals wait for a redrive: selfheal incidents --status FAILED")
        for folder in (
            "detect_errors",
            "decide_approval",
            "report_failure",
            "track_pull_requests",
            "remind_approvers",
            "sign_in",
        ):
            if folder not in functions:
                continue
            deployed = functions[folder]
            self._alarm(
                f"{deployed.spec.construct_id}Errors",
                deployed.alias.metric_errors(period=PERIOD),
                f"{folder} raises errors",
            )
        self._alarm(
            "DetectErrorsThrottled",
            functions["detect_errors"].alias.metric_throttles(period=PERIOD),
            "an error storm exceeds the concurrency reserved for detect_errors",
            threshold=100,
        )
        self._dashboard(workflow, functions, depths, executions)

    def _alarm(
        self, name: str, metric: cloudwatch.IMetric, description: str, threshold: float = 1
    ) -> cloudwatch.Alarm:
        alarm = cloudwatch.Alarm(
            self,
            name,
            metric=metric,
            alarm_description=description,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            evaluation_periods=1,
            threshold=threshold,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
        alarm.add_alarm_action(self._action)
        return alarm

    def _dashboard(
        self,
        workflow: Workflow,
        functions: Mapping[str, Deployed],
        depths: Mapping[str, cloudwatch.Metric],
        executions: Mapping[str, cloudwatch.Metric],
    ) -> None:
        machine = workflow.state_machine
        outcomes = f"SEARCH('{{{NAMESPACE},service,outcome}}', 'Sum', {PERIOD.to_seconds()})"
        cloudwatch.Dashboard(
            self,
            "Dashboard",
            dashboard_name=DASHBOARD,
            widgets=[
                [
                    cloudwatch.GraphWidget(
                        title="Heals",
                        width=12,
                        left=[
                            machine.metric_started(period=PERIOD),
                            machine.metric_succeeded(period=PERIOD),
                            *executions.values(),
                        ],
                    ),
                    cloudwatch.GraphWidget(title="Lost and found", width=12, left=list(depths.values())),
                ],
                [
                    cloudwatch.GraphWidget(
                        title="Outcomes by step",
                        width=12,
                        left=[cloudwatch.MathExpression(expression=outcomes, label="", period=PERIOD)],
                    ),
                    cloudwatch.GraphWidget(
                        title="Errors by function",
                        width=12,
                        left=[
                            deployed.alias.metric_errors(period=PERIOD, label=folder)
                            for folder, deployed in functions.items()
                        ],
                    ),
                ],
                [
                    cloudwatch.GraphWidget(
                        title="Duration by step (p90)",
                        width=24,
                        left=[
                            deployed.alias.metric_duration(period=PERIOD, statistic="p90", label=folder)
                            for folder, deployed in functions.items()
                        ],
                    )
                ],
            ],
        )
