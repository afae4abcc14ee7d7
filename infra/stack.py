"""The stack: everything that runs in AWS, put together from the parts beside this file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from aws_cdk import ArnFormat, CfnOutput, Stack, Tags
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_scheduler as scheduler
from constructs import Construct

from functions.core.approval.identity import LINK
from functions.core.workflow.lifetimes import APPROVAL_HOURS, artifact_days
from functions.core.workflow.tracking import EVERY_MINUTES
from functions.harness.interpreters import VERSIONS
from infra.assets import Package
from infra.builds import Builds
from infra.canary_schedule import CanarySchedule
from infra.catalog import CANARY, FUNCTIONS, RUNNER, SIGN_IN
from infra.dashboard import Dashboard, Looks
from infra.detection import Detection, keep_failed_events
from infra.forge_vpc import ForgeVpc
from infra.lambdas import DeployedFunction, FunctionFactory
from infra.life_events import LifeEvents
from infra.microvms import MicroVmImage, with_microvms
from infra.names import DEFAULT, TAG, Names
from infra.network import ForgeNetwork, IsolatedNetwork, Networks
from infra.observability import Alarms, Parts, WatchedRule
from infra.packaging import Packaging
from infra.permissions import Resources
from infra.provider import SignIn
from infra.sign_in import Entrance
from infra.spec import Spec
from infra.spending import Spending
from infra.storage import Storage
from infra.subscription import Subscribe, discovering
from infra.workflow import (
    REMIND_MINUTES,
    KeepAwake,
    OnSchedule,
    ReportFailures,
    StartHeals,
    WhenToldOf,
    Workflow,
)


@dataclass(frozen=True)
class StackOptions:
    """What a deployment may choose, as CDK context values of the same names."""

    stage: Names = DEFAULT
    """Tells several deployments in one account and region apart: all of their names hold it."""
    packaging: Packaging = Packaging.IMAGE
    log_groups: tuple[str, ...] = ()
    """Log groups to subscribe as part of the stack; `selfheal configure` does it without."""
    subscribe: Subscribe = Subscribe.GROUPS
    """What is delivered: log groups of registered apps, or all of the account's."""
    canary: str = ""
    """Name of an app whose known error is logged every day, and must be healed; without it there is none."""
    reserve_concurrency: bool = True
    """False for new AWS accounts, whose limit is too low to reserve any."""
    approval_hours: int = APPROVAL_HOURS
    """How long people have to decide; then the heal times out, and a redrive asks again."""
    heals_at_once: int = 20
    """How many heals may be under way at once; the others wait for their turn."""
    budget_usd: int = 0
    """What the deployment may cost in a month, before AWS Budgets tells the team; 0 for no such budget."""
    package_index: str = ""
    """Address of the index that packages for the tests come from; without it, the installer's own default."""
    availability_zones: tuple[str, ...] = ()
    """Where the sandbox's subnets are; else the region's first two, of which Lambda may not support each."""
    pythons: tuple[str, ...] = VERSIONS
    """The Pythons that apps can run on: those of the runner's image, or of this machine."""
    build_image: str = ""
    """Image of a CodeBuild project of the stack's own, which apps may name; without it there is none."""
    microvm: MicroVmImage | None = None
    """Where patches run instead of the function `runner`; without it, there."""
    sign_in: SignIn | None = None
    """Where people sign in before they see the page; without it, a signed link is enough."""
    forge_vpc: ForgeVpc | None = None
    """Where the functions are that speak to the forge, for one that the internet does not reach."""

    def __post_init__(self) -> None:
        if self.log_groups and self.subscribe is Subscribe.ACCOUNT:
            raise ValueError("log_groups are subscribed already: subscribe=account subscribes to all")


class SelfHealingCode(Stack):
    """All resources. `staging`: a directory for the functions' packages that must exist until synthesis."""

    def __init__(self, scope: Construct, options: StackOptions, staging: Path) -> None:
        self._names = names = options.stage
        super().__init__(
            scope,
            names.stack,
            description="Heals Python services: traceback to pull request",
            termination_protection=True,
        )
        Tags.of(self).add(TAG, names.stack)
        self.storage = storage = Storage(
            self, "Storage", account=self.account, artifact_days=artifact_days(options.approval_hours)
        )
        network = IsolatedNetwork(
            self,
            "Sandbox",
            bucket_arn=storage.artifacts.bucket_arn,
            bucket_domain_name=storage.artifacts.bucket_regional_domain_name,
            availability_zones=options.availability_zones,
            prefix=names.prefix,
        )
        resources = Resources(
            incidents_arn=storage.incidents.table_arn,
            deliveries_arn=storage.deliveries.table_arn,
            approvals_arn=storage.approvals.table_arn,
            bucket_arn=storage.artifacts.bucket_arn,
            topic_arn=storage.topic.topic_arn,
            personal_topic_arn=storage.personal_topic.topic_arn,
            data_key_arn=storage.data_key.key_arn,
            state_machine_name=names.workflow,
            runner_arn=self._runner_arn(),
            names=names,
            microvm_image_arn=options.microvm.image_arn if options.microvm else "",
        )
        factory = FunctionFactory(
            self,
            names,
            resources,
            Networks(network, ForgeNetwork(self, "Forge", options.forge_vpc) if options.forge_vpc else None),
            Package(options.packaging, staging),
            reserve=options.reserve_concurrency,
        )
        if options.build_image:
            Builds(
                self,
                "Builds",
                name=names.builds,
                image=options.build_image,
                bucket_arn=storage.artifacts.bucket_arn,
                key_arn=storage.data_key.key_arn,
            )
        functions = self._functions(factory, options)
        workflow = Workflow(
            self, "Workflow", functions, options.approval_hours, storage.data_key, name=names.workflow
        )
        StartHeals(
            self,
            "StartHeals",
            incidents=storage.incidents,
            key=storage.data_key,
            state_machine=workflow.state_machine,
            dead_letters=storage.unstarted_heals,
            name=names.workflow,
        )
        life = LifeEvents(
            self,
            "LifeEvents",
            incidents=storage.incidents,
            key=storage.data_key,
            names=names,
        )
        reporting = ReportFailures(
            self,
            "ReportFailures",
            state_machine=workflow.state_machine,
            report_failure=functions["report_failure"].alias,
            dead_letters=storage.unreported_failures,
        )
        schedules = scheduler.CfnScheduleGroup(self, "Schedules", name=names.dashboard)
        OnSchedule(
            self,
            "Tracking",
            group=schedules,
            function=functions["track_pull_requests"].alias,
            minutes=EVERY_MINUTES,
            description="Looks whether pull requests were merged or closed",
        )
        told = WhenToldOf(
            self,
            "ForgeTells",
            track_pull_requests=functions["track_pull_requests"].alias,
            life_events=life.bus,
        )
        OnSchedule(
            self,
            "Reminding",
            group=schedules,
            function=functions["remind_approvers"].alias,
            minutes=REMIND_MINUTES,
            description="Reminds approvers of questions whose time runs out",
        )
        if options.canary:
            canary = functions[CANARY.folder].alias
            CanarySchedule(self, "CanarySchedule", canary=canary, group=schedules, names=names)
        KeepAwake(self, "KeepAwake", functions, schedules)
        Detection(
            self,
            "Detection",
            detect_errors=functions["detect_errors"],
            log_groups=options.log_groups,
            subscribe=options.subscribe,
            names=names,
        )
        keep_failed_events(functions["detect_errors"], storage.failed_detections)
        keep_failed_events(functions["report_failure"], storage.unreported_failures)
        api = self.entrance.api if self.entrance else None
        rules = {
            "report_failure": WatchedRule(reporting.rule),
            "track_pull_requests": WatchedRule(told.rule),
            "ended_heals": WatchedRule(told.ended, life.bus),
        }
        parts = Parts(storage, workflow, functions, schedules, rules, api)
        if options.budget_usd:
            Spending(
                self,
                "Spending",
                usd=options.budget_usd,
                topic=storage.topic,
                key=storage.data_key,
                names=names,
            )
        Alarms(self, "Alarms", parts=parts, names=names)
        Dashboard(self, "Dashboard", parts=parts, names=names)
        Looks(self, "Looks", parts=parts, names=names)
        self._outputs(functions, workflow)

    def _functions(self, factory: FunctionFactory, options: StackOptions) -> dict[str, DeployedFunction]:
        """All functions. The page's address is a setting of the function that sends links to it."""
        storage = self.storage
        settings = {
            "incidents_table": storage.incidents.table_name,
            "deliveries_table": storage.deliveries.table_name,
            "approvals_table": storage.approvals.table_name,
            "artifacts_bucket": storage.artifacts.bucket_name,
            "registry_path": self._names.registry,
            "switch_parameter": self._names.switch,
            "heals_at_once": str(options.heals_at_once),
            "command_flag": self._names.flag,
            "topic_arn": storage.topic.topic_arn,
            "personal_topic_arn": storage.personal_topic.topic_arn,
            "state_machine_arn": self.format_arn(
                service="states",
                resource="stateMachine",
                resource_name=self._names.workflow,
                arn_format=ArnFormat.COLON_RESOURCE_NAME,
            ),
            "runner_arn": self._runner_arn(),
            "token_key_arn": storage.data_key.key_arn,
            "link_key_parameter": self._names.link_key,
            "slack_signing_path": self._names.slack_signing,
            "webhooks_path": self._names.webhooks,
            "package_index": options.package_index,
            "pythons": " ".join(options.pythons),
            "identity_from": options.sign_in.claim if options.sign_in else LINK,
            # A link lives as long as its task can be answered.
            "approval_ttl_seconds": str(options.approval_hours * 3600),
        }
        by_folder: dict[str, Spec] = {spec.folder: spec for spec in FUNCTIONS}
        page = factory.build(by_folder.pop("decide_approval"), settings)
        entered = {}
        self.entrance: Entrance | None = None
        if options.sign_in:
            self.entrance = entrance = Entrance(self, "Entrance", options.sign_in, self._names.prefix)
            settings |= {
                "approval_url": entrance.url,
                "oidc_issuer": options.sign_in.issuer,
                "oidc_client_id": options.sign_in.client_id,
                "client_secret_parameter": self._names.sign_in_client,
            }
            entered = {SIGN_IN.folder: factory.build(SIGN_IN, settings)}
            entrance.lead_to(page, entered[SIGN_IN.folder])
            CfnOutput(self, "SignInRedirectUri", value=f"{entrance.url}sign-in/callback")
        else:
            # Links are signed, expiring and single-use: the signature is the authentication.
            url = page.alias.add_function_url(auth_type=lambda_.FunctionUrlAuthType.NONE)
            settings["approval_url"] = url.url
        self.approval_url = settings["approval_url"]
        by_folder[RUNNER.folder] = RUNNER
        if options.canary:
            settings |= {"canary_app": options.canary, "canary_log_group": self._names.canary}
            by_folder[CANARY.folder] = CANARY
        if options.microvm:
            settings |= options.microvm.settings()
            by_folder = {folder: with_microvms(spec) for folder, spec in by_folder.items()}
        if options.subscribe is Subscribe.ACCOUNT:
            settings["discovers"] = options.subscribe
            by_folder = {folder: discovering(spec) for folder, spec in by_folder.items()}
        functions = {folder: factory.build(spec, settings) for folder, spec in by_folder.items()}
        return functions | entered | {"decide_approval": page}

    def _runner_arn(self) -> str:
        """Of its alias; RunPatch and its role name it before it exists."""
        return self.format_arn(
            service="lambda",
            resource="function",
            resource_name=f"{self._names.function(RUNNER.folder)}:live",
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )

    def _outputs(self, functions: dict[str, DeployedFunction], workflow: Workflow) -> None:
        """What the `selfheal` command reads."""
        storage = self.storage
        for name, value in {
            "StateMachineArn": workflow.state_machine.state_machine_arn,
            "DeliveriesTable": storage.deliveries.table_name,
            "IncidentsTable": storage.incidents.table_name,
            "ApprovalsTable": storage.approvals.table_name,
            "ArtifactsBucket": storage.artifacts.bucket_name,
            "TopicArn": storage.topic.topic_arn,
            "PersonalTopicArn": storage.personal_topic.topic_arn,
            "ApprovalUrl": self.approval_url,
            "DetectErrorsArn": functions["detect_errors"].alias.function_arn,
            "TakeDecisionArn": functions["take_decision"].alias.function_arn,
            "DataKeyArn": storage.data_key.key_arn,
            "EntriesKeyArn": storage.data_key.key_arn,
            "FailedDetectionsUrl": storage.failed_detections.queue_url,
            "UnstartedHealsUrl": storage.unstarted_heals.queue_url,
            "UnreportedFailuresUrl": storage.unreported_failures.queue_url,
        }.items():
            CfnOutput(self, name, value=value)
