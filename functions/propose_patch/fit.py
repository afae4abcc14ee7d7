"""Fits what is sent into what a model reads: the least relevant is left out first, and said to be."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from functions.core.incidents.incident import Incident
from functions.core.model.adapted import Adapted
from functions.core.model.budget import Commits
from functions.core.model.exchange import Exchange
from functions.core.model.journal import Journal, Talk
from functions.core.model.limits import Window
from functions.core.model.port import LanguageModel
from functions.core.model.requests import estimate_tokens, request_tokens
from functions.core.model.sections import nonce_of
from functions.core.notify.counts import counted
from functions.core.workflow.errors import ModelRequestInvalid, PromptTooLong
from functions.propose_patch.ask import ModelAnswer, ask
from functions.propose_patch.context import Context, Part, build_context
from functions.propose_patch.prompt import EarlierAttempt, Prompt, build_prompt
from functions.propose_patch.repository import SourceTree
from functions.propose_patch.retrieval import RetrievalTools

_MOST_COUNTS = 4
"""Each count may be a call; the second one nearly always suffices."""

_SECTION = 40
"""Tokens of a section's delimiters and of the line that says that it was left out, about."""

_LEAST = 2_048
"""Tokens: the rules and the tools alone take more than such a window leaves."""


@dataclass(frozen=True, slots=True)
class PromptParts:
    """What the prompt of an attempt is made of, whichever model is asked. roots: the app's path rules."""

    heal_id: str
    incident: Incident
    repository: SourceTree
    roots: Mapping[str, str]
    attempts: Sequence[EarlierAttempt] = ()
    comment: str = ""
    earlier: Sequence[Incident] = ()
    python: str = ""
    """The version that the app runs on."""
    patch: Mapping[str, Any] | None = None
    """The one of before, as FetchSource's `earlier` gives it."""

    def context(self, window: Window) -> Context:
        incident = self.incident
        return build_context(
            self.repository,
            incident.frames,
            self.roots,
            window.source,
            causes=incident.causes,
            error=incident.title,
        )

    def prompt(self, context: Context, window: Window) -> Prompt:
        return build_prompt(
            self.heal_id,
            self.incident,
            context,
            self.attempts,
            self.comment,
            self.earlier,
            room=window.room,
            python=self.python,
            patch=self.patch,
        )


@dataclass(frozen=True, slots=True)
class Fitted:
    """A request that fits. counted: its input tokens as the provider counts them, None where it does not."""

    context: Context
    prompt: Prompt
    request: dict[str, Any]
    counted: int | None

    @property
    def tokens(self) -> int:
        return request_tokens(self.request) if self.counted is None else self.counted

    def to_json(self) -> dict[str, Any]:
        """Exactly what is sent, to which model, and its tokens: of each part estimated, of all as counted."""
        said, tools = self.prompt.to_json(), self.request["toolConfig"]["tools"]
        system, *sections = said["parts"]
        offered = {"part": "tools", "tokens": estimate_tokens(json.dumps(tools))}
        return said | {
            "tools": tools,
            "tokens": said["tokens"] + offered["tokens"],
            "parts": [system, offered, *sections],
            "model": self.request["modelId"],
            "inference": self.request["inferenceConfig"],
            "counted_tokens": self.counted,
        }


RequestOf = Callable[[Prompt, Window], dict[str, Any]]


def fit(
    draft: PromptParts, model: LanguageModel, window: Window, request_of: RequestOf, *, guessed: bool = False
) -> Fitted:
    """The request with as much of the context as the model should be shown and can read.

    Raises PromptTooLong when not even the function that failed fits; where the window is only guessed, that
    much is tried.
    """
    context = draft.context(window)
    for _ in range(_MOST_COUNTS):
        prompt = draft.prompt(context, window)
        request = request_of(prompt, window)
        fitted = Fitted(context, prompt, request, model.count(request))
        # A count is of the whole; the parts are taken to be off by the same factor.
        factor = fitted.tokens / request_tokens(request)
        source = sum(part.tokens for part in context.parts) * factor
        if fitted.tokens > window.room:
            smaller = _without(context, (fitted.tokens - window.room) / factor, lambda _: True)
        elif source > window.source:
            smaller = _without(context, (source - window.source) / factor, lambda part: not part.required)
        else:
            return fitted
        if smaller is context:
            break
        context = smaller
    if fitted.tokens > window.room and not guessed:
        raise PromptTooLong(
            f"model {request['modelId']} reads {counted(window.room, 'token')} beside its answer, and the"
            f" least that says what failed takes {fitted.tokens:,}: use a model that reads more, or set the"
            " app's 'context_window' if this one does"
        )
    return fitted


def _without(context: Context, tokens: float, may_go: Callable[[Part], bool]) -> Context:
    """The context less its last parts, so that about so many tokens are saved; never less the first one."""
    kept, dropped = list(context.parts), list[Part]()
    for part in context.parts[:0:-1]:
        if tokens <= 0:
            break
        if may_go(part):
            kept.remove(part)
            dropped.insert(0, part)
            tokens -= part.tokens + _SECTION
    if not dropped:
        return context
    said = tuple(
        f"{part.place} ({part.why}): about {part.tokens} tokens, over the budget" for part in dropped
    )
    return replace(context, parts=tuple(kept), left_out=(*context.left_out, *said))


def ask_fitting(
    draft: PromptParts,
    model: Adapted,
    budget: Commits,
    window: Window,
    request_of: RequestOf,
    sent: Callable[[Fitted], None],
    journal: Journal,
    name: str,
) -> ModelAnswer:
    """Fit and ask the model of that name; where it reads less than was thought, once more with less.

    sent: told of each request before it is sent. Raises PromptTooLong, OverBudget, and what the model raises.
    """
    counted: int | None = None
    guessed = False
    talk: Talk

    def first() -> dict[str, Any]:
        nonlocal counted
        fitted = fit(draft, model, window, request_of, guessed=guessed)
        counted = fitted.counted
        sent(fitted)
        return fitted.request

    def asked() -> ModelAnswer:
        nonlocal talk
        talk = journal.open(name, first)
        looks = RetrievalTools(draft.repository, nonce_of(draft.heal_id))
        exchange = Exchange(model, budget, talk, window)
        return ask(exchange, talk.request, window, looks, counted)

    for narrower in (False, True):
        try:
            try:
                answer = asked()
            except ModelRequestInvalid as error:
                # What an earlier run kept was redacted, and a thought that is not word for word is refused.
                if isinstance(error, PromptTooLong) or not talk.resumed:
                    raise
                answer = asked()
            if not answer.too_long:
                return answer
            problem = PromptTooLong(f"model {name}: the prompt exceeds its context window, twice")
        except PromptTooLong as error:
            problem = error
        if narrower:
            break
        half = ((counted or request_tokens(talk.request)) + window.answer) // 2
        tokens = max(min(problem.reads or half, half), _LEAST)
        # What was refused was thought to fit, so half of it is as good a guess as any.
        guessed = tokens != problem.reads
        window, counted = window.narrowed(tokens), None
    raise problem
