"""What AWS knows of an app's running code: its function's tags, and when its log group was written to."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from functions.core.apps.deployed import RevisionClaims, told_by_function

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_logs import CloudWatchLogsClient

    from functions.core.incidents.incident import Incident


class RunningService:
    """See `deployment.Service`."""

    def __init__(self, lambda_: LambdaClient, logs: CloudWatchLogsClient) -> None:
        self._lambda = lambda_
        self._logs = logs

    def told(self, incident: Incident, environment: bool) -> RevisionClaims:
        return told_by_function(self._lambda, incident, environment)

    def used_since(self, incident: Incident, since: datetime) -> bool:
        """By the newest stream's last event, which CloudWatch Logs updates within an hour of it.
        https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_LogStream.html"""
        try:
            streams = self._logs.describe_log_streams(
                logGroupName=incident.log_group, orderBy="LastEventTime", descending=True, limit=1
            )["logStreams"]
        except self._logs.exceptions.ResourceNotFoundException:
            return False
        return any(stream.get("lastEventTimestamp", 0) > since.timestamp() * 1000 for stream in streams)
