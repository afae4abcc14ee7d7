"""What the ARN of a model leads to: Converse takes those of several things, and not all can be asked here.

Sources: `modelId` of Converse in the API reference; "Actions defined by Amazon Bedrock", InvokeModel, in the
Service Authorization Reference.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_ARN = re.compile(r"arn:aws[a-z-]*:([a-z-]+):([a-z0-9-]*):(\d*):([a-z-]+)/.+")

OF_AN_ACCOUNT = (
    "inference-profile",
    "application-inference-profile",
    "provisioned-model",
    "imported-model",
    "custom-model-deployment",
    "prompt-router",
    "default-prompt-router",
)
"""Kinds of an account's own things that answer in place of a model."""

_INSTEAD = {
    "custom-model": "is a custom model, which answers only through a deployment or provisioned throughput:"
    " give the ARN of one",
    "prompt": "is a prompt of prompt management, which would bring a system text and tools of its own: give a"
    " model",
    "endpoint": "is an endpoint of SageMaker, which these functions have no right to invoke: give a model"
    " that Bedrock serves itself",
}


@dataclass(frozen=True, slots=True)
class ModelArn:
    """kind: what it is of, such as `provisioned-model` or `foundation-model`; region: "" for any."""

    kind: str
    region: str


def read_arn(model: str) -> ModelArn | None:
    """What an ARN says; None for a plain id."""
    found = _ARN.fullmatch(model)
    return ModelArn(found[4], found[2]) if found else None


def why_not_asked(model: str) -> str:
    """Why this cannot be an app's model, "" if it can for all that its name says."""
    if not model.startswith("arn:"):
        return ""
    arn = read_arn(model)
    if arn is None:
        return "is no ARN of a model"
    if arn.kind in (*OF_AN_ACCOUNT, "foundation-model"):
        return ""
    return _INSTEAD.get(arn.kind, f"is a {arn.kind}, which is no model: give a model or an inference profile")
