"""Bedrock's Converse API, with its failures in the workflow's vocabulary."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, cast

from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
)

from functions.core.errors import (
    ModelAccessDenied,
    ModelRequestInvalid,
    ModelThrottled,
    ModelUnavailable,
    PromptTooLong,
)
from functions.core.windows import refused_as_too_long

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


def client_config() -> Config:
    """One attempt, and a read timeout above what a long answer takes.

    Retrying is the workflow's business, where it is visible; and the SDK's default of 60 s would give up on
    an answer that is paid for all the same.
    """
    return Config(connect_timeout=10, read_timeout=800, retries={"total_max_attempts": 1})


# Models that CountTokens supports, and the geography that an inference profile's id starts with: counting
# takes the foundation model's id. Source: "Count tokens" in the Bedrock user guide.
_COUNTS = re.compile(r"anthropic\.claude-")
_GEOGRAPHY = re.compile(r"^[a-z-]{2,8}\.(?=anthropic\.)")


class Bedrock:
    """Converse, and the counting of tokens beforehand."""

    def __init__(self, client: BedrockRuntimeClient) -> None:
        self._client = client

    def converse(self, request: dict[str, Any]) -> dict[str, Any]:
        """One call. Raises ModelThrottled, ModelUnavailable, ModelAccessDenied, PromptTooLong or
        ModelRequestInvalid.

        No message holds any part of the request.
        """
        model = request["modelId"]
        try:
            response: dict[str, Any] = dict(self._client.converse(**request))
        except ClientError as error:
            raise _named(model, error) from None
        except ParamValidationError:
            raise ModelRequestInvalid(
                f"model {model}: the request does not fit the API's own shape"
            ) from None
        except (NoCredentialsError, PartialCredentialsError) as error:
            raise ModelAccessDenied(f"model {model}: no AWS credentials ({error})") from None
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
        if not _COUNTS.search(model):
            return None
        converse = {key: request[key] for key in ("system", "messages", "toolConfig") if key in request}
        try:
            answer = self._client.count_tokens(
                modelId=_GEOGRAPHY.sub("", model), input={"converse": cast("Any", converse)}
            )
        except (BotoCoreError, ClientError, HTTPClientError):
            return None
        return int(answer["inputTokens"])


def _named(model: str, error: ClientError) -> Exception:
    code = error.response["Error"]["Code"]
    said = " ".join(str(error.response["Error"].get("Message", "")).split())[:300]
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in _THROTTLED or status == 429:
        return ModelThrottled(f"model {model}: {code}: {said}")
    # Asked first: servers behind an emulator have said so with status 500, too.
    if (reads := refused_as_too_long(said)) is not None:
        return PromptTooLong(f"model {model}: {code}: {said}", reads)
    if code in _UNAVAILABLE or status >= 500:
        return ModelUnavailable(f"model {model}: {code}: {said}")
    if code in _DENIED or status in (401, 403):
        return ModelAccessDenied(
            f"model {model}: {code}: {said} Enable the model in this account and region, or set another"
            " one as the app's 'model', then redrive."
        )
    return ModelRequestInvalid(
        f"model {model}: {code}: {said} Check the app's 'model' (it must be a model or inference profile"
        " id that this region has), then redrive."
    )
