"""What a check is, and how checks are run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from functions.core.workflow.errors import SelfHealError

Seen = TypeVar("Seen")


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong, and the command (or, where there is none, the deed) that mends it."""

    detail: str
    mend: str


class Moot(Exception):
    """Raised by a check that has nothing to look at: the entry names no such thing, or another check says
    why it is missing. Nothing is then said of it, as it neither holds nor fails."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What came of one check. detail, mend: "" where it passed; app: "" where it is of the deployment."""

    check: str
    passed: bool
    detail: str = ""
    mend: str = ""
    app: str = ""


Check = Callable[[Seen], Fault | None]
"""Its name says what is to hold, its docstring what that means or why."""


def examine(checks: Sequence[Check[Seen]], seen: Seen) -> Iterator[CheckResult]:
    """Run each check. One that may not look says so, and is no reason to give up the others."""
    for check in checks:
        name = check.__name__.replace("_", " ")
        try:
            fault = check(seen)
        except Moot:
            continue
        except ClientError as error:
            code = error.response["Error"]["Code"]
            yield CheckResult(
                name,
                False,
                f"could not look whether {name}: {code} at {error.operation_name}",
                "selfheal policy operator",
            )
        except (BotoCoreError, SelfHealError) as error:
            aws = "check AWS_PROFILE and AWS_REGION, sign in, and ask again"
            mend = aws if isinstance(error, BotoCoreError) else "mend what it says, and ask again"
            yield CheckResult(name, False, f"could not look whether {name}: {error}", mend)
        else:
            yield CheckResult(name, not fault, fault.detail if fault else "", fault.mend if fault else "")
