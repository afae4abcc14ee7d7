"""What keeps data: keys, tables, the artifacts bucket, the topic and the queues of what failed."""

from __future__ import annotations

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from functions.core.incidents.table import LISTED

LOG_RETENTION = logs.RetentionDays.THREE_MONTHS

# They outlive the stack, but not a first deployment that fails: what that leaves behind is empty, costs
# money, and belongs to nobody. Deletion protection of the tables would stop its roll-back half-way, so the
# stack as a whole is protected instead.
# https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-attribute-deletionpolicy.html
KEPT = RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE


def _throttled_keys() -> dynamodb.ContributorInsightsSpecification:
    """Which keys are refused: of those that are merely used nobody would pay to be told. Counters are spread,
    and those of the incident that is counted most, which the list shows."""
    return dynamodb.ContributorInsightsSpecification(
        enabled=True, mode=dynamodb.ContributorInsightsMode.THROTTLED_KEYS
    )


class Storage(Construct):
    """Everything with state. Tables, bucket and keys outlive the stack."""

    def __init__(self, scope: Construct, construct_id: str, *, account: str, artifact_days: int) -> None:
        super().__init__(scope, construct_id)
        self.data_key = kms.Key(
            self,
            "DataKey",
            description="Incidents, approvals, task tokens, artifacts, notifications and failed events",
            enable_key_rotation=True,
            removal_policy=KEPT,
        )
        self._let_alarms_encrypt(account)
        self.incidents = self._table(
            "Incidents", "incident_id", stream=dynamodb.StreamViewType.NEW_AND_OLD_IMAGES
        )
        self.incidents.add_global_secondary_index(
            index_name="by_app",
            partition_key=dynamodb.Attribute(name="app", type=dynamodb.AttributeType.STRING),
            sort_key=dynamodb.Attribute(name="last_seen", type=dynamodb.AttributeType.STRING),
            # A sample of log text and all frames would be written again with every change.
            projection_type=dynamodb.ProjectionType.INCLUDE,
            non_key_attributes=list(LISTED),
        )
        # Nothing in it is worth keeping: which deliveries of a day were counted, and counters.
        self.deliveries = dynamodb.Table(
            self,
            "Deliveries",
            partition_key=dynamodb.Attribute(name="delivery_id", type=dynamodb.AttributeType.STRING),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            encryption=dynamodb.TableEncryption.CUSTOMER_MANAGED,
            encryption_key=self.data_key,
            removal_policy=RemovalPolicy.DESTROY,
            time_to_live_attribute="ttl",
        )
        self.approvals = self._table("Approvals", "approval_id")
        self.artifacts = s3.Bucket(
            self,
            "Artifacts",
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            bucket_key_enabled=True,
            encryption=s3.BucketEncryption.KMS,
            encryption_key=self.data_key,
            enforce_ssl=True,
            lifecycle_rules=[
                s3.LifecycleRule(
                    expiration=Duration.days(artifact_days),
                    noncurrent_version_expiration=Duration.days(artifact_days),
                    abort_incomplete_multipart_upload_after=Duration.days(1),
                )
            ],
            minimum_tls_version=1.2,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            # Whoever overwrites what was proven is found out by its hash; this keeps what it was.
            versioned=True,
            removal_policy=KEPT,
        )
        self.topic = sns.Topic(self, "Notifications", enforce_ssl=True, master_key=self.data_key)
        # Links that are one person's alone: nobody but `selfheal configure` subscribes anybody to this one.
        self.personal_topic = sns.Topic(self, "PersonalLinks", enforce_ssl=True, master_key=self.data_key)
        self.topic.add_to_resource_policy(
            iam.PolicyStatement(
                sid="AlarmsNotify",
                actions=["sns:Publish"],
                principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
                resources=[self.topic.topic_arn],
                conditions={"StringEquals": {"aws:SourceAccount": account}},
            )
        )
        # One queue per kind of loss: what to do with a message depends on which one it is in.
        # Log text as it came, before redaction: under our own key.
        self.failed_detections = self._queue("FailedDetections", self.data_key)
        # Stream positions, and events about executions. EventBridge cannot use a key whose policy names this
        # account as a condition, and without one the key would be open to every rule that names the queue.
        # https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html#compatibility-with-aws-services
        self.unstarted_heals = self._queue("UnstartedHeals")
        self.unreported_failures = self._queue("UnreportedFailures")
        self.queues = {
            "FailedDetections": self.failed_detections,
            "UnstartedHeals": self.unstarted_heals,
            "UnreportedFailures": self.unreported_failures,
        }
        self.tables = {
            "Incidents": self.incidents,
            "Deliveries": self.deliveries,
            "Approvals": self.approvals,
        }

    def _table(
        self, construct_id: str, key: str, stream: dynamodb.StreamViewType | None = None
    ) -> dynamodb.Table:
        return dynamodb.Table(
            self,
            construct_id,
            partition_key=dynamodb.Attribute(name=key, type=dynamodb.AttributeType.STRING),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            encryption=dynamodb.TableEncryption.CUSTOMER_MANAGED,
            encryption_key=self.data_key,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            removal_policy=KEPT,
            stream=stream,
            # Approvals are too few to be refused.
            contributor_insights_specification=_throttled_keys() if stream else None,
            time_to_live_attribute="ttl",
        )

    def _queue(self, construct_id: str, key: kms.Key | None = None) -> sqs.Queue:
        return sqs.Queue(
            self,
            construct_id,
            encryption=sqs.QueueEncryption.KMS if key else sqs.QueueEncryption.SQS_MANAGED,
            encryption_master_key=key,
            enforce_ssl=True,
            retention_period=Duration.days(14),
        )

    def _let_alarms_encrypt(self, account: str) -> None:
        """An alarm's notification is encrypted by the topic, on behalf of CloudWatch."""
        self.data_key.add_to_resource_policy(
            iam.PolicyStatement(
                sid="AlarmsNotify",
                actions=["kms:Decrypt", "kms:GenerateDataKey*"],
                principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
                resources=["*"],
                conditions={"StringEquals": {"aws:SourceAccount": account}},
            )
        )
