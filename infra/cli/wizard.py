"""Asks for an app by questions, one after another: nothing is written here."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any

import typer

from infra.cli.console import command, out, plain
from infra.cli.questions import QUESTIONS, Draft, WizardQuestion
from infra.errors import UserError
from infra.target import Target

_FILES = ("deploy_key_file", "signing_key_file", "slack_signing_secret_file")


def ask(target: Target) -> Draft:
    """Ask for an app: what to watch, where its source is, by which access, and who decides."""
    draft = Draft(target)
    out.print(
        plain(
            "Each answer is checked; nothing is written before the end. Tab completes, < goes back to the"
            " question before, Ctrl-C leaves.",
            "dim",
        ),
        soft_wrap=True,
    )
    at, asked = 0, list[int]()
    while at < len(QUESTIONS):
        if not QUESTIONS[at].when(draft):
            _drop(draft, QUESTIONS[at].field, {QUESTIONS[number].field for number in asked})
            at += 1
        elif _answer(draft, QUESTIONS[at]):
            asked.append(at)
            at += 1
        elif asked:
            at = asked.pop()
    return draft


def _drop(draft: Draft, field: str, answered: set[str]) -> None:
    """Of what is not asked any more since somebody went back, no answer stays."""
    if field not in answered:
        draft.entry.pop(field, None)


_BACK = "<"


def _answer(draft: Draft, question: WizardQuestion) -> bool:
    """Ask until the answer is one; whether it is, and not to go back."""
    while True:
        with _completing(draft, question):
            said = _said(draft, question)
        if said == _BACK:
            return False
        answer: Any = tuple(re.split(r"[\s,]+", said)) if question.many and said else said
        problem = question.check(draft, answer) if said else question.empty(draft)
        if not problem:
            break
        out.print(plain("✘ ", "bold red") + plain(command(problem)), soft_wrap=True)
    if question.field == "name":
        draft.name = said
    elif question.field == "token":
        draft.token = said
    else:
        kept: dict[str, Any] = draft.files if question.field in _FILES else draft.entry
        kept.pop(question.field, None)
        if said:
            kept[question.field] = list(answer) if question.many else answer
    return True


def _said(draft: Draft, question: WizardQuestion) -> str:
    """Raises UserError where nobody answers."""
    default = question.default(draft)
    try:
        said = typer.prompt(
            question.words(draft),
            default=default,
            hide_input=question.secret,
            show_default=not question.secret and bool(default),
        )
    except typer.Abort:
        give = "give its fields instead: selfheal configure NAME --log-group GROUP --repository URL"
        raise UserError("nobody answered, and nothing was written", give + draft.target.flag) from None
    return str(said).strip()


class _completing:  # noqa: N801 - read as a verb: with _completing(...)
    """Let Tab offer what a question has, where the terminal can."""

    def __init__(self, draft: Draft, question: WizardQuestion) -> None:
        self._draft, self._question = draft, question

    def __enter__(self) -> None:
        with suppress(ImportError):
            import readline

            readline.set_completer_delims(" ,")
            readline.parse_and_bind("tab: complete")
            readline.set_completer(self._complete)

    def __exit__(self, *_: object) -> None:
        with suppress(ImportError):
            import readline

            readline.set_completer(None)

    def _complete(self, text: str, number: int) -> str | None:
        if not self._question.offers:
            return None
        with suppress(Exception):  # a completion that fails is no completion
            return self._question.offers(self._draft, text)[number]
        return None
