"""What a person on call looks at: a dashboard, saved queries of the logs, and a group of failed traces."""

from __future__ import annotations

from typing import Any

from aws_cdk import Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_logs as logs
from aws_cdk import aws_xray as xray
from constructs import Construct

from infra.names import Names
from infra.observability import Parts

QUERIES: dict[str, str] = {
    "what failed, by step and error": """filter message = "step failed"
| stats count() as failures, latest(incident_id) as example by service, error
| sort failures desc""",
    "one incident, from end to end": """filter incident_id like /INCIDENT/
| fields @timestamp, service, message, outcome, error, seconds
| sort @timestamp""",
    "how heals ended": """filter service = "record_outcome" and ispresent(outcome)
| stats count() as heals by outcome, app
| sort heals desc""",
    "what is slow": """filter ispresent(seconds)
| stats pct(seconds, 50) as p50, pct(seconds, 90) as p90, max(seconds) as longest, count() as runs by service
| sort p90 desc""",
    "what models cost": """filter ispresent(ModelSpend)
| stats sum(ModelSpend) as usd, count() as calls by app, bin(1d)
| sort usd desc""",
    "what came in from where": """filter service = "detect_errors" and ispresent(outcome)
| stats count() as deliveries by outcome, bin(1h)""",
}
"""Logs Insights queries over the functions' log groups: name → query. `INCIDENT` is to be replaced."""

CONTRIBUTORS: dict[str, dict[str, str]] = {
    "failing-fingerprints": {"match": "$.Failures", "aggregate": "Count"},
    "dearest-fingerprints": {"match": "$.ModelSpend", "aggregate": "Sum", "value": "$.ModelSpend"},
}
"""Contributor Insights: which errors' heals fail most, and which cost most. The fingerprint is a property of
the functions' metrics and never a dimension, so that only these rules tell them apart."""


class Looks(Construct):
    """Saved queries, rules that rank fingerprints, and a group of the traces in which a function of ours
    failed."""

    def __init__(self, scope: Construct, construct_id: str, *, parts: Parts, names: Names) -> None:
        super().__init__(scope, construct_id)
        groups = [each.function.log_group.log_group_name for each in parts.functions.values()]
        for name, query in QUERIES.items():
            logs.CfnQueryDefinition(
                self,
                name.title().replace(" ", "").replace(",", ""),
                # A slash makes a folder of the console's list.
                name=f"{names.dashboard}/{name}",
                log_group_names=groups,
                query_string=query,
            )
        for name, rule in CONTRIBUTORS.items():
            cloudwatch.CfnInsightRule(
                self,
                name.title().replace("-", ""),
                rule_name=f"{names.prefix}{name}",
                rule_state="ENABLED",
                rule_body=Stack.of(self).to_json_string(_ranking(groups, **rule)),
            )
        xray.CfnGroup(
            self,
            "Failures",
            group_name=f"{names.prefix}failures",
            filter_expression=f'annotation.failed = true AND annotation.deployment = "{names.dashboard}"',
        )


def _ranking(groups: list[str], match: str, aggregate: str, value: str = "") -> dict[str, Any]:
    """https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/ContributorInsights-RuleSyntax.html"""
    contribution: dict[str, Any] = {
        "Keys": ["$.app", "$.fingerprint"],
        "Filters": [{"Match": match, "GreaterThan": 0}],
    }
    return {
        "Schema": {"Name": "CloudWatchLogRule", "Version": 1},
        "LogGroupNames": groups,
        "LogFormat": "JSON",
        "Contribution": contribution | ({"ValueOf": value} if value else {}),
        "AggregateOn": aggregate,
    }


STAGES = ("begun", "shown", "approved", "opened", "regressed")
"""What RecordOutcome counts of heals: see `functions.record_outcome.outcome.stages`."""


class Dashboard(Construct):
    """What somebody on call asks: what waits, what failed, what it costs, what is healed."""

    def __init__(self, scope: Construct, construct_id: str, *, parts: Parts, names: Names) -> None:
        super().__init__(scope, construct_id)
        period = Duration.minutes(5)
        machine = parts.workflow.state_machine
        region = Stack.of(self).region

        def graph(title: str, left: list[cloudwatch.IMetric], width: int = 12) -> cloudwatch.GraphWidget:
            return cloudwatch.GraphWidget(title=title, width=width, left=left, region=region)

        def ours(metric: str, service: str, statistic: str, label: str) -> cloudwatch.Metric:
            return cloudwatch.Metric(
                namespace=names.stack,
                metric_name=metric,
                dimensions_map={"service": service},
                period=period,
                statistic=statistic,
                label=label,
            )

        def outcomes(service: str) -> cloudwatch.MathExpression:
            schema = f'{{{names.stack},service,outcome}} service="{service}"'
            expression = f"SEARCH('{schema}', 'Sum', {period.to_seconds()})"
            return cloudwatch.MathExpression(expression=expression, label="", period=period)

        def counted(metric: str, service: str, **by: str) -> cloudwatch.Metric:
            return cloudwatch.Metric(
                namespace=names.stack,
                metric_name=metric,
                dimensions_map={"service": service, **by},
                statistic="Sum",
                label=next(iter(by.values())),
            )

        def figures(
            title: str, metrics: list[cloudwatch.IMetric], width: int
        ) -> cloudwatch.SingleValueWidget:
            """Of the whole time that is looked at, as `selfheal stats` says them."""
            return cloudwatch.SingleValueWidget(
                title=title,
                width=width,
                metrics=metrics,
                set_period_to_time_range=True,
                region=region,
            )

        merged = counted("Outcomes", "track_pull_requests", outcome="merged")
        spent = {
            f"usd{number}": ours("ModelSpend", service, "Sum", service)
            for number, service in enumerate(("propose_patch", "review_patch"))
        }
        per_fix = cloudwatch.MathExpression(
            expression=f"({' + '.join(f'FILL({each}, 0)' for each in spent)}) / merged",
            using_metrics={**spent, "merged": merged},
            label="USD per merged fix",
        )
        reasons = f"SEARCH('{{{names.stack},service,reason}} service=\"record_outcome\"', 'Sum', 300)"

        functions = parts.functions.items()
        cloudwatch.Dashboard(
            self,
            "Dashboard",
            dashboard_name=names.dashboard,
            widgets=[
                [
                    graph(
                        "What waits: questions, and how much of their time is over (%)",
                        [
                            ours("QuestionsWaiting", "remind_approvers", "Maximum", "questions"),
                            ours(
                                "OldestQuestionShare", "remind_approvers", "Maximum", "oldest, % of its time"
                            ),
                        ],
                    ),
                    graph(
                        "What failed: heals, and what is queued because of it",
                        [
                            machine.metric_failed(period=period),
                            machine.metric_timed_out(period=period),
                            machine.metric_aborted(period=period),
                            *(
                                queue.metric_approximate_number_of_messages_visible(
                                    period=period, statistic="Maximum", label=name
                                )
                                for name, queue in parts.storage.queues.items()
                            ),
                        ],
                    ),
                ],
                [
                    graph(
                        "What it costs: USD for models",
                        [
                            ours("ModelSpend", "propose_patch", "Sum", "proposals"),
                            ours("ModelSpend", "review_patch", "Sum", "second opinions"),
                        ],
                    ),
                    graph("What is healed: how heals ended", [outcomes("record_outcome")]),
                ],
                [
                    graph(
                        "What comes in: errors, and heals that began",
                        [
                            ours("Errors", "detect_errors", "Sum", "errors"),
                            machine.metric_started(period=period),
                        ],
                    ),
                    graph("What becomes of pull requests", [outcomes("track_pull_requests")]),
                ],
                [
                    graph(
                        "Errors by function",
                        [each.alias.metric_errors(period=period, label=folder) for folder, each in functions],
                    ),
                    graph(
                        "Duration by function (p90)",
                        [
                            each.alias.metric_duration(period=period, statistic="p90", label=folder)
                            for folder, each in functions
                        ],
                    ),
                ],
                [
                    figures(
                        "How far heals came that ended in this time, and their pull requests",
                        [
                            *(counted("Heals", "record_outcome", stage=stage) for stage in STAGES),
                            merged,
                            counted("Outcomes", "track_pull_requests", outcome="rejected"),
                            per_fix,
                        ],
                        14,
                    ),
                    figures(
                        "Why no patch was proposed",
                        [cloudwatch.MathExpression(expression=reasons, label="", using_metrics={})],
                        10,
                    ),
                ],
            ],
        )
