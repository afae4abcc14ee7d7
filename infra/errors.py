"""What the command says when something is wrong: what happened, and what to do next. Never a stack trace."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """How every command ends: one table for all of them, which `selfheal --help` and the manual print."""

    DONE = 0
    NO = 1
    USAGE = 2
    BROKEN = 3
    INTERRUPTED = 130

    @property
    def meaning(self) -> str:
        return _MEANINGS[self]


_MEANINGS = {
    Exit.DONE: "done; of `try`: accepted; of `doctor`: nothing found",
    Exit.NO: "not as things are: refused, rejected, abstained, faults found, or some of several not done",
    Exit.USAGE: "not understood: an option, or an app, incident or status that does not exist",
    Exit.BROKEN: "not tried: AWS, the stack, the embedded run or this command itself failed",
    Exit.INTERRUPTED: "interrupted",
}


def why(error: Exception) -> str:
    """What an error says; an OSError's reason without its number and file, which are said beside it."""
    return getattr(error, "strerror", None) or str(error)


class UserError(Exception):
    """A problem that the user can act on. `exit_code` is one of `Exit`."""

    def __init__(self, what: str, next_step: str = "", *, exit_code: int = Exit.NO) -> None:
        super().__init__(what)
        self.what = what
        self.next_step = next_step
        self.exit_code = exit_code
