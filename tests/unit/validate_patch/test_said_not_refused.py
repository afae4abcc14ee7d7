"""What a fix may newly do if it is said beside the buttons, and what looks like it and is refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from functions.core.workflow.proposal import Proposal
from functions.core.workflow.validation_context import ValidationContext
from functions.validate_patch import settings
from functions.validate_patch.capabilities import findings
from functions.validate_patch.tree import File
from functions.validate_patch.validate import examine

AGE = """import datetime as dt
import hmac
import string
import time


def age(born, today=None):
    if born is None:
        raise ValueError("no date")
    return today.year - born.year


def fresh(until, now=None):
    if until < now:
        raise PermissionError("too old")
    return until.year


def may(until, now=None):
    return until > now


def fill(template, fields):
    return template.format(**fields)


def started(event):
    return dt.datetime.fromisoformat(event["time"])


LIMIT = dt.timedelta(hours=6)


def overdue(event, now):
    return now - started(event) > LIMIT


def signature(body, key):
    return hmac.new(key, body, "sha256").hexdigest()


def signed(body, key, given):
    return hmac.compare_digest(signature(body, key), given)
"""
YEAR = "    return today.year - born.year"
STARTED = '    return dt.datetime.fromisoformat(event["time"])'
FORMAT = "    return template.format(**fields)"
Said = tuple[str, ...]
Read = Callable[..., tuple[Said, Said]]


@pytest.fixture
def read(facts_of: Callable[..., ValidationContext], propose: Callable[..., Proposal]) -> Read:
    """Findings of the gate and warnings, for one edit of the file and a function that failed on a line."""

    def run(old: str, new: str, function: str = "age", line: str = YEAR) -> tuple[Said, Said]:
        number = AGE.split("\n").index(line) + 1
        context = facts_of("TypeError", ("m.py", number, function, line.strip()))
        candidate = examine({"m.py": File(AGE.encode())}, propose(("m.py", old, new)), context).candidate
        return findings(candidate), settings.warnings(candidate, {})

    return run


@pytest.mark.parametrize(
    "filled",
    [
        "    today = today or dt.date.today()\n",
        "    today = today if today else dt.date.today()\n",
        "    today = dt.date.today() if today is None else today\n",
        "    if today is None:\n        today = dt.datetime.now(dt.timezone.utc).date()\n",
        "    if not today:\n        today = dt.date.today()\n",
    ],
)
def test_the_present_time_in_place_of_a_missing_one_is_said(read: Read, filled: str) -> None:
    found, said = read(YEAR, filled + YEAR)
    assert found == ()
    assert [text for text in said if "depend on when it runs: today is the present time" in text]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (YEAR, f"    today = today or dt.date.today()\n    if today.year > 2027:\n        return 0\n{YEAR}"),
        (YEAR, f"    today = today or dt.date.today()\n{YEAR} + (today.year > 2027)"),
        (YEAR, f"    today = dt.date.today()\n{YEAR}"),
        (YEAR, f"    now = dt.date.today()\n{YEAR}"),
        (YEAR, f"    if dt.date.today().year > 2027:\n        return 0\n{YEAR}"),
        (YEAR, f"    today = today or [None, dt.date.today()][born.year > 2000]\n{YEAR}"),
        (YEAR, f"    today = today or dt.date.today(); born = time.time() and born\n{YEAR}"),
        ("    if until < now:", "    now = now or dt.date.today()\n    if until < now:"),
        ("    if until < now:", "    until = until or dt.date.today()\n    if until < now:"),
        ("    return until > now", "    until = until or dt.date.today()\n    return until > now"),
    ],
)
def test_time_that_decides_is_refused(read: Read, old: str, new: str) -> None:
    assert any(text.startswith("input: ") for text in read(old, new)[0])


def test_splitting_a_format_reaches_nothing(read: Read) -> None:
    names = "    names = [n for _, n, _, _ in string.Formatter().parse(template) if n]\n"
    assert read(FORMAT, f'{names}    return template.format(**dict.fromkeys(names, ""), **fields)')[0] == ()


@pytest.mark.parametrize(
    "text",
    [
        "    return string.Formatter().vformat(template, (), fields)",
        "    f = string.Formatter()\n    f.parse(template)\n    return f.get_field(template, (), fields)",
        "    return string.Formatter.parse and string.Formatter().format(template)",
        "    from string import Formatter as F\n    return F().format(template, **fields)",
    ],
)
def test_filling_a_format_in_by_name_is_refused(read: Read, text: str) -> None:
    assert any("string.Formatter" in found for found in read(FORMAT, text)[0])


ADDED = """    found = dt.datetime.fromisoformat(event["time"])
    return found if found.tzinfo else found.replace(tzinfo=dt.timezone.utc)"""
FAILED = ("overdue", "    return now - started(event) > LIMIT")


def test_what_a_failing_check_compares_may_be_added_to_and_it_is_said(read: Read) -> None:
    found, said = read(STARTED, ADDED, *FAILED)
    assert found == ()
    assert [text for text in said if "changes what started gives, and with it what the check overdue" in text]


@pytest.mark.parametrize(
    ("old", "new", "failed"),
    [
        (STARTED, ADDED, ("age", YEAR)),
        (STARTED, "    return dt.datetime.max", FAILED),
        (STARTED, STARTED.replace('"time"', '"until"'), FAILED),
        ("LIMIT = dt.timedelta(hours=6)", "LIMIT = dt.timedelta(days=6)", FAILED),
        (
            '    return hmac.new(key, body, "sha256").hexdigest()',
            '    return hmac.new(key, body, "md5").hexdigest()',
            ("signed", "    return hmac.compare_digest(signature(body, key), given)"),
        ),
    ],
)
def test_what_a_check_rests_on_does_not_change_otherwise(
    read: Read, old: str, new: str, failed: tuple[str, str]
) -> None:
    assert any(text.startswith("check: ") for text in read(old, new, *failed)[0])
