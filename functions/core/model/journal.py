"""What a step asked of models and was answered, written as it comes: an answer that was paid for is not paid
twice.

Each response is written before anything is made of it. When the step runs again, because it died, failed at a
later turn or was redriven, it goes on where it was: the same first request, the responses there are, then
the model.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from functions.core.model.prices import LISTED, Prices, Usage
from functions.core.untrusted.redaction import redact

_BYTES = "base64"
_CALL_ID = re.compile(r"[a-zA-Z0-9_.:-]{1,64}")
"""ToolUseId in the API's model."""


@dataclass
class Conversation:
    """One first request to one model, what was sent after it, and every response as it came."""

    model: str
    request: dict[str, Any]
    responses: list[dict[str, Any]] = field(default_factory=list)
    sent: list[dict[str, Any]] = field(default_factory=list)
    """Messages of ours after the first request: results of looking, and what was wrong with an answer."""


class Journal:
    """The conversations of one step. kept: what an earlier run wrote; keep: writes all, at each response."""

    def __init__(
        self,
        kept: dict[str, Any] | None = None,
        keep: Callable[[dict[str, Any]], object] = lambda _: None,
        prices: Prices = LISTED,
    ) -> None:
        self._keep = keep
        self._prices = prices
        self._conversations: list[Conversation] = []
        rows = (kept or {}).get("conversations", ())
        self._waiting = [Conversation(**_revived(row)) for row in rows if row["responses"]]

    @property
    def resumes_with(self) -> str:
        """The model that was asked last when the step ended, "" in a first run."""
        return self._waiting[-1].model if self._waiting else ""

    @property
    def conversations(self) -> list[Conversation]:
        """Those of earlier runs that were not gone on with come first: they were paid for, too."""
        return [*self._waiting, *self._conversations]

    @property
    def responses(self) -> list[tuple[str, dict[str, Any]]]:
        """Every response with the model that gave it."""
        return [(said.model, response) for said in self.conversations for response in said.responses]

    @property
    def usage(self) -> Usage:
        return sum((Usage.of(response) for _, response in self.responses), Usage())

    @property
    def cost_usd(self) -> float:
        return sum(
            self.cost_of(self._charged(model, response), Usage.of(response))
            for model, response in self.responses
        )

    @property
    def answered_by(self) -> str:
        """What really gave the last response, where it says that this is another than was asked."""
        return _invoked(self.responses[-1][1]) if self.responses else ""

    def _charged(self, model: str, response: dict[str, Any]) -> str:
        invoked = _invoked(response)
        return invoked if self._prices.known(invoked) else model

    def cost_of(self, model: str, usage: Usage) -> float:
        return self._prices.cost_usd(model, usage)

    def open(self, model: str, first: Callable[[], dict[str, Any]]) -> Talk:
        """The next conversation with a model: one that an earlier run began, or else with this first
        request."""
        said = next((begun for begun in self._waiting if begun.model == model), None)
        if said:
            self._waiting.remove(said)
        else:
            said = Conversation(model, first())
        self._conversations.append(said)
        return Talk(self, said)

    def write(self) -> None:
        self._keep({"conversations": [_plain(said) for said in self.conversations]})


class Talk:
    """A conversation as it goes on. `request` is its first."""

    def __init__(self, journal: Journal, said: Conversation) -> None:
        self._journal = journal
        self._said = said
        self._answered = list(said.responses)
        self._resumed = bool(said.responses)

    @property
    def model(self) -> str:
        return self._said.model

    @property
    def resumed(self) -> bool:
        """Whether an earlier run began it: then it may not be word for word what the model said."""
        return self._resumed

    @property
    def request(self) -> dict[str, Any]:
        return self._said.request

    def answered(self) -> dict[str, Any] | None:
        """The response that an earlier run had at this point, which costs nothing now."""
        return self._answered.pop(0) if self._answered else None

    def add(self, response: dict[str, Any], sent: Iterable[dict[str, Any]]) -> None:
        """Keep a response. sent: all messages of ours after the first request, by now."""
        self._said.responses.append(response)
        self._said.sent = list(sent)
        self._journal.write()

    def cost_of(self, usage: Usage) -> float:
        return self._journal.cost_of(self.model, usage)


def _invoked(response: dict[str, Any]) -> str:
    """The model that a prompt router chose, "" for a response that tells none.
    https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_PromptRouterTrace.html"""
    return str(((response.get("trace") or {}).get("promptRouter") or {}).get("invokedModelId") or "")


def _plain(said: Conversation) -> dict[str, Any]:
    """As JSON, with all that others wrote redacted; the request is made of what is redacted already."""
    return {
        "model": said.model,
        "request": said.request,
        "responses": [_redacted(response) for response in said.responses],
        "sent": [_redacted(message) for message in said.sent],
    }


def _redacted(value: Any, name: str = "", *, sealed: bool = False) -> Any:
    """As JSON: bytes in base64, texts redacted. sealed: within what the provider signs."""
    if isinstance(value, bytes):
        return {_BYTES: base64.b64encode(value).decode()}
    if isinstance(value, str):
        # The provider's signature goes back as it came; it is nobody's text, but as random as a secret.
        # So does a call's id, which most detectors take for a token.
        kept = (sealed and name == "signature") or (name == "toolUseId" and _CALL_ID.fullmatch(value))
        return value if kept else redact(value)
    if isinstance(value, dict):
        return {
            key: _redacted(item, key, sealed=sealed or key == "reasoningContent")
            for key, item in value.items()
            if key != "ResponseMetadata"
        }
    if isinstance(value, list | tuple):
        return [_redacted(item, name, sealed=sealed) for item in value]
    return value


def _revived(value: Any, name: str = "") -> Any:
    """Bytes again, where they were written as base64: a model may give a tool such an object, too."""
    if isinstance(value, dict):
        if name == "redactedContent" and list(value) == [_BYTES]:
            return base64.b64decode(value[_BYTES])
        return {key: _revived(item, key) for key, item in value.items()}
    if isinstance(value, list):
        return [_revived(item, name) for item in value]
    return value
