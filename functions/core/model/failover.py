"""The next model is asked where one cannot be had, refuses, is throttled or fails."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from functions.core.model.time_left import TimeLeft
from functions.core.workflow.errors import (
    ModelAccessDenied,
    ModelNotFound,
    ModelRequestInvalid,
    ModelThrottled,
    ModelUnavailable,
    TransientError,
)

Answer = TypeVar("Answer")

FAILED = (ModelAccessDenied, ModelNotFound, ModelRequestInvalid, ModelThrottled, ModelUnavailable)
"""All that a model can fail with. Another one may take what this one refused; a request that none takes costs
nothing."""


@dataclass(frozen=True, slots=True)
class Answered(Generic[Answer]):
    """The answer, who gave it, and why those that should have did not, one sentence for each."""

    answer: Answer
    model: str
    passed_over: tuple[str, ...]


def first_to_answer(
    models: Sequence[str],
    ask: Callable[[str], Answer],
    time: TimeLeft,
    resumes_with: str = "",
    lacks: Callable[[Answer], str] = lambda _: "",
) -> Answered[Answer]:
    """Ask the models in their order. time: is told how many may still be asked; resumes_with: who was asked
    last in an earlier run, if anybody: it goes first; lacks: why an answer is only taken if no model has a
    better one, "" if it is good.

    When none answers, raises what may pass by itself, or else what the first model raised: what can be
    retried is retried, and otherwise the app's own model says what to mend.
    """
    order = sorted(dict.fromkeys(models), key=lambda model: model != resumes_with)
    failures: dict[str, Exception] = {}
    poor: dict[str, tuple[Answer, str]] = {}
    said: list[str] = []
    for model in order:
        time.models = len(order) - len(said)
        try:
            answer = ask(model)
        except FAILED as error:
            failures[model] = error
            said.append(str(error))
            continue
        if not (why := lacks(answer)):
            return Answered(answer, model, tuple(said))
        poor[model] = answer, f"model {model}: {why}"
        said.append(poor[model][1])
    for model, (answer, why) in poor.items():
        return Answered(answer, model, tuple(each for each in said if each != why))
    passing = (error for error in failures.values() if isinstance(error, TransientError))
    raise next(passing, failures[models[0]])
