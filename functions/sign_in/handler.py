"""sign_in's Lambda entry point, behind the routes of an HTTP API that need no token."""

from __future__ import annotations

import time
from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.parameters import SSMProvider
from aws_lambda_powertools.utilities.parameters.exceptions import GetParameterError

from functions.core.aws.edge import step
from functions.core.aws.settings import Settings
from functions.sign_in.flow import Entrance, Request, answer
from functions.sign_in.provider import Provider, Unusable

# A secret that was rotated is seen within five minutes.
_MAX_AGE_SECONDS = 300


@step
def handler(event: dict[str, Any]) -> dict[str, Any]:
    """A request (payload format 2.0) → its response."""
    return answer(Request.from_event(event), _entrance(), time.time()).to_json()


@cache
def _settings() -> Settings:
    return Settings.from_environment()


@cache
def _entrance() -> Entrance:
    settings = _settings()
    provider = Provider(settings.require("oidc_issuer"), settings.require("oidc_client_id"), _client_secret)
    return Entrance(provider, settings.require("approval_url"), settings.require("identity_from"))


@cache
def _parameters() -> SSMProvider:
    return SSMProvider()


def _client_secret() -> str:
    """The client's secret; "" for a public client, which has PKCE alone. Raises Unusable."""
    name = _settings().require("client_secret_parameter")
    try:
        return str(_parameters().get(name, decrypt=True, max_age=_MAX_AGE_SECONDS))
    except GetParameterError as error:
        if "ParameterNotFound" in str(error):
            return ""
        raise Unusable(f"cannot read the client secret from parameter {name!r}") from error
