"""What worked stays: calls that had a result, or were refused on purpose, end as before; nothing is added
beside the fix."""

from __future__ import annotations

import ast
import itertools
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from functions.core.source.syntax_tree import nodes_of
from functions.core.untrusted.redaction import redact
from functions.harness.names import is_test
from functions.harness.proof import Calls, Proof
from functions.validate_patch.candidate import Candidate, parsed
from functions.validate_patch.pieces import Piece, added
from functions.validate_patch.principles.bounded import bounded
from functions.validate_patch.principles.finding import Example, Finding, Principle, Severity
from functions.validate_patch.principles.fitting import Fitting
from functions.validate_patch.principles.results import is_nothing, value_of

_SHOWN = 5


def judge(candidate: Candidate, proof: Proof) -> Iterator[Finding]:
    """What is bounded now, and what the made-up calls show."""
    yield from bounded(candidate)
    calls = proof.calls
    if calls is None:
        return
    fitting = Fitting(candidate)
    differing = [
        pair for pair in calls.differing if fitting.allows(pair[0]["call"]) and not _blank(calls, *pair)
    ]
    for now, was in differing[:_SHOWN]:
        # A result for nothing that becomes a result for what is missing may be meant; so may what is logged.
        empty = is_nothing(value_of(str(was.get("shown"))))
        kind = Severity.QUESTION if empty or _same_but_logs(now, was) else Severity.REFUSE
        yield Finding(kind, _differs(now, was), calls=(redact(str(now["call"])),))
    yield from list(_let_through(calls, fitting))[:1]
    yield from list(_said_otherwise(candidate))[:1]
    yield from list(_changed_inputs(calls))[:1]
    if calls.whole:
        yield from _never_run(candidate, calls)


def _blank(calls: Calls, now: Mapping[str, Any], was: Mapping[str, Any]) -> bool:
    """Whether a call was given an empty text, gave nothing, and now ends as the one that is given None: an
    empty text is often what stands for a missing one, and another principle judges what that gives."""
    call = str(now["call"])
    if '""' not in call or not is_nothing(value_of(str(was.get("shown")))):
        return False
    of_none = {call.replace('""', "None"), call.replace('""', "None", 1)}
    mended = {str(was["call"]): answer.get("shown") for was, answer in calls.mended}
    return any(mended.get(other, "") == now.get("shown") for other in of_none)


def _same_but_logs(now: Mapping[str, Any], was: Mapping[str, Any]) -> bool:
    return all(now.get(part) == was.get(part) for part in ("shown", "long", "left"))


def _differs(now: Mapping[str, Any], was: Mapping[str, Any]) -> str:
    if _same_but_logs(now, was):
        logged = (", ".join(answer.get("logged", ())) or "nothing" for answer in (was, now))
        return redact("{} logs {} before the patch and {} after it".format(now["call"], *logged)[:300])
    if now.get("shown") == was.get("shown"):
        told = (
            f"{now['call']} leaves its arguments as {was.get('left') or 'they were'} before the patch and as"
        )
        return redact(f"{told} {now.get('left') or 'they were'} after it"[:300])
    old, new = (str(answer["shown"] or "another long result") for answer in (was, now))
    text = f"{now['call']} was {old} before the patch and is {new} after it"
    return redact(text[:300]) + ": the fix must not change what worked"


def _let_through(calls: Calls, fitting: Fitting) -> Iterator[Finding]:
    """Calls that were refused on purpose, and now get a result."""
    for now, was in calls.refused:
        if "value" in now and fitting.allows(now["call"]):
            raised = f"{was['raised']['type']}: {was['raised']['message']}"
            text = (
                f"{was['call']} was refused before the patch ({raised}) and gives {now.get('shown')} after it"
            )
            yield Finding(Severity.REFUSE, redact(text[:300]), calls=(redact(str(was["call"])),))


def _said_otherwise(candidate: Candidate) -> Iterator[Finding]:
    """Errors that the code raised already, and now in other words: these may tell what nobody was told."""
    for change in candidate.python_changes:
        old, new = (parsed(tree, change.path) for tree in (candidate.before, candidate.after))
        if old is None or new is None or is_test(change.path):
            continue
        was, now = (Counter(_raised(tree)) for tree in (old, new))
        gone, come = was - now, now - was
        for before, after in itertools.product(gone, come):
            if before.partition("(")[0] == after.partition("(")[0]:
                text = f"`raise {before}` becomes `raise {after}`: it may tell what nobody was told"
                yield Finding(Severity.QUESTION, redact(text[:300]), change.path)


def _raised(module: ast.Module) -> Iterator[str]:
    calls = (node.exc for node in nodes_of(module) if isinstance(node, ast.Raise))
    yield from (ast.unparse(call) for call in calls if isinstance(call, ast.Call))


def _changed_inputs(calls: Calls) -> Iterator[Finding]:
    """Calls that failed, and now change what they are given, which calls that worked do not."""
    if not calls.worked or any(was.get("left") for _, was in calls.worked):
        return
    for call, now in calls.mended:
        of_an_object = ")." in str(call["call"])  # whose methods may change it
        if now.get("left") and "value" in now and not of_an_object:
            text = f"{call['call']} changes what it is given, to {now['left']}; calls that worked do not"
            yield Finding(Severity.QUESTION, redact(text[:300]), calls=(redact(str(call["call"])),))


def _never_run(candidate: Candidate, calls: Calls) -> Iterator[Finding]:
    """What is added, and no test and no call runs."""
    pieces = added(candidate)
    for number in sorted(calls.left)[:_SHOWN]:
        piece = pieces[number] if 0 <= number < len(pieces) else None
        if piece is not None and not piece.only_raises:
            text = f"`{redact(piece.text)}` is added, but neither a test nor a call that was made up runs it"
            yield Finding(Severity.QUESTION, text, _where(piece))


def _where(piece: Piece) -> str:
    return f"{piece.path}:{piece.span[0]}"


_LABEL = 'def label(number):\n    return "N" + number\n'
_EXAMPLES = (
    Example(
        _LABEL,
        'def label(number):\n    return f"N{number}"\n',
        'TypeError: can only concatenate str (not "int") to str',
        {"label(1)": '"N1"'},
        {'label("1")': ('"N1"', '"N1"')},
    ),
    Example(
        _LABEL,
        'def label(number):\n    return f"N-{number}"\n',
        'TypeError: can only concatenate str (not "int") to str',
        {"label(1)": '"N-1"'},
        {'label("1")': ('"N1"', '"N-1"')},
        Severity.REFUSE,
    ),
)

WHAT_WORKED_STAYS = Principle(
    "worked_stays",
    "Calls that had a result, and calls that were refused on purpose, end as before the patch.",
    judge,
    _EXAMPLES,
)
