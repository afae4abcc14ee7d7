"""The next model is asked where one cannot be had, refuses, is throttled or fails."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from functions.core.workflow.errors import (
    ModelAccessDenied,
    ModelNotFound,
    ModelRequestInvalid,
    ModelThrottled,
    ModelUnavailable,
    TransientError,
)

Answer = TypeVar("Answer")

# All that a model can fail with. Another one may take what this one refused; a request that none takes costs
# nothing.
_FAILED = (ModelAccessDenied, ModelNotFound, ModelRequestInvalid, ModelThrottled, ModelUnavailable)


@dataclass(frozen=True, slots=True)
class Answered(Generic[Answer]):
    """The answer, who gave it, and why those that should have did not, one sentence for each."""

    answer: Answer
    model: str
    passed_over: tuple[str, ...]


def first_to_answer(
    models: Sequence[str], ask: Callable[[str], Answer], resumes_with: str = ""
) -> Answered[Answer]:
    """Ask the models in their order. resumes_with: who was asked last in an earlier run, if anybody: it goes
    first.

    When none answers, raises what may pass by itself, or else what the first model raised: what can be
    retried is retried, and otherwise the app's own model says what to mend.
    """
    order = sorted(dict.fromkeys(models), key=lambda model: model != resumes_with)
    failures: list[Exception] = []
    for model in order:
        try:
            answer = ask(model)
        except _FAILED as error:
            failures.append(error)
        else:
            return Answered(answer, model, tuple(str(failure) for failure in failures))
    passing = (failure for failure in failures if isinstance(failure, TransientError))
    own = failures[order.index(models[0])]
    raise next(passing, own)
