"""What a request is authorised on.

GetParametersByPath names its path as the resource, where MiniStack asks for `*`. Requests count as sent over
TLS: the emulator is only reachable through the loopback interface, and AWS has no endpoint without TLS.

Source: "Actions defined by AWS Systems Manager", Service Authorization Reference (`parameter`).
"""

from __future__ import annotations

import json
from typing import Any

from infra.local.gaps.patching import replace, service


def fill() -> None:
    """Name the parameter path as the resource, and take loopback for a secure transport."""
    actions, evaluator = service("core.iam_actions"), service("core.iam_evaluator")
    original = actions.extract_resource_arn

    def extract_resource_arn(
        service: str, method: str, path: str, headers: dict[str, str], body: bytes, *rest: Any, **named: Any
    ) -> Any:
        target = {name.lower(): value for name, value in headers.items()}.get("x-amz-target", "")
        if target != "AmazonSSM.GetParametersByPath":
            return original(service, method, path, headers, body, *rest, **named)
        request = json.loads(body)
        # MiniStack builds the ARN of a single parameter from `Name`.
        renamed = json.dumps({"Name": request.get("Path", "/").rstrip("/")}).encode()
        return original(service, method, path, headers, renamed, *rest, **named)

    pin = evaluator.pin_request_origin

    def pin_request_origin(source_ip: str, secure_transport: bool) -> None:
        pin(source_ip, True)

    replace(evaluator, pin_request_origin=pin_request_origin)
    replace(service("app"), pin_request_origin=pin_request_origin)
    replace(actions, extract_resource_arn=extract_resource_arn)
