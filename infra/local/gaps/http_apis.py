"""HTTP APIs: cookies are a field of payload format 2.0, and no header.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
"""

from __future__ import annotations

from typing import Any

from infra.local.gaps.patching import replace, service

apigateway = service("services.apigateway")


def fill() -> None:
    replace(apigateway, run_reentrant=with_cookies(apigateway.run_reentrant))


def with_cookies(run_reentrant: Any) -> Any:
    """What this service invokes functions with, given an event whose cookies are where they belong."""

    async def call(invoke: Any, function: Any, event: Any, *rest: Any, **options: Any) -> Any:
        if cookie := event.get("headers", {}).pop("cookie", None):
            event["cookies"] = cookie.split("; ")
        return await run_reentrant(invoke, function, event, *rest, **options)

    return call
