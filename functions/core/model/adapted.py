"""Asks each model as it takes it: an optional parameter that it refuses is left out, there and from then
on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from functions.core.model.parameters import without
from functions.core.model.port import LanguageModel
from functions.core.workflow.errors import ParameterRefused

Refused = dict[str, dict[str, int]]
"""Model → parameter that it refused → the most that it takes of it, 0 where it takes none."""


class Adapted:
    """A model, asked without what it refuses. What it refused is kept for the rest of the heal.

    refused: what is known already; keep: told of all that is known whenever something is added.
    """

    def __init__(
        self,
        model: LanguageModel,
        refused: Mapping[str, Mapping[str, int]] | None = None,
        keep: Callable[[Refused], object] = lambda _: None,
    ) -> None:
        self._model = model
        self._refused: Refused = {name: dict(found) for name, found in (refused or {}).items()}
        self._keep = keep

    def refused_by(self, model: str) -> tuple[str, ...]:
        """The parameters that a model refused."""
        return tuple(self._refused.get(model, ()))

    def converse(self, request: dict[str, Any], more_than: int = 0) -> dict[str, Any]:
        """One call, repeated without each parameter that is refused; refused calls are not paid for.

        more_than: so many tokens for the answer would not be worth the call. Raises what the model raises:
        ParameterRefused too, when leaving a parameter out does not help, or no more than that is taken.
        """
        while True:
            taken = self.taken(request)
            try:
                return self._model.converse(taken)
            except ParameterRefused as error:
                if more_than and error.parameter == "maxTokens" and error.limit <= more_than:
                    raise
                found = self._refused.setdefault(request["modelId"], {})
                # Of a limit that was not low enough, the next is none at all.
                limit = 0 if error.parameter in found else error.limit
                if found.get(error.parameter) == limit:
                    raise
                found[error.parameter] = limit
                self._keep(self._refused)

    def count(self, request: dict[str, Any]) -> int | None:
        return self._model.count(self.taken(request))

    def taken(self, request: dict[str, Any]) -> dict[str, Any]:
        """The request without what is known to be refused."""
        for parameter, limit in self._refused.get(request["modelId"], {}).items():
            request = without(request, parameter, limit)
        return request
