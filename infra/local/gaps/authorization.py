"""What a request is authorised on.

GetParametersByPath names its path as the resource, what is done with a log group its streams, and Converse is
authorised as `bedrock:InvokeModel` on the model or inference profile, where MiniStack asks for `*`, for the
log group, and for an action that IAM does not have. Requests count as sent over TLS: the emulator is only
reachable through the loopback interface, and AWS has no endpoint without TLS. Policy variables in resources,
such as `${aws:PrincipalTag/heal}`, stand for what the request has of that name, where MiniStack takes them
for text; a resource that names what it lacks matches nothing. What KMS is asked for has conditions on its
encryption context.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html

Source: Service Authorization Reference, "Actions defined by AWS Systems Manager" and "… by Amazon Bedrock"
(Converse is listed as an operation that `InvokeModel` allows).
"""

from __future__ import annotations

import json
import re
from dataclasses import replace as changed
from typing import Any
from urllib.parse import unquote

from infra.local.gaps.patching import replace, service

_CONVERSE = re.compile(
    r"/model/(?P<model>.+)/(?:converse|converse-stream|invoke|invoke-with-response-stream)"
)
# System-defined inference profiles are named by where they route to, then by the provider's model id.
_PROFILE = re.compile(r"(?:us|us-gov|eu|apac|jp|au|ca|global)\.[a-z0-9-]+\.")


_VARIABLE = re.compile(r"\$\{([^{}]+)\}")
_NOTHING = ""
"""Matches no resource."""


def model_arn(model: str, region: str, account_id: str) -> str:
    """What permission to invoke `model` is asked on: an ARN as it is, a profile, or a foundation model."""
    if model.startswith("arn:"):
        return model
    if _PROFILE.match(model):
        return f"arn:aws:bedrock:{region}:{account_id}:inference-profile/{model}"
    return f"arn:aws:bedrock:{region}::foundation-model/{model}"


def of_log_group(arn: str, body: bytes) -> str:
    """What a call on a log group is authorised on: on its streams, whether it names one or not.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/iam-access-control-overview-cwl.html
    """
    request = json.loads(body) if body else {}
    if "logGroupName" not in request or ":log-group:" not in arn:
        return arn
    return f"{arn}:log-stream:{request.get('logStreamName', '')}"


def of_encryption(service: str, body: bytes) -> dict[str, Any]:
    """Condition keys of what KMS encrypts or decrypts is bound to.

    https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html#conditions-kms-encryption-context
    """
    bound = json.loads(body or b"{}").get("EncryptionContext", {}) if service == "kms" else {}
    return {f"kms:encryptioncontext:{name}".lower(): value for name, value in bound.items()}


def fill() -> None:
    """Ask for the actions and resources that AWS asks for, and take loopback for a secure transport."""
    actions, evaluator = service("core.iam_actions"), service("core.iam_evaluator")
    original = actions.extract_resource_arn
    original_action = actions.extract_iam_action

    def extract_iam_action(service: str, method: str, path: str, *rest: Any, **named: Any) -> Any:
        if service == "bedrock-runtime" and _CONVERSE.fullmatch(unquote(path)):
            return "bedrock:InvokeModel"
        return original_action(service, method, path, *rest, **named)

    def extract_resource_arn(
        service: str,
        method: str,
        path: str,
        headers: dict[str, str],
        body: bytes,
        query_params: dict[str, Any],
        region: str,
        account_id: str,
    ) -> Any:
        call = _CONVERSE.fullmatch(unquote(path)) if service == "bedrock-runtime" else None
        if call:
            return model_arn(call["model"], region, account_id)
        target = {name.lower(): value for name, value in headers.items()}.get("x-amz-target", "")
        if target != "AmazonSSM.GetParametersByPath":
            arn = original(service, method, path, headers, body, query_params, region, account_id)
            return of_log_group(arn, body) if service == "logs" else arn
        request = json.loads(body)
        # MiniStack builds the ARN of a single parameter from `Name`.
        renamed = json.dumps({"Name": request.get("Path", "/").rstrip("/")}).encode()
        return original(service, method, path, headers, renamed, query_params, region, account_id)

    pin = evaluator.pin_request_origin

    def pin_request_origin(source_ip: str, secure_transport: bool) -> None:
        pin(source_ip, True)

    first_match = evaluator._first_match

    def _first_match(request: Any, statements: list[Any], effect: str) -> Any:
        return first_match(request, [substituted(each, request, evaluator) for each in statements], effect)

    replace(evaluator, pin_request_origin=pin_request_origin, _first_match=_first_match)
    replace(service("app"), pin_request_origin=pin_request_origin)
    tags = actions.request_tag_context

    def request_tag_context(service: str, action: str, body: bytes, params: Any) -> dict[str, Any]:
        return {**tags(service, action, body, params), **of_encryption(service, body)}

    replace(actions, request_tag_context=request_tag_context)
    replace(actions, extract_iam_action=extract_iam_action, extract_resource_arn=extract_resource_arn)


def substituted(statement: Any, request: Any, evaluator: Any) -> Any:
    """A policy's statement with what its resources' variables stand for in this request.

    A value is taken as it is: tags, by which ours go, can hold no wildcard.
    """

    def resolved(resource: str) -> str | None:
        values = [evaluator._resolve_condition_key(name, request) for name in _VARIABLE.findall(resource)]
        if any(value is None for value in values):
            return None
        found = iter(values)
        return _VARIABLE.sub(lambda _: str(next(found)), resource)

    if not any("${" in resource for resource in statement.resources):
        return statement
    known = [each for resource in statement.resources if (each := resolved(resource)) is not None]
    # A statement without resources would match everything.
    return changed(statement, resources=known or [_NOTHING])
