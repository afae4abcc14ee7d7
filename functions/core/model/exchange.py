"""The calls of one conversation: each is paid for and written, and asked once more where its answer was cut
off."""

from __future__ import annotations

from typing import Any

from functions.core.model.adapted import Adapted
from functions.core.model.budget import Commits
from functions.core.model.conversation import answer_limit, sent_after, worst
from functions.core.model.journal import Talk
from functions.core.model.limits import Window
from functions.core.model.prices import Usage
from functions.core.model.requests import request_tokens
from functions.core.workflow.errors import ParameterRefused

Request = dict[str, Any]


class Exchange:
    """What is said to a model and answered, turn by turn; what an earlier run was answered is not asked
    again."""

    def __init__(self, model: Adapted, budget: Commits, talk: Talk, window: Window) -> None:
        self._model = model
        self._budget = budget
        self._talk = talk
        self._window = window
        self._first = len(talk.request["messages"])
        self._room = 0
        """Tokens of each answer since one was cut off, 0 before."""

    def answered(self, request: Request, counted: int | None = None) -> Request:
        """The response. An answer that was cut off is asked for once more in a conversation, with double
        room, if the model takes that; all later answers have it, too.

        counted: input tokens, where the provider has counted them. Raises OverBudget before a call that the
        budget does not cover, and what the model raises.
        """
        request = with_room(request, self._room) if self._room else request
        response = self._response(request, counted)
        if response.get("stopReason") != "max_tokens" or self._room:
            return response
        had = answer_limit(self._model.taken(request))
        self._room = self._window.doubled(request_tokens(request))
        wider = with_room(request, self._room)
        try:
            if answer_limit(self._model.taken(wider)) > had:
                return self._response(wider, counted, more_than=had)
        except ParameterRefused:
            self._room = had
        return response

    def _response(self, request: Request, counted: int | None, more_than: int = 0) -> Request:
        response = self._talk.answered()
        if response is None:
            with self._budget.commit(self._talk.cost_of(worst(request, counted))) as commitment:
                response = self._model.converse(request, more_than)
                commitment.cost_usd = self._talk.cost_of(Usage.of(response))
            self._talk.add(response, sent_after(request, self._first))
        return response


def with_room(request: Request, tokens: int) -> Request:
    """The request, for an answer of so many tokens."""
    return {**request, "inferenceConfig": {**request["inferenceConfig"], "maxTokens": tokens}}
