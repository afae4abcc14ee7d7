"""How much a model reads and writes at once, and how much source it is shown."""

from __future__ import annotations

import re
from dataclasses import dataclass

from functions.core.model.models import model_of

SOURCE_TOKENS = 12_000
"""The most source that any model is shown, in tokens: about 1,200 lines. Larger windows do not make it more:
what matters would be buried, and each attempt pays for it again."""

ANSWER_TOKENS = 8_192
"""The most that an answer may take: a proposal with a test takes 500 to 2,000."""

THINKING_TOKENS = 16_384
"""The same where the model thinks first, which counts as answer: most of it is left over, and not paid
for."""


@dataclass(frozen=True, slots=True)
class Window:
    """In tokens. tokens: what a model takes in and gives out together; answer: how much of that an answer
    may take; most: how much it may take at the very most, when it is asked for again because it was cut
    off."""

    tokens: int
    answer: int
    most: int = 0

    @property
    def room(self) -> int:
        """What a request may hold."""
        return self.tokens - self.answer

    @property
    def source(self) -> int:
        """What source may take of it: at most half, because rules, tools and the error stand beside it."""
        return min(SOURCE_TOKENS, self.room // 2)

    def doubled(self, request: int) -> int:
        """The answer's tokens when there must be more than `answer`, beside a request of so many."""
        return min(2 * self.answer, self.most, self.tokens - request)

    def narrowed(self, tokens: int) -> Window:
        """The same with fewer tokens; an answer gets a quarter of them at most, and half when cut off."""
        return Window(tokens, min(self.answer, tokens // 4), min(self.most, tokens // 2))


_UNKNOWN = Window(32_768, ANSWER_TOKENS, 2 * ANSWER_TOKENS)
"""For a model of which nothing is known, such as one behind an application inference profile, whose id says
nothing: a first prompt fits with all its source, and few models that call tools read less."""


def window_of(model: str, tokens: int = 0, answer: int = 0) -> Window:
    """The window of a Bedrock model or inference profile id. tokens, answer: what an app says of it, else
    0."""
    known = model_of(model)
    if known is None:
        window = Window(_UNKNOWN.tokens, answer or _UNKNOWN.answer, 2 * (answer or _UNKNOWN.answer))
    else:
        wanted = answer or (THINKING_TOKENS if known.thinks else ANSWER_TOKENS)
        window = Window(known.window, min(wanted, known.output), known.output)
    return window.narrowed(tokens or window.tokens)


# What services and servers answer to a request that is too long: Bedrock, Nova, Anthropic; vLLM; llama.cpp
# (with "n_ctx"); llama-cpp-python. Where they say what they do take, it follows words of the second pattern.
_TOO_LONG = re.compile(
    r"(?:input|prompt) is too long|input tokens exceed|too many (?:input )?tokens"
    r"|context[ _](?:length|size|window|limit)",
    re.I,
)
_TAKES = re.compile(
    r"(?:context (?:length|size|window)(?: is| of)?|context limit: \d+ \+ \d+ >|tokens >"
    r"|max input tokens:|\"n_ctx\":)\W{0,3}(\d{3,8})",
    re.I,
)


def refused_as_too_long(message: str) -> int | None:
    """The tokens that a model takes, 0 if they are not said; None if the message is about something else."""
    if not _TOO_LONG.search(message):
        return None
    said = _TAKES.search(message)
    return int(said[1]) if said else 0
