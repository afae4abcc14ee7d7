"""Bedrock's Converse API, with its failures in the workflow's vocabulary."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
    ReadTimeoutError,
)

from functions.core.model.limits import refused_as_too_long
from functions.core.model.models import foundation_model, model_of
from functions.core.model.parameters import most, refused
from functions.core.model.time_left import LEAST, TimeLeft
from functions.core.workflow.errors import (
    ModelAccessDenied,
    ModelNotFound,
    ModelRequestInvalid,
    ModelThrottled,
    ModelUnavailable,
    ParameterRefused,
    PromptTooLong,
)

if TYPE_CHECKING:
    from mypy_boto3_bedrock_runtime import BedrockRuntimeClient

# Source: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html, "Errors".
_THROTTLED = {"ThrottlingException", "TooManyRequestsException", "ServiceQuotaExceededException"}
_UNAVAILABLE = {
    "InternalServerException",
    "ModelErrorException",
    "ModelNotReadyException",
    "ModelTimeoutException",
    "ServiceUnavailableException",
}
_DENIED = {"AccessDeniedException", "UnrecognizedClientException", "ExpiredTokenException"}


_COUNT_SECONDS = 20.0
"""A count is never waited for longer: the caller has an estimate."""


class Bedrock:
    """Converse, and the counting of tokens beforehand.

    connect: a client of bedrock-runtime with such a configuration; time: what calls may take.
    """

    def __init__(
        self, connect: Callable[[Config], BedrockRuntimeClient], time: TimeLeft | None = None
    ) -> None:
        self._connect = connect
        self._time = time or TimeLeft()

    @cached_property
    def _counting(self) -> BedrockRuntimeClient:
        return self._client(_COUNT_SECONDS)

    def _client(self, seconds: float) -> BedrockRuntimeClient:
        """A client that waits for an answer that long, and asks once: retrying is the workflow's business,
        where it is visible."""
        config = Config(connect_timeout=10, read_timeout=seconds, retries={"total_max_attempts": 1})
        return self._connect(config)

    def converse(self, request: dict[str, Any]) -> dict[str, Any]:
        """One call. Raises ModelThrottled, ModelUnavailable, ModelAccessDenied, ModelNotFound, PromptTooLong,
        ParameterRefused or ModelRequestInvalid.

        No message holds any part of the request.
        """
        model = request["modelId"]
        if (seconds := self._time.for_a_call()) < LEAST:
            # The step is run again, and goes on from what was answered.
            raise ModelUnavailable(f"model {model}: no time is left to ask it in")
        try:
            client = self._client(seconds)
            client.meta.events.register("before-parse.bedrock-runtime.Converse", _flattened)
            response: dict[str, Any] = dict(client.converse(**request))
        except ClientError as error:
            if _NO_TOOL_CALL.search(str(error)):
                return {"stopReason": "malformed_tool_use"}
            raise _named(request, error) from None
        except ParamValidationError:
            raise ModelRequestInvalid(
                f"model {model}: the request does not fit the API's own shape"
            ) from None
        except (NoCredentialsError, PartialCredentialsError) as error:
            raise ModelAccessDenied(f"model {model}: no AWS credentials ({error})") from None
        except ReadTimeoutError:
            raise ModelUnavailable(f"model {model}: no answer within {seconds:.0f} s") from None
        except (BotoCoreError, HTTPClientError) as error:
            raise ModelUnavailable(
                f"model {model}: no answer from Bedrock ({type(error).__name__})"
            ) from None
        return response

    def count(self, request: dict[str, Any]) -> int | None:
        """Input tokens of a request as the provider counts them; None where it cannot be had.

        A count is never worth a failed heal: the caller has an estimate.
        """
        model = request["modelId"]
        known = model_of(model)
        if known is None or not known.counts:
            return None
        converse = {key: request[key] for key in ("system", "messages", "toolConfig") if key in request}
        try:
            answer = self._counting.count_tokens(
                modelId=foundation_model(model), input={"converse": cast("Any", converse)}
            )
        except (BotoCoreError, ClientError, HTTPClientError):
            return None
        return int(answer["inputTokens"])


_NO_TOOL_CALL = re.compile(r"invalid sequence as part of ToolUse", re.I)
"""What Nova wrote is no tool call: an answer of the wrong form, which it is told of, and no outage that
passes (langchain-ai/langchain-aws#567)."""

# What Bedrock says of a model that cannot be had, and what to do. The sentences are those of its answers, as
# public trackers quote them: aws-samples/amazon-bedrock-workshop#386 (legacy), gsd-build/gsd-2#5425 (end of
# life), anomalyco/opencode#396 (needs a profile), pydantic/pydantic-ai#8170 (data retention),
# langgenius/dify#7488 (an account that may not), aws-samples/anthropic-on-aws#252 (no subscription),
# anthropics/claude-code#2656 (a country that is not served). The form: "Access Amazon Bedrock foundation
# models" in its user guide.
_CANNOT_BE_HAD: tuple[tuple[re.Pattern[str], type[Exception], str], ...] = (
    (
        re.compile(r"use case details", re.I),
        ModelAccessDenied,
        "Submit the maker's use-case form once for this account (Bedrock console, model catalog), wait 15"
        " minutes, then redrive.",
    ),
    (
        re.compile(r"aws-marketplace:|marketplace subscription", re.I),
        ModelAccessDenied,
        "Nobody has subscribed this account to it yet: somebody who may opens it once in Bedrock's model"
        " catalog; wait 15 minutes, then redrive.",
    ),
    (
        re.compile(r"unsupported countr", re.I),
        ModelAccessDenied,
        "Its maker does not serve this country: set another maker's as the app's 'model', then redrive.",
    ),
    (
        re.compile(r"data retention", re.I),
        ModelAccessDenied,
        "It wants data to be retained, which this account does not allow: allow it in Bedrock's settings of"
        " data retention, or set another model, then redrive.",
    ),
    (
        re.compile(r"operation not allowed|not available for this account", re.I),
        ModelAccessDenied,
        "This account may not use it yet: ask AWS Support, or set another model, then redrive.",
    ),
    (
        re.compile(r"guardrail", re.I),
        ModelRequestInvalid,
        "Check the app's 'guardrail', then redrive.",
    ),
    (
        re.compile(r"\blegacy\b", re.I),
        ModelNotFound,
        "It is a legacy model, which Bedrock hides from accounts that have not used it lately: set a current"
        " one as the app's 'model', then redrive.",
    ),
    (
        re.compile(r"end of (?:its )?life", re.I),
        ModelNotFound,
        "It is no more: set a current one as the app's 'model', then redrive.",
    ),
    (
        re.compile(r"on-demand throughput", re.I),
        ModelNotFound,
        "It is reached through an inference profile only: set the one of your geography as the app's 'model',"
        " such as eu.{model}, then redrive.",
    ),
    (
        re.compile(r"model identifier|not (?:supported|available) in (?:this|your|the) region", re.I),
        ModelNotFound,
        "Set a model or inference profile id that this region has as the app's 'model', or its region as"
        " 'model_region', then redrive.",
    ),
)


def _flattened(response_dict: dict[str, Any], **_: Any) -> None:
    """A refusal in the maker's own JSON, which Bedrock passes on at times (anthropics/claude-code#51183), in
    the form in which the SDK finds its words."""
    if response_dict["status_code"] < 300:
        return
    try:
        said = json.loads(response_dict["body"])["error"]
        flat = {"message": said["message"], "__type": said["type"]}
    except (ValueError, LookupError, TypeError):
        return
    response_dict["body"] = json.dumps(flat).encode()


def _named(request: dict[str, Any], error: ClientError) -> Exception:
    model = request["modelId"]
    code = error.response["Error"]["Code"]
    said = " ".join(str(error.response["Error"].get("Message", "")).split())[:300]
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    what = f"model {model}: {code}: {said.rstrip('.')}."
    if code in _THROTTLED or status == 429:
        return ModelThrottled(what)
    # Asked first: servers behind an emulator have said so with status 500, too.
    if (reads := refused_as_too_long(said)) is not None:
        return PromptTooLong(what, reads)
    if code in _UNAVAILABLE or status >= 500:
        return ModelUnavailable(what)
    for pattern, kind, remedy in _CANNOT_BE_HAD:
        if pattern.search(said):
            return kind(f"{what} {remedy.format(model=model)}")
    # Before access: a cache that is refused is answered as access that is denied.
    if parameter := refused(request, said):
        note = f"It does not take {parameter.name} as given: {parameter.remedy}."
        return ParameterRefused(f"{what} {note}", parameter.name, most(said))
    if code in _DENIED or status in (401, 403):
        return ModelAccessDenied(
            f"{what} Enable the model in this account and region, or set another one as the app's 'model',"
            " then redrive."
        )
    if code == "ResourceNotFoundException":
        return ModelNotFound(
            f"{what} Check the app's 'model': it must be a model or inference profile id that this region"
            " has; then redrive."
        )
    return ModelRequestInvalid(
        f"{what} Set a model that takes tools in Converse as the app's 'model', then redrive."
    )
