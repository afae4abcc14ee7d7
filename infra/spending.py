"""What a deployment may cost in a month, all of it: AWS Budgets tells the team before it does.

An app's own budgets bound its model calls before they are made; this one sees the bill, a day late. It counts
what bears the deployment's tag, once that is activated as a cost-allocation tag (Billing console, or
`aws ce update-cost-allocation-tags-status`). Models are billed without a tag, unless the app names an
application inference profile that has it.
"""

from __future__ import annotations

from aws_cdk import Stack
from aws_cdk import aws_budgets as budgets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from constructs import Construct

from infra.names import TAG, Names

# Percent of the limit: of what was spent, and of what the month will come to.
_RUNGS = (("ACTUAL", 80), ("ACTUAL", 100), ("FORECASTED", 100))


class Spending(Construct):
    """The budget, and the right of AWS Budgets to tell the team's topic.

    https://docs.aws.amazon.com/cost-management/latest/userguide/budgets-sns-policy.html
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, usd: int, topic: sns.Topic, key: kms.Key, names: Names
    ) -> None:
        super().__init__(scope, construct_id)
        here = {"StringEquals": {"aws:SourceAccount": Stack.of(self).account}}
        service = iam.ServicePrincipal("budgets.amazonaws.com")
        topic.add_to_resource_policy(
            iam.PolicyStatement(
                sid="BudgetNotifies",
                actions=["sns:Publish"],
                principals=[service],
                resources=[topic.topic_arn],
                conditions=here,
            )
        )
        key.add_to_resource_policy(
            iam.PolicyStatement(
                sid="BudgetNotifies",
                actions=["kms:Decrypt", "kms:GenerateDataKey*"],
                principals=[service],
                resources=["*"],
                conditions=here,
            )
        )
        told = budgets.CfnBudget.SubscriberProperty(address=topic.topic_arn, subscription_type="SNS")
        budgets.CfnBudget(
            self,
            "Budget",
            budget=budgets.CfnBudget.BudgetDataProperty(
                budget_name=f"{names.prefix}month",
                budget_type="COST",
                time_unit="MONTHLY",
                budget_limit=budgets.CfnBudget.SpendProperty(amount=usd, unit="USD"),
                cost_filters={"TagKeyValue": [f"user:{TAG}${names.stack}"]},
            ),
            notifications_with_subscribers=[
                budgets.CfnBudget.NotificationWithSubscribersProperty(
                    notification=budgets.CfnBudget.NotificationProperty(
                        comparison_operator="GREATER_THAN",
                        notification_type=kind,
                        threshold=percent,
                        threshold_type="PERCENTAGE",
                    ),
                    subscribers=[told],
                )
                for kind, percent in _RUNGS
            ],
        )
