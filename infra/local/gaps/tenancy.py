"""Tenant isolation: https://docs.aws.amazon.com/lambda/latest/dg/tenant-isolation.html

MiniStack keeps a function's `TenancyConfig` where CreateFunction gave it, loses it (and `VpcConfig`) in
CloudFormation, and invokes such a function like any other. Here it takes a tenant id with each invocation,
other functions take none, and no two invocations share an execution environment: stricter than AWS, which may
reuse one for the same tenant.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

from infra.local.gaps.patching import Response, replace, service

lambda_svc = service("services.lambda_svc")
provisioners = service("services.cloudformation.provisioners")

HEADER = "x-amz-tenant-id"
_VALID = re.compile(r"[a-zA-Z0-9._:/=+\-@ ]{1,256}")
"""TenantId of the service model."""
_FUNCTION = "AWS::Lambda::Function"

_tenant: ContextVar[str] = ContextVar("tenant", default="")


class TenantRefused(Exception):
    """The invocation names a tenant and must not, or must and does not. The message is Lambda's."""


def fill() -> None:
    replace(
        lambda_svc,
        _invoke=invoke(lambda_svc._invoke),
        _invoke_with_response_stream=invoke(lambda_svc._invoke_with_response_stream),
    )
    handlers = provisioners._RESOURCE_HANDLERS
    handlers[_FUNCTION] = handlers[_FUNCTION] | {"create": create(handlers[_FUNCTION]["create"])}


def isolates(config: Mapping[str, Any]) -> bool:
    """Whether a function's environments belong to one tenant each."""
    return bool((config.get("TenancyConfig") or {}).get("TenantIsolationMode"))


def current(config: Mapping[str, Any]) -> str:
    """The tenant of the running invocation, "" without one. Raises TenantRefused."""
    tenant = _tenant.get()
    if isolates(config) and not tenant:
        raise TenantRefused(
            "The invoked function is enabled with tenancy configuration. "
            "Add a valid tenant ID in your request and try again."
        )
    if tenant and not isolates(config):
        raise TenantRefused(
            "The invoked function is not enabled with tenancy configuration. "
            "Remove the tenant ID from your request and try again."
        )
    if tenant and not _VALID.fullmatch(tenant):
        raise TenantRefused(f"The tenant ID does not satisfy the pattern {_VALID.pattern}")
    return tenant


def invoke(otherwise: Any) -> Any:
    """The Invoke action, with its TenantId."""

    async def call(name: str, event: Any, headers: dict[str, str], *rest: Any) -> Response:
        named = {key.lower(): value for key, value in headers.items()}
        token = _tenant.set(named.get(HEADER, ""))
        try:
            if function := lambda_svc._functions.get(name):
                current(function["config"])
            response: Response = await otherwise(name, event, headers, *rest)
        except TenantRefused as refused:
            code = "InvalidParameterValueException"
            response = lambda_svc.error_response_json(code, str(refused), 400)
        finally:
            _tenant.reset(token)
        return response

    return call


def create(otherwise: Any) -> Any:
    """A function from a template, with the settings that MiniStack leaves out."""

    def call(logical_id: str, properties: dict[str, Any], *rest: Any) -> Any:
        made = otherwise(logical_id, properties, *rest)
        config = lambda_svc._functions[made[0]]["config"]
        if tenancy := properties.get("TenancyConfig"):
            config["TenancyConfig"] = tenancy
        config["VpcConfig"] = lambda_svc._vpc_config_with_id(properties.get("VpcConfig"))
        return made

    return call
