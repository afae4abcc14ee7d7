"""How much a model reads and writes at once, and how much source it is shown."""

from __future__ import annotations

import re
from dataclasses import dataclass

SOURCE_TOKENS = 12_000
"""The most source that any model is shown, in tokens: about 1,200 lines. Larger windows do not make it more:
what matters would be buried, and each attempt pays for it again."""

ANSWER_TOKENS = 8_192
"""The most that an answer may take: a proposal with a test takes 500 to 2,000."""


@dataclass(frozen=True, slots=True)
class Window:
    """In tokens. tokens: what a model takes in and gives out together; answer: how much of that an answer
    may take."""

    tokens: int
    answer: int

    @property
    def room(self) -> int:
        """What a request may hold."""
        return self.tokens - self.answer

    @property
    def source(self) -> int:
        """What source may take of it: at most half, because rules, tools and the error stand beside it."""
        return min(SOURCE_TOKENS, self.room // 2)

    def narrowed(self, tokens: int) -> Window:
        """The same with fewer tokens; an answer gets a quarter of them at most."""
        return Window(tokens, min(self.answer, tokens // 4))


# Context window, and the most output that is accepted. The first fragment that a model id contains decides.
# Read in 2026: Anthropic, "Models overview"; Amazon Nova user guide, "What is Amazon Nova"; for the others
# their pages under "Inference request parameters and response fields" in the Bedrock user guide.
_WINDOWS = (
    ("claude-3-haiku", Window(200_000, 4_096)),
    ("claude-", Window(200_000, ANSWER_TOKENS)),
    ("nova-premier", Window(1_000_000, 5_000)),
    ("nova-micro", Window(128_000, 5_000)),
    ("nova-2-", Window(1_000_000, ANSWER_TOKENS)),
    ("nova-", Window(300_000, 5_000)),
    ("meta.llama3-8b", Window(8_000, 2_048)),
    ("meta.llama3-70b", Window(8_000, 2_048)),
    ("meta.llama3-", Window(128_000, 2_048)),
    ("mistral-large-2402", Window(32_000, ANSWER_TOKENS)),
    ("mistral-large-", Window(128_000, ANSWER_TOKENS)),
    ("mistral-small-2402", Window(32_000, ANSWER_TOKENS)),
    ("cohere.command-r", Window(128_000, 4_000)),
)
_UNKNOWN = Window(32_768, ANSWER_TOKENS)
"""For a model that is not in the table, such as one behind an application inference profile, whose id says
nothing: a first prompt fits with all its source, and few models that call tools read less."""


def window_of(model: str, tokens: int = 0) -> Window:
    """The window of a Bedrock model or inference profile id. tokens: what an app says it is, 0 if nothing."""
    window = next((window for name, window in _WINDOWS if name in model), _UNKNOWN)
    return window.narrowed(tokens or window.tokens)


# What services and servers answer to a request that is too long: Bedrock and Anthropic; vLLM; llama.cpp (with
# "n_ctx"); llama-cpp-python. Where they say what they do take, it follows one of the second pattern's words.
_TOO_LONG = re.compile(
    r"(?:input|prompt) is too long|too many (?:input )?tokens|context[ _](?:length|size|window)", re.I
)
_TAKES = re.compile(
    r"(?:context (?:length|size|window)(?: is| of)?|tokens >|max input tokens:|\"n_ctx\":)\W{0,3}(\d{3,8})",
    re.I,
)


def refused_as_too_long(message: str) -> int | None:
    """The tokens that a model takes, 0 if they are not said; None if the message is about something else."""
    if not _TOO_LONG.search(message):
        return None
    said = _TAKES.search(message)
    return int(said[1]) if said else 0
