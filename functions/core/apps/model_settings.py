"""What an app's entry may say of its models."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from functions.core.model.arns import why_not_asked
from functions.core.workflow.errors import AppInvalid

if TYPE_CHECKING:
    from functions.core.apps.app import App

EFFORTS = ("low", "medium", "high", "xhigh", "max")

_GUARDRAIL = re.compile(r"[A-Za-z0-9-]{1,2048}(:([1-9]\d{0,7}|DRAFT))?", re.ASCII)
"""https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_GuardrailConfiguration.html"""

# A prompt's rules and tools alone take over 2,000 tokens.
_LEAST_WINDOW = 4_096

# Less than a proposal with a short test takes.
_LEAST_ANSWER = 1_024


def check_models(app: App) -> None:
    """Raises AppInvalid for settings of models that cannot be met, or do not belong together."""
    if app.model_url:
        _check_server(app)
    else:
        for model in filter(None, (app.model, *app.fallback_models, app.review_model)):
            if why := why_not_asked(model):
                raise AppInvalid(f"app {app.name!r}: model {model} {why}")
    if app.context_window and app.context_window < _LEAST_WINDOW:
        raise AppInvalid(f"app {app.name!r}: 'context_window' must be at least {_LEAST_WINDOW}, or 0")
    if app.temperature > 1:
        raise AppInvalid(f"app {app.name!r}: 'temperature' must be at most 1")
    if app.effort and app.effort not in EFFORTS:
        raise AppInvalid(f"app {app.name!r}: 'effort' must be one of {', '.join(EFFORTS)}")
    if app.guardrail and not _GUARDRAIL.fullmatch(app.guardrail):
        raise AppInvalid(
            f"app {app.name!r}: 'guardrail' must be ID or ID:VERSION, a number or DRAFT, such as"
            ' "ab12cd34ef56:1", or empty'
        )
    if app.answer_tokens and app.answer_tokens < _LEAST_ANSWER:
        raise AppInvalid(f"app {app.name!r}: 'answer_tokens' must be at least {_LEAST_ANSWER}, or 0")


def _check_server(app: App) -> None:
    url = urlsplit(app.model_url)
    plain = url.scheme in ("https", "http") and url.hostname and not (url.query or url.fragment)
    if not plain or url.username or url.password:
        raise AppInvalid(f"app {app.name!r}: 'model_url' must be an https URL without credentials or query")
    if url.scheme == "http" and not _is_private(str(url.hostname)):
        raise AppInvalid(
            f"app {app.name!r}: 'model_url' must use https: it carries source; http is for a server in a"
            " network of your own, named by its private address or a name that ends in .internal or .local"
        )
    if not app.model:
        raise AppInvalid(
            f"app {app.name!r}: 'model_url' needs 'model': the name of one of the server's models"
        )
    for key in ("guardrail", "model_region"):
        if getattr(app, key):
            raise AppInvalid(f"app {app.name!r}: {key!r} is Bedrock's, which 'model_url' is asked instead of")


def _is_private(host: str) -> bool:
    try:
        return ip_address(host).is_private
    except ValueError:
        return host == "localhost" or host.endswith((".internal", ".local"))
