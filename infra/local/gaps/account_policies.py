"""The subscription policy of a whole account, which MiniStack has not: CloudWatch Logs' API, and templates.

https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutAccountPolicy.html
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from typing import Any

from infra.local.gaps.log_patterns import InvalidPattern, compile_pattern
from infra.local.gaps.patching import Response, answer_error, answer_json, replace, service

logs = service("services.cloudwatch_logs")
lambda_svc = service("services.lambda_svc")
responses = service("core.responses")

KIND = "SUBSCRIPTION_FILTER_POLICY"
_NAME = re.compile(r"(?!aws/)[\x21-\x7e]{1,256}")
_SELECTION = re.compile(r"LogGroupName NOT IN (\[.*\])", re.DOTALL)
_MOST_BYTES = 25 * 1024
_FIELDS = {"DestinationArn", "RoleArn", "FilterPattern", "Distribution"}

_policies = responses.AccountRegionScopedDict()


class _Refused(ValueError):
    """The error's code, and why."""

    def __init__(self, why: str, code: str = "InvalidParameterException") -> None:
        super().__init__(why)
        self.code = code


def fill() -> None:
    replace(
        logs,
        handle_request=_with_policies(logs.handle_request),
        get_state=_saving(logs.get_state),
        load_persisted_state=_restoring(logs.load_persisted_state),
    )
    handlers = service("services.cloudformation.provisioners")._RESOURCE_HANDLERS
    handlers["AWS::Logs::AccountPolicy"] = {"create": _create, "update": _update, "delete": _remove}


def subscriptions(group: str) -> Iterator[dict[str, Any]]:
    """The account's subscriptions of a log group: `filterName`, `destinationArn`, `filterPattern`."""
    for policy in _policies.values():
        document = json.loads(policy["policyDocument"])
        if group not in _left_out(policy.get("selectionCriteria", "")):
            yield {
                "filterName": policy["policyName"],
                "destinationArn": document["DestinationArn"],
                "filterPattern": document.get("FilterPattern", ""),
            }


def _put(data: dict[str, Any]) -> dict[str, Any]:
    """Raises _Refused."""
    name, selection = str(data.get("policyName", "")), str(data.get("selectionCriteria", ""))
    if data.get("policyType") != KIND:
        raise _Refused(f"this machine has policies of type {KIND} alone")
    if not _NAME.fullmatch(name) or data.get("scope", "ALL") != "ALL":
        raise _Refused("policyName or scope is invalid")
    if any(other != name for other in _policies):
        raise _Refused("an account has one such policy in a region", "LimitExceededException")
    if len(selection.encode()) > _MOST_BYTES:
        raise _Refused("selectionCriteria is longer than 25 KB")
    _left_out(selection)
    _check_document(data.get("policyDocument", ""))
    policy = {
        "policyName": name,
        "policyDocument": data["policyDocument"],
        "lastUpdatedTime": int(time.time() * 1000),
        "policyType": KIND,
        "scope": "ALL",
        "accountId": responses.get_account_id(),
    } | ({"selectionCriteria": selection} if selection else {})
    _policies[name] = policy
    return policy


def _check_document(text: str) -> None:
    """Raises _Refused."""
    try:
        document = json.loads(text)
        compile_pattern(document.get("FilterPattern", ""))
    except InvalidPattern as error:
        raise _Refused(f"Invalid filter pattern: {error}") from error
    except (ValueError, AttributeError, TypeError) as error:
        raise _Refused("policyDocument is no JSON object") from error
    if "DestinationArn" not in document or not document.keys() <= _FIELDS:
        raise _Refused(f"policyDocument must have DestinationArn, and of {sorted(_FIELDS)} alone")
    if not _may_be_invoked(document["DestinationArn"]):
        raise _Refused(
            "Could not execute the lambda function. Make sure you have given CloudWatch Logs permission to"
            " execute your function."
        )


def _may_be_invoked(arn: str) -> bool:
    """Whether the function is there, and lets CloudWatch Logs invoke what the ARN names."""
    _, config, _ = lambda_svc._get_func_record_for_ref(arn)
    statements = lambda_svc._functions[config["FunctionName"]]["policy"]["Statement"] if config else []
    return any(
        statement["Principal"] == {"Service": "logs.amazonaws.com"} and statement["Resource"] == arn
        for statement in statements
    )


def _left_out(selection: str) -> frozenset[str]:
    """The log groups that a selection names. Raises _Refused for what AWS does not understand."""
    if not selection:
        return frozenset()
    found = _SELECTION.fullmatch(selection)
    try:
        names = json.loads(found[1]) if found else None
    except ValueError:
        names = None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise _Refused("selectionCriteria: the only supported filter is LogGroupName NOT IN []")
    return frozenset(names)


def _describe(data: dict[str, Any]) -> dict[str, Any]:
    name = data.get("policyName")
    if data.get("policyType") != KIND:
        return {"accountPolicies": []}
    return {
        "accountPolicies": [policy for policy in _policies.values() if name in (None, policy["policyName"])]
    }


def _delete(data: dict[str, Any]) -> dict[str, Any]:
    """Raises _Refused."""
    if data.get("policyType") != KIND or data.get("policyName") not in _policies:
        raise _Refused("there is no such policy", "ResourceNotFoundException")
    del _policies[data["policyName"]]
    return {}


_CALLS = {
    "PutAccountPolicy": lambda data: {"accountPolicy": _put(data)},
    "DescribeAccountPolicies": _describe,
    "DeleteAccountPolicy": _delete,
}


def _with_policies(handle_request: Any) -> Any:
    async def call(method: str, path: str, headers: dict[str, str], body: bytes, query: Any) -> Response:
        asked = _CALLS.get(headers.get("x-amz-target", "").partition(".")[2])
        if asked is None:
            answer: Response = await handle_request(method, path, headers, body, query)
            return answer
        try:
            return answer_json(asked(json.loads(body)))
        except _Refused as error:
            return answer_error(error.code, str(error))

    return call


def _saving(get_state: Any) -> Any:
    return lambda: {**get_state(), "account_policies": _policies}


def _restoring(restore: Any) -> Any:
    def call(data: dict[str, Any] | None) -> None:
        restore(data)
        _policies.update((data or {}).get("account_policies", {}))

    return call


def _create(logical_id: str, properties: dict[str, Any], stack_name: str) -> tuple[str, dict[str, str]]:
    policy = _put({name[0].lower() + name[1:]: value for name, value in properties.items()})
    return "|".join((policy["accountId"], KIND, policy["policyName"])), {"AccountId": policy["accountId"]}


def _update(
    physical_id: str, old: dict[str, Any], new: dict[str, Any], stack_name: str, *known: str
) -> tuple[str, dict[str, str]]:
    if old["PolicyName"] != new["PolicyName"]:
        _remove(physical_id, old)
    return _create("", new, stack_name)


def _remove(physical_id: str, properties: dict[str, Any]) -> None:
    _policies.pop(properties["PolicyName"], None)
