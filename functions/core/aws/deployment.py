"""What this deployment gives whoever works in it: tables, bucket, registry, forges, models.

A function has what its environment and its role allow, and asks for nothing before it needs it; what was made
once is kept while the function is warm. Tests put theirs in its place: `Deployment(settings, incidents=…)`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

import boto3

from functions.core.aws.settings import Settings
from functions.core.model.time_left import TimeLeft
from functions.core.workflow.errors import PermanentError

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.parameters import SSMProvider
    from botocore.config import Config
    from mypy_boto3_bedrock_runtime import BedrockRuntimeClient
    from mypy_boto3_dynamodb.service_resource import DynamoDBServiceResource, Table
    from mypy_boto3_ecr import ECRClient
    from mypy_boto3_stepfunctions import SFNClient

    from functions.core.approval.approvals import Approvals
    from functions.core.approval.decisions import Decisions
    from functions.core.approval.links import LinkKeys
    from functions.core.approval.task_tokens import TaskTokens
    from functions.core.apps.app import App
    from functions.core.apps.registry import Registry
    from functions.core.aws.console import Console
    from functions.core.forge.deploy_key import DeployKey
    from functions.core.forge.git_remote import Remote
    from functions.core.forge.port import Forge
    from functions.core.forge.signing import SigningKey
    from functions.core.incidents.table import Incidents
    from functions.core.model.budget import Budgets
    from functions.core.model.port import LanguageModel
    from functions.core.notify.commands import Commands
    from functions.core.notify.notifications import Notifications
    from functions.core.notify.outbox import Outbox
    from functions.core.notify.signing_secrets import SigningSecrets
    from functions.core.notify.webhooks import Webhooks
    from functions.core.workflow.artifacts import Artifacts
    from functions.core.workflow.heal import Heal
    from functions.core.workflow.history import Visit
    from functions.core.workflow.switch import Switch


class Deployment:
    """Modules are imported with what they make, so that a function starts with no more than it uses."""

    def __init__(self, settings: Settings | None = None, **instead: Any) -> None:
        """settings: the environment's, unless given; instead: what takes the place of a property."""
        self._settings = settings or Settings.from_environment()
        self.time = TimeLeft()
        """What is left of the invocation that goes on."""
        vars(self).update(instead)

    @property
    def settings(self) -> Settings:
        return self._settings

    def setting(self, name: str) -> str:
        """Raises PermanentError when the stack did not set it."""
        return self.settings.require(name)

    @property
    def environment(self) -> Mapping[str, str]:
        """For programs that a step starts."""
        return os.environ

    @cached_property
    def session(self) -> boto3.Session:
        return boto3.Session()

    @property
    def region(self) -> str:
        """Where this deployment is; "" where no region is set."""
        return self.session.region_name or ""

    @cached_property
    def parameters(self) -> SSMProvider:
        from aws_lambda_powertools.utilities.parameters import SSMProvider

        return SSMProvider(boto3_client=self.session.client("ssm"))

    def table(self, setting: str) -> Table:
        return self._dynamodb.Table(self.setting(setting))

    @cached_property
    def _dynamodb(self) -> DynamoDBServiceResource:
        return self.session.resource("dynamodb")

    @cached_property
    def incidents(self) -> Incidents:
        from functions.core.incidents.table import Incidents

        return Incidents(self.table("incidents_table"))

    @cached_property
    def approvals(self) -> Approvals:
        from functions.core.approval.approvals import Approvals

        return Approvals(self.table("approvals_table"))

    @cached_property
    def registry(self) -> Registry:
        from functions.core.apps.registry import Registry

        return Registry(self.setting("registry_path"), self.parameters)

    @cached_property
    def outbox(self) -> Outbox:
        from functions.core.notify.outbox import Outbox

        return Outbox(self.table("incidents_table"), self.notifications)

    @cached_property
    def switch(self) -> Switch:
        """The one that stops all healing."""
        from functions.core.workflow.switch import Switch

        return Switch(self.settings.switch_parameter, self.session.client("ssm"))

    @cached_property
    def artifacts(self) -> Artifacts:
        """The whole bucket, for those whose own role may use it: page, reminders, command line."""
        from functions.core.workflow.artifacts import Artifacts

        return Artifacts(self.session.client("s3"), self.setting("artifacts_bucket"))

    def artifacts_of(self, heal: Heal) -> Artifacts:
        """The artifacts of one heal, for a step. Raises what STS raises."""
        from functions.core.workflow.scoped import artifacts_of

        return artifacts_of(heal, self.settings, self.session)

    @cached_property
    def commands(self) -> Commands:
        """How commands are written for people."""
        from functions.core.notify.commands import PROGRAM, Commands

        return Commands(self.settings.command_program or PROGRAM, self.settings.command_flag)

    @cached_property
    def console(self) -> Console:
        """Where people look further."""
        from functions.core.aws.console import Console

        return Console(self.settings.console_url)

    @cached_property
    def notifications(self) -> Notifications:
        from functions.core.notify.notifications import Notifications

        topic, personal = self.setting("topic_arn"), self.settings.personal_topic_arn
        return Notifications(self.session.client("sns"), topic, personal, self.commands)

    @cached_property
    def webhooks(self) -> Webhooks:
        from functions.core.notify.webhooks import Webhooks

        return Webhooks(self.setting("webhooks_path"), self.parameters, self.commands)

    @cached_property
    def signing_secrets(self) -> SigningSecrets:
        from functions.core.notify.signing_secrets import SigningSecrets

        return SigningSecrets(self.setting("slack_signing_path"), self.parameters)

    def client_secret(self) -> str:
        """The OpenID Connect client's, "" for a public one, which has PKCE alone. A rotated one is
        seen within five minutes. Raises PermanentError."""
        from aws_lambda_powertools.utilities.parameters.exceptions import GetParameterError

        name = self.setting("client_secret_parameter")
        try:
            return str(self.parameters.get(name, decrypt=True, max_age=300))
        except GetParameterError as error:
            if "ParameterNotFound" in str(error):
                return ""
            raise PermanentError(f"cannot read the client secret from parameter {name!r}") from error

    @cached_property
    def link_keys(self) -> LinkKeys:
        from functions.core.approval.links import LinkKeys

        return LinkKeys(self.setting("link_key_parameter"), self.parameters)

    @cached_property
    def tokens(self) -> TaskTokens:
        """Whoever only opens them needs no key: the ciphertext names it."""
        from functions.core.approval.task_tokens import TaskTokens

        return TaskTokens(self.session.client("kms"), self.settings.token_key_arn)

    @cached_property
    def step_functions(self) -> SFNClient:
        return self.session.client("stepfunctions")

    def visits(self, execution_arn: str) -> list[Visit]:
        """The states that an execution has visited. Raises what AWS raises."""
        from functions.core.workflow.history import read_visits

        return read_visits(self.step_functions, execution_arn, data=False)

    @cached_property
    def decisions(self) -> Decisions:
        from functions.core.approval.decisions import Decisions

        return Decisions(self.approvals, self.incidents, self.tokens, self.step_functions)

    @property
    def page(self) -> str:
        """Base address of the approval page, ending in `/`."""
        return self.setting("approval_url")

    @property
    def identity_from(self) -> str:
        """Who decides on the page: see `core.approval.identity`."""
        return self.setting("identity_from")

    def ecr(self, region: str) -> ECRClient:
        return self.session.client("ecr", region_name=region)

    def token_of(self, app: App) -> str:
        """A token for the app's forge, "" without credentials. Raises what `installation.token_of` does."""
        from functions.core.forge.installation import token_of

        return token_of(self.registry, app)

    def forge(self, app: App) -> Forge:
        """The app's repository on its forge. Raises as `token_of` does."""
        from functions.core.forge.connect import connect

        return connect(app, self.token_of(app))

    def remote(self, app: App) -> Remote:
        """The app's repository, by git: with its deploy key, else with a token. Raises as `deploy_key` and
        `token_of` do."""
        from functions.core.forge.git_remote import Remote

        key = self.deploy_key(app)
        return Remote.of(app, "" if key else self.token_of(app), key)

    def deploy_key(self, app: App) -> DeployKey | None:
        """By which git reads and pushes; None where that takes a token. Raises PermanentError."""
        from functions.core.forge.deploy_key import DeployKey, NoDeployKey

        kept = self.registry.deploy_key(app)
        try:
            return DeployKey.of(app, kept) if kept else None
        except NoDeployKey as error:
            raise PermanentError(f"app {app.name!r}: its deploy key is {error}") from error

    def signing_key(self, app: App) -> SigningKey | None:
        """By which the app's commits are signed; None where they are not. Raises PermanentError."""
        from functions.core.forge.signing import NoSigningKey, SigningKey

        kept = self.registry.signing_key(app)
        try:
            return SigningKey.from_text(kept) if kept else None
        except NoSigningKey as error:
            raise PermanentError(f"app {app.name!r}: the key for its commits is {error}") from error

    def model(self, app: App) -> LanguageModel:
        """What answers as the app's models: its own server, or Bedrock. Raises PermanentError where the key
        for the server is gone."""
        if app.model_url:
            from functions.core.model.chat import Chat
            from functions.core.model.server import ChatServer

            key = self.registry.model_key(app)
            return Chat(ChatServer(app.model_url, key, app.certificate_authority, self.time).complete)
        from functions.core.model.bedrock import Bedrock

        def connect(config: Config) -> BedrockRuntimeClient:
            region = app.model_region or None
            return self.session.client("bedrock-runtime", region_name=region, config=config)

        return Bedrock(connect, self.time)

    def budget(self, app: App) -> Budgets:
        """What the app may spend on models, today and in this month."""
        from functions.core.model.budget import Budgets

        return Budgets.of(app, self.table("incidents_table"))


@cache
def deployment() -> Deployment:
    """This function's own, for as long as it is warm."""
    return Deployment()
