"""What is run, in which order, and what follows from it: one generator for the driver and for the judge.

The driver sends it what really happened. The judge, where no code of strangers runs, sends it what the
driver's report says: so whatever a report claims, each conclusion is drawn from raw outcomes by code that is
trusted, and a report that leaves a run out, or tells one too many, is not believed.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Generator, Iterable, Mapping, Sequence
from typing import Any

from functions.harness import answers, history
from functions.harness.names import is_test
from functions.harness.outcome import RunOutcome
from functions.harness.proof import Calls, Nonsense, NotBelieved, Proof, Reproduction
from functions.harness.reproducing import Steps, reproduce, reproduce_joined
from functions.harness.request import OPTIONS, RunRequest
from functions.harness.test_runs import same_type

_TRACED_SECONDS = 60.0
_CALLS_SECONDS = 6.0
_DIFFERING = 5
USAGE_ERROR = 4
"""pytest.ExitCode.USAGE_ERROR"""


def names_in(files: Iterable[str]) -> frozenset[str]:
    """The repository's own Python files that are no tests, of a tree's paths."""
    return frozenset(path for path in files if path.endswith(".py") and not is_test(path))


def experiment(
    asked: Mapping[str, Any], own: frozenset[str], proof: Proof | None = None, *, pytest: bool = True
) -> Steps:
    """Yields runs, is sent their outcomes, and fills `proof`.

    own: see `names_in`, of the tree as fetched. pytest: whether the interpreter can import it.

    asked:
        `incident`: `{"type", "message", "places": [{"path", "function", "line", "code"}]}`, innermost last
        `tests`: regression tests that the patch brings
        `times`: runs of a regression test on each tree, and `seconds` that each may take
        `search`: a task for `search/explore.py`, run where the patch brings no test
        `found`: where a test that is found goes, and `objection`: why it may not, or ""
        `known`: test file of the patch → names of tests in it that are as fetched: what fails alike on both
            trees there is not the patch's fault
        `mutants`: patched files with the value of the patch taken away: `[{path: text}]`; a regression test
            that passes on all of them proves nothing
        `by_callers`: whether the patch leaves the failing function and changes a caller of it
        `suite`: None, or `{"task", "plain", "seconds", "left_out", "fetched"}`: the repository's tests, on
            the patched tree without those that the patch adds (`left_out`) and with those that it changes as
            they were (`fetched`); `plain` is run instead when pytest does not know the options of `task`. A
            command has `broken` besides, `{path: text}`: where it succeeds on both trees, it is run once more
            with these files broken, which it should notice
        `defined`: module of the repository's own → what it defines at its top level
        `survey`: as `search`, for the functions as the patch leaves them
        `changed`: as `search`, for other functions that the patch changes, or that use what it changes
        `pieces`: `[path, range]` of what the patch adds, see `tracer.py`
        `others`: tests of the changed modules
        `joined`: the incidents that are healed with this one, see `reproducing.reproduce_joined`; in orders
            of before there were any it is left out
        `gone`: left out, or, where the trees are of a later commit than the one at which the incident was
            reproduced, `{"names", "history"}`: what reproduced it there, and what happened since, oldest
            first: `{path: text before that commit, None where there was no such file}`
    """
    proof = Proof() if proof is None else proof
    steps = _steps(asked, own, proof, pytest)
    run = next(steps, None)
    while run is not None:
        outcome = yield run
        proof.ran.append((run.tree, outcome))
        try:
            run = steps.send(outcome)
        except StopIteration:
            return


def _steps(asked: Mapping[str, Any], own: frozenset[str], proof: Proof, pytest: bool) -> Steps:
    if pytest:
        yield from reproduce(asked, own, proof)
        if asked.get("gone") and proof.reproduction is not None:
            proof.fixed_by = yield from history.fixed_by(asked, proof.reproduction)
            if proof.fixed_by is not None:
                return
        yield from reproduce_joined(asked, own, proof)
    suite = asked["suite"]
    if suite is not None and (pytest or suite["task"]["kind"] == "command"):
        yield from _suite(suite, proof)
    if proof.reproduction is not None and proof.reproduction.verdict.names:
        yield from _calls(asked, proof, proof.reproduction)


def replay(
    asked: Mapping[str, Any],
    own: frozenset[str],
    outcomes: Sequence[RunOutcome],
    *,
    pytest: bool,
    cut: bool,
) -> Proof:
    """Draw the conclusions again from recorded outcomes. cut: the report says that its time was up.

    Raises NotBelieved.
    """
    proof = Proof()
    steps = experiment(asked, own, proof, pytest=pytest)
    left = iter(outcomes)
    try:
        run = next(steps, None)
        while run is not None:
            outcome = next(left, None)
            if outcome is None:
                if cut:
                    return proof
                raise NotBelieved("the report leaves out a run that was asked for")
            try:
                run = steps.send(outcome)
            except StopIteration:
                run = None
    except Nonsense as error:
        raise NotBelieved("a run's report is not what the harness writes") from error
    if next(left, None) is not None:
        raise NotBelieved("the report tells of a run that nobody asked for")
    return proof


def _suite(suite: Mapping[str, Any], proof: Proof) -> Steps:
    task, plain = suite["task"], False
    before = yield RunRequest("before", task, suite["seconds"])
    if suite["plain"] and before.exit_code == USAGE_ERROR:
        task, plain = suite["plain"], True
        before = yield RunRequest("before", task, suite["seconds"])
    # Tests that the patch adds speak for themselves only: beside others they could speak for these.
    left_out, fetched = tuple(suite["left_out"]), tuple(suite["fetched"])
    after = yield RunRequest("after", task, suite["seconds"], fetched, left_out=left_out)
    proof.suite, proof.plain = (before, after), plain
    if suite.get("broken") and before.exit_code == after.exit_code == 0:
        proof.broken = yield RunRequest("after", task, suite["seconds"], fetched, suite["broken"], left_out)


def _calls(asked: Mapping[str, Any], proof: Proof, shown: Reproduction) -> Steps:
    """Make calls up from the code as fetched and from the patched code, and make each on both trees."""
    pieces = asked["pieces"]
    added = {path: text for path, text in shown.tests.items() if text is not None}

    # The same tests have no longer here than in the repository's suite: what hangs there hangs here.
    seconds = min(_TRACED_SECONDS, asked["suite"]["seconds"] if asked["suite"] else _TRACED_SECONDS)

    def traced(paths: Sequence[str]) -> RunRequest:
        task = {"kind": "pytest", "args": [*OPTIONS, "--tb=no", "-o", "addopts=", *paths], "trace": pieces}
        return RunRequest("after", task, seconds, (), added)

    tested = yield traced(tuple(shown.tests))
    surveyed = yield RunRequest("before", {**asked["search"], **_SURVEY}, _CALLS_SECONDS)
    now = yield RunRequest("after", {**asked["survey"], **_SURVEY}, _CALLS_SECONDS)
    lines = answers.surveyed(now)
    beside: list[dict[str, Any]] = []
    if asked["changed"]["places"]:
        beside = answers.surveyed(
            (yield RunRequest("after", {**asked["changed"], **_SURVEY}, _CALLS_SECONDS))
        )
        lines = [*beside, *lines]
    calls = [call for call in lines if "value" in call]
    old = answers.surveyed(surveyed)
    failed = _failing(shown.found, old)
    refusing = [call for call in old if call.get("deliberate") and not call.get("likeness")][:_MOST_REFUSED]
    # What the code as fetched gave for a call in its own survey is not asked again: most are in both.
    known = {_key(line): line for line in reversed(old)}
    unknown = [call for call in calls if _key(call) not in known]
    was = yield _probe("before", unknown, [])
    known.update((_key(call), answer) for call, answer in answers.answered(unknown, was))
    both = [(call, known[_key(call)]) for call in calls if _key(call) in known]
    worked = [pair for pair in both if "value" in pair[1]]
    elsewhere = {str(line.get("call")) for line in beside}
    admitted = [
        (now, was)
        for now, was in both
        if now["call"] in elsewhere and _refused_for_another_reason(asked["incident"], was)
    ]
    called = yield _probe("after", [call for call, _ in worked], pieces)
    mended = yield _probe("after", failed, pieces)
    refused = yield _probe("after", refusing, pieces)
    left = answers.pieces(tested, "executable")
    for outcome in (tested, called, mended, refused):
        left -= answers.pieces(outcome, "executed")
    others = [path for path in asked["others"] if path not in shown.tests]
    if left and others:
        left -= answers.pieces((yield traced(others)), "executed")
    differing = yield from _differing(worked)
    # What was stopped, or ended itself, does not say what it would have executed.
    whole = all(answers.ended(outcome) for outcome in (tested, called, mended))
    proof.calls = Calls(
        worked,
        answers.answered(failed, mended),
        [*admitted, *((now, was) for was, now in answers.answered(refusing, refused))],
        differing,
        frozenset(left),
        whole,
        all(map(answers.ended, (surveyed, now, was, refused))),
    )


def _key(call: Mapping[str, Any]) -> str:
    """What two calls that are the same share."""
    return json.dumps([call["call"], call["imports"]])


def _refused_for_another_reason(incident: Mapping[str, Any], answer: Mapping[str, Any]) -> bool:
    """Whether the code as fetched refuses a call on purpose, and not as the incident has it."""
    return bool(answer.get("deliberate")) and not same_type(incident["type"], answer["raised"]["type"])


_MOST_FAILING, _MOST_ALIKE, _MOST_REFUSED = 120, 20, 60


def _failing(found: Sequence[Mapping[str, Any]], surveyed: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Calls that failed as the incident did, those that are it exactly first, each once."""
    known: dict[str, dict[str, Any]] = {}
    for call in (*(line for line in surveyed if line.get("likeness")), *found):
        known.setdefault(str(call["call"]), dict(call))
    exact = [call for call in known.values() if call.get("exact")]
    alike = [call for call in known.values() if not call.get("exact")]
    return [*exact[:_MOST_FAILING], *alike[:_MOST_ALIKE]]


_SURVEY = {"survey": True, "calls": 600}


def _differing(
    worked: Sequence[tuple[dict[str, Any], dict[str, Any]]],
) -> Generator[RunRequest, RunOutcome, list[tuple[dict[str, Any], dict[str, Any]]]]:
    """The calls that now have another result than before.

    What differs is called again, twice on each tree: only what is the same each time counts.
    """
    different = [pair for pair in worked if not _same(*pair)][:_DIFFERING]
    if not different:
        return []
    again = list(itertools.chain.from_iterable((call, call) for call, _ in different))
    old = _shown(again, (yield _probe("before", again, [])))
    new = _shown(again, (yield _probe("after", again, [])))
    return [
        (call, was)
        for number, (call, was) in enumerate(different)
        if old[2 * number : 2 * number + 2] == [_ended(was)] * 2
        and new[2 * number : 2 * number + 2] == [_ended(call)] * 2
    ]


def _same(now: Mapping[str, Any], was: Mapping[str, Any]) -> bool:
    shown = answers.equal(was["shown"], now["shown"]) and was.get("long") == now.get("long")
    return shown and _ended(was)[2:] == _ended(now)[2:]


def _shown(calls: Sequence[dict[str, Any]], outcome: RunOutcome) -> list[Any]:
    """What each call gave, and left of its arguments; None where it gave nothing."""
    found: list[Any] = [None] * len(calls)
    for number, answer in answers.numbered(calls, outcome).items():
        found[number] = _ended(answer)
    return found


def _ended(answer: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(answer.get(part) for part in ("shown", "long", "left", "logged"))


def _probe(tree: str, calls: Sequence[Mapping[str, Any]], trace: Sequence[Any]) -> RunRequest:
    told = [{"call": call["call"], "imports": call["imports"]} for call in calls]
    return RunRequest(tree, {"kind": "search", "probe": told, "trace": trace}, _CALLS_SECONDS)
