"""What a model is to the steps: it speaks Converse, whoever answers."""

from __future__ import annotations

from typing import Any, Protocol


class LanguageModel(Protocol):
    """Bedrock, or a server that speaks OpenAI's protocol; see `tests/unit/core/model/test_contract.py`."""

    def converse(self, request: dict[str, Any]) -> dict[str, Any]:
        """One call, in the shape of Bedrock's Converse API.

        Raises ModelThrottled, ModelUnavailable, ModelAccessDenied, ModelNotFound, PromptTooLong,
        ParameterRefused or ModelRequestInvalid; no message holds any part of the request.
        """
        ...

    def count(self, request: dict[str, Any]) -> int | None:
        """Input tokens as the provider counts them, None where it does not."""
        ...
