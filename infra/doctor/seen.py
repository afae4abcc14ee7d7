"""Looking at a deployment and an app in AWS, each thing when a check asks for it. Nothing is changed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import Any

from functions.core.approval.approvers import with_links
from functions.core.apps.app import App
from functions.core.forge.deploy_key import DeployKey, NoDeployKey
from functions.core.forge.installation import token_of
from functions.core.forge.signing import NoSigningKey, SigningKey
from functions.core.workflow.errors import AppInvalid, PermanentError
from functions.harness.interpreters import VERSIONS
from infra.catalog import FUNCTIONS
from infra.doctor.app import SubscriptionFilter
from infra.doctor.checks import Moot
from infra.doctor.stack import AccountPolicy
from infra.model_check import notes_on_models
from infra.registration import claimed_by_others, not_encrypted
from infra.subscription import policy_document, selection_criteria
from infra.target import OUTPUTS, Target

_QUEUES = {
    "log deliveries": "FailedDetectionsUrl",
    "heals": "UnstartedHealsUrl",
    "failure reports": "UnreportedFailuresUrl",
}


@dataclass(frozen=True)
class SeenStack:
    """A deployment; `infra.doctor.stack.StackSeen` says what each thing is."""

    target: Target

    @property
    def flag(self) -> str:
        return self.target.flag

    def _client(self, service: str) -> Any:
        return self.target.session.client(service)  # type: ignore[call-overload]  # any service

    @cached_property
    def _stack(self) -> Any:
        return self._client("cloudformation").describe_stacks(StackName=self.target.names.stack)

    @property
    def status(self) -> str:
        return str(self._stack["Stacks"][0]["StackStatus"])

    @property
    def skew_seconds(self) -> float:
        answered = self._stack["ResponseMetadata"]["HTTPHeaders"].get("date")
        if not answered:
            return 0.0
        return (datetime.now(UTC) - parsedate_to_datetime(answered)).total_seconds()

    @property
    def missing_outputs(self) -> Sequence[str]:
        return [name for name in OUTPUTS if name not in self.target.outputs]

    @property
    def topic_arn(self) -> str:
        return self.target.output("TopicArn")

    @property
    def subscribers(self) -> Mapping[str, int]:
        found = self._client("sns").get_topic_attributes(TopicArn=self.topic_arn)["Attributes"]
        return {
            "confirmed": int(found.get("SubscriptionsConfirmed", 0)),
            "pending": int(found.get("SubscriptionsPending", 0)),
        }

    @property
    def has_link_key(self) -> bool:
        ssm = self._client("ssm")
        try:
            ssm.get_parameter(Name=self.target.names.link_key)  # encrypted, as it stays
        except ssm.exceptions.ParameterNotFound:
            return False
        return True

    @property
    def stopped(self) -> str:
        return self.target.switch.stopped()

    @property
    def queued(self) -> Mapping[str, int]:
        name = "ApproximateNumberOfMessages"
        sqs = self._client("sqs")
        urls = {what: self.target.output(output) for what, output in _QUEUES.items()}
        return {
            what: int(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name])["Attributes"][name])
            for what, url in urls.items()
        }

    @property
    def pipe(self) -> str:
        return self.target.names.workflow

    @property
    def pipe_state(self) -> str:
        return str(self._client("pipes").describe_pipe(Name=self.pipe)["CurrentState"])

    @property
    def rule_states(self) -> Mapping[str, str]:
        machine = self.target.output("StateMachineArn")
        rules = self._client("events").list_rules(NamePrefix=self.target.names.stack)["Rules"]
        return {rule["Name"]: rule["State"] for rule in rules if machine in rule.get("EventPattern", "")}

    @property
    def account_policy(self) -> AccountPolicy | None:
        if not self.target.subscribes_to_all:
            raise Moot
        names = self.target.names
        policies = self._client("logs").describe_account_policies(policyType="SUBSCRIPTION_FILTER_POLICY")
        for row in policies["accountPolicies"]:
            if row["policyName"] == names.filter:
                found = json.loads(row["policyDocument"])
                selection = row.get("selectionCriteria", "")
                return AccountPolicy(found["DestinationArn"], found.get("FilterPattern", ""), selection)
        return None

    @property
    def wanted_policy(self) -> AccountPolicy:
        wanted = policy_document(self.target.output("DetectErrorsArn"))
        selection = selection_criteria(self.target.names)
        return AccountPolicy(wanted["DestinationArn"], wanted["FilterPattern"], selection)

    @property
    def concurrency(self) -> int:
        limit = self._client("lambda").get_account_settings()["AccountLimit"]
        return int(limit["ConcurrentExecutions"])

    @property
    def sleeping(self) -> Sequence[str]:
        client = self._client("lambda")
        names = [self.target.names.function(spec.folder) for spec in FUNCTIONS]
        states = {name: client.get_function_configuration(FunctionName=name).get("State") for name in names}
        return [name for name, state in states.items() if state not in ("Active", None)]

    @cached_property
    def apps(self) -> Mapping[str, str]:
        entries = self.target.registry.entries()
        return {name: str(found) if isinstance(found, AppInvalid) else "" for name, found in entries.items()}

    @property
    def not_encrypted(self) -> Sequence[str]:
        return not_encrypted(self.target)


@dataclass(frozen=True)
class SeenApp:
    """An app in its deployment; `infra.doctor.app.AppSeen` says what each thing is."""

    target: Target
    app: App

    @property
    def flag(self) -> str:
        return self.target.flag

    def _client(self, service: str) -> Any:
        return self.target.session.client(service)  # type: ignore[call-overload]  # any service

    @property
    def filter_name(self) -> str:
        return self.target.names.filter

    @property
    def all_are_subscribed(self) -> bool:
        return self.target.subscribes_to_all

    @property
    def detect_errors(self) -> str:
        return self.target.output("DetectErrorsArn")

    @cached_property
    def filters(self) -> Mapping[str, Sequence[SubscriptionFilter] | None]:
        return {group: self._filters(group) for group in self.app.log_groups}

    def _filters(self, group: str) -> Sequence[SubscriptionFilter] | None:
        logs = self._client("logs")
        try:
            rows = logs.describe_subscription_filters(logGroupName=group)["subscriptionFilters"]
        except logs.exceptions.ResourceNotFoundException:
            return None
        return [
            SubscriptionFilter(row["filterName"], row["destinationArn"], row["filterPattern"]) for row in rows
        ]

    @property
    def claimed_by_others(self) -> Mapping[str, str]:
        return claimed_by_others(self.target, self.app.name, self.app.log_groups)

    @cached_property
    def token(self) -> str:
        """The app's token; "" without one. Raises PermanentError for one that cannot be used."""
        return token_of(self.target.registry, self.app)

    @property
    def token_problem(self) -> str:
        try:
            self.token  # noqa: B018 - read for what it raises
        except PermanentError as error:
            return str(error)
        return ""

    @cached_property
    def deploy_key(self) -> DeployKey | None:
        """Raises PermanentError and NoDeployKey for one that cannot be used."""
        kept = self.target.registry.deploy_key(self.app)
        return DeployKey.of(self.app, kept) if kept else None

    @property
    def deploy_key_problem(self) -> str:
        try:
            self.deploy_key  # noqa: B018 - read for what it raises
        except (PermanentError, NoDeployKey) as error:
            return str(error)
        return ""

    @property
    def signing_key_problem(self) -> str:
        try:
            if kept := self.target.registry.signing_key(self.app):
                SigningKey.from_text(kept)
        except (PermanentError, NoSigningKey) as error:
            return str(error)
        return ""

    @property
    def model_notes(self) -> Sequence[str]:
        return notes_on_models(self.target, self.app)

    @property
    def pythons(self) -> Sequence[str]:
        return VERSIONS

    @property
    def project_exists(self) -> bool:
        name = self.app.codebuild_project
        return bool(self._client("codebuild").batch_get_projects(names=[name])["projects"])

    @property
    def unconfirmed(self) -> Sequence[str]:
        wanted = {one for one in with_links(self.app.approvers) if "@" in one}
        if not wanted:
            return []
        pages = self._client("sns").get_paginator("list_subscriptions_by_topic")
        rows = [
            row
            for page in pages.paginate(TopicArn=self.target.output("PersonalTopicArn"))
            for row in page["Subscriptions"]
        ]
        confirmed = {row["Endpoint"] for row in rows if row["SubscriptionArn"].startswith("arn:")}
        return sorted(wanted - confirmed)

    @property
    def missing_identities(self) -> Sequence[str]:
        account = self._client("sts").get_caller_identity()["Account"]
        iam = self._client("iam")
        looks = {
            "user": lambda name: iam.get_user(UserName=name),
            "role": lambda name: iam.get_role(RoleName=name),
        }
        missing = []
        for arn in self.app.approvers:
            kind, _, path = arn.rpartition(":")[2].partition("/")
            # Another account's cannot be looked at from here.
            if arn.startswith("arn:") and f":{account}:" in arn and kind in looks:
                try:
                    looks[kind](path.rpartition("/")[2])
                except iam.exceptions.NoSuchEntityException:
                    missing.append(arn)
        return missing
