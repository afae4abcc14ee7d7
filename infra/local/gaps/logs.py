"""CloudWatch Logs: real filter patterns, and subscriptions that invoke as AWS does.

MiniStack requires every word of a pattern to be present, and runs a subscription's or a rule's function once,
without retries. AWS invokes the version or alias that the ARN names asynchronously: twice more on an error,
then the on-failure destination. https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
"""

from __future__ import annotations

import base64
import gzip
import json
import logging
import time
import uuid
from typing import Any

from infra.local.gaps import account_policies
from infra.local.gaps.log_patterns import InvalidPattern, compile_pattern
from infra.local.gaps.patching import Response, answer_error, replace, service

MOST_FILTERS = 2
"""https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html"""

logger = logging.getLogger(__name__)
logs = service("services.cloudwatch_logs")
lambda_svc = service("services.lambda_svc")
responses = service("core.responses")


def fill() -> None:
    replace(
        logs,
        _subscription_pattern_matches=lambda pattern, message: compile_pattern(pattern or "")(message or ""),
        _compile_filter_pattern=compile_pattern,
        _put_subscription_filter=checking(logs._put_subscription_filter),
        _fanout_to_subscription_filters=fan_out,
    )
    replace(service("services.eventbridge"), _dispatch_to_lambda=dispatch)


def checking(put: Any) -> Any:
    """PutSubscriptionFilter, refusing a pattern that cannot be understood, and a group's third filter."""

    def call(data: dict[str, Any]) -> Response:
        try:
            compile_pattern(data.get("filterPattern", ""))
        except InvalidPattern as error:
            return answer_error("InvalidParameterException", f"Invalid filter pattern: {error}")
        others = set((logs._log_groups.get(data.get("logGroupName")) or {}).get("subscriptionFilters") or {})
        if len(others - {data.get("filterName")}) >= MOST_FILTERS:
            return answer_error("LimitExceededException", "Resource limit exceeded.")
        response: Response = put(data)
        return response

    return call


def fan_out(group: str, stream: str, events: list[dict[str, Any]]) -> None:
    """Send the matching events to each function that the group's filters or the account's policy name."""
    filters = (logs._log_groups.get(group) or {}).get("subscriptionFilters") or {}
    of_account = list(account_policies.subscriptions(group))
    for item in [*filters.values(), *of_account]:
        destination = item.get("destinationArn", "")
        matches = compile_pattern(item.get("filterPattern", ""))
        matching = [event for event in events if matches(event.get("message", ""))]
        if not matching or ":function:" not in destination:
            continue
        now = int(time.time() * 1000)
        payload = {
            "messageType": "DATA_MESSAGE",
            "owner": responses.get_account_id(),
            "logGroup": group,
            "logStream": stream,
            "subscriptionFilters": [item["filterName"]],
            "logEvents": [
                {"id": uuid.uuid4().hex, "timestamp": e.get("timestamp", now), "message": e["message"]}
                for e in matching
            ],
        } | ({"policyLevel": "ACCOUNT_LEVEL_POLICY"} if item in of_account else {})
        data = base64.b64encode(gzip.compress(json.dumps(payload).encode())).decode()
        invoke_async(destination, {"awslogs": {"data": data}})


def dispatch(arn: str, payload: str) -> None:
    """Deliver an EventBridge event to a function."""
    invoke_async(arn, json.loads(payload))


def invoke_async(arn: str, event: Any) -> None:
    """Invoke the version or alias that `arn` names, with the retries and destination configured for it."""
    function, config, name = lambda_svc._get_func_record_for_ref(arn)
    if not function or not config:
        logger.warning("function %s does not exist", name)
        return
    record = lambda_svc._execution_record_for_config(function, config)
    # The configuration belongs to the qualifier that was named, not to the version it resolves to.
    latest = lambda_svc._functions.get(config["FunctionName"]) or function
    qualifier = arn.split(":function:")[-1].partition(":")[2] or None
    record["event_invoke_config"] = lambda_svc._event_invoke_config(latest, qualifier)
    record["event_invoke_configs"] = {}
    lambda_svc.invoke_async_with_retry(record, event)
