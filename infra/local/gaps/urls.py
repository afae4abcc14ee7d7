"""Function URLs: the address that a template or the API gives out is one that works on this machine.

MiniStack gives out AWS's host name, which resolves to AWS, and serves the function at a path of its own. It
also leaves cookies in the headers, where payload format 2.0 has a field for them:
https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html#urls-payloads
"""

from __future__ import annotations

import os
from typing import Any

from infra.local.gaps.patching import replace, service

lambda_svc = service("services.lambda_svc")


def fill() -> None:
    formation = service("services.cloudformation.provisioners")
    attributes = formation._lambda_url_attributes
    replace(formation, _lambda_url_attributes=lambda config: attributes(local(config)))
    replace(
        lambda_svc,
        json_response=answering(lambda_svc.json_response),
        _build_function_url_event=with_cookies(lambda_svc._build_function_url_event),
    )


def local(config: dict[str, Any]) -> dict[str, Any]:
    """A function URL configuration with the local address in place of AWS's."""
    if ".lambda-url." not in config["FunctionUrl"]:
        return config
    identifier = lambda_svc._function_url_id(config["FunctionUrl"])
    port = os.environ["GATEWAY_PORT"]
    return {**config, "FunctionUrl": f"http://127.0.0.1:{port}/_aws/lambda-url/{identifier}/"}


def answering(json_response: Any) -> Any:
    """The API's answers about function URLs, with local addresses."""

    def call(data: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        if "FunctionUrl" in data:
            data = local(data)
        elif "FunctionUrlConfigs" in data:
            data = {**data, "FunctionUrlConfigs": [local(item) for item in data["FunctionUrlConfigs"]]}
        return json_response(data, *args, **kwargs)

    return call


def with_cookies(build: Any) -> Any:
    def call(*args: Any, **kwargs: Any) -> dict[str, Any]:
        event: dict[str, Any] = build(*args, **kwargs)
        if cookie := event["headers"].pop("cookie", None):
            event["cookies"] = cookie.split("; ")
        return event

    return call
