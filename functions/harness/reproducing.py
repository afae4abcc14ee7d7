"""Reproducing an incident: with the tests that the patch brings, or with calls that are searched for."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from typing import Any

from functions.harness import answers, regression, reproduction, test_runs
from functions.harness.outcome import RunOutcome
from functions.harness.proof import Proof, Reproduction
from functions.harness.request import RunRequest, task_of
from functions.harness.test_runs import same_type

_SEARCH_SECONDS = 8.0
_WRITTEN = 3
"""Tests that are written from calls that were found, likeliest first, until one holds."""
_WRITTEN_OF_JOINED = 2

Steps = Generator[RunRequest, RunOutcome, None]


def reproduce(asked: Mapping[str, Any], own: frozenset[str], proof: Proof) -> Steps:
    if asked["tests"]:
        proof.reproduction = yield from _tested(asked, own, dict.fromkeys(asked["tests"]))
        yield from _bitten(asked, proof.reproduction)
        return
    proof.reproduction = yield from _searched(asked, own, skip=0)
    if proof.reproduction.reason and len(asked["incident"]["places"]) > 1:
        # When the patch leaves the innermost function failing, the cause may have been mended in its callers.
        outer = yield from _searched(asked, own, skip=1)
        if not outer.reason:
            proof.reproduction = outer


def _bitten(asked: Mapping[str, Any], shown: Reproduction) -> Steps:
    """See whether the test fails on a mutant of the patch; the first that it fails on is enough."""
    if not shown.verdict.names or not asked["mutants"]:
        return
    written = {path: text for path, text in shown.tests.items() if text is not None}
    for mutant in asked["mutants"]:
        added = {**written, **mutant}
        outcome = yield RunRequest("after", task_of(shown.tests), asked["seconds"], (), added)
        results = test_runs.read(outcome).results
        if any(results.get(name) != "passed" for name in shown.verdict.names):
            return
    shown.toothless = True


def _tested(
    asked: Mapping[str, Any], own: frozenset[str], tests: Mapping[str, str | None]
) -> Generator[RunRequest, RunOutcome, Reproduction]:
    """RunRequest tests on the tree before the patch, then on the patched one."""
    task = task_of(tests)
    given = tuple(path for path, text in tests.items() if text is None)
    found = {path: text for path, text in tests.items() if text is not None}
    fails: list[RunOutcome] = []
    passes: list[RunOutcome] = []
    old = RunRequest("before", task, asked["seconds"], given, found)
    new = RunRequest("after", task, asked["seconds"], (), found)
    # The runs before the patch come first: nothing that the patched code leaves can change them.
    for run, outcomes in ((old, fails), (new, passes)):
        for _ in range(asked["times"]):
            outcomes.append((yield run))
    was, now = ([test_runs.read(outcome) for outcome in outcomes] for outcomes in (fails, passes))
    verdict = reproduction.judge(asked["incident"], own, was, now, known=asked["known"])
    return Reproduction(tests, tuple(fails), tuple(passes), verdict)


def _searched(
    asked: Mapping[str, Any], own: frozenset[str], skip: int, written: int = _WRITTEN
) -> Generator[RunRequest, RunOutcome, Reproduction]:
    """Look for calls that fail as the incident did, see what they do now, and write a test of one."""
    incident = asked["incident"]
    if not incident["places"]:
        return Reproduction(reason="no frame of the traceback could be found in the repository")
    place = incident["places"][-1]
    searched = yield RunRequest("before", {**asked["search"], "skip": skip}, _SEARCH_SECONDS)
    lines = answers.lines_of(searched)
    found = [line for line in lines if "call" in line]
    if not found:
        problem = next((str(line["problem"]) for line in lines if "problem" in line), "")
        nothing = f"no input was found that raises {incident['type']} in {place['function']}"
        return Reproduction(reason=problem or nothing)
    found.sort(key=lambda line: not line["exact"])  # the sort is stable: likely inputs stay first
    probed = yield RunRequest("after", {"kind": "search", "probe": found}, _SEARCH_SECONDS)
    answered = answers.answered(found, probed)
    mended = [(call, answer) for call, answer in answered if _is_mended(incident["type"], answer)]
    if mended and asked["objection"]:
        return Reproduction(reason=f"no regression test may be added: {asked['objection']}")
    result = Reproduction(reason="the inputs that were found make the patched code fail in other ways")
    for call, answer in mended[:written]:
        code = regression.code_of(incident, asked["defined"], call, answer)
        tested = yield from _tested(asked, own, {asked["found"]: code})
        if tested.verdict.names:
            tested.found = found
            return tested
        # A test that was written here and does not hold says nothing about the patch.
        result = Reproduction(reason=f"no stable regression test was found ({tested.verdict.objection})")
    return result if mended else _refuted(asked, own, answered) or result


def _refuted(
    asked: Mapping[str, Any], own: frozenset[str], answered: Sequence[tuple[dict[str, Any], dict[str, Any]]]
) -> Reproduction | None:
    incident = asked["incident"]
    for call, answer in answered:
        raised = answer.get("raised", {})
        frames = [frame for frame in raised.get("frames", ()) if frame[0] in own]
        again = raised.get("type") in (incident["type"], "AssertionError") and not asked["by_callers"]
        again = again and bool(frames) and frames[-1][2] == incident["places"][-1]["function"]
        if again and call["exact"]:
            text = f"{call['call']} raises {raised.get('type')} after the patch too: {raised.get('message')}"
            return Reproduction(reason=text[:300], refuted=True)
    return None


def _is_mended(error_type: str, answer: Mapping[str, Any]) -> bool:
    """Whether a call that failed now gives a value, or another error that the code raises on purpose."""
    if "value" in answer:
        return True
    return bool(answer.get("deliberate")) and not same_type(error_type, answer["raised"]["type"])


def reproduce_joined(asked: Mapping[str, Any], own: frozenset[str], proof: Proof) -> Steps:
    """Reproduce each incident that joined: by the tests that there are, else by calls made for it.

    Each of `asked["joined"]`: `{"id", "incident", "skip", "shared", "found", "by_callers"}`, of which
    `incident`, `found` and `by_callers` are as for the incident itself, but for `incident["through"]`:
    `[path, line, function]` of the innermost frame that only this incident has, None where there is none.
    `skip`: how many functions it shares with the other one, from the innermost; `shared`: whether the patch
    changes one of these, so that the failing line itself shows whether the incident is mended.
    """
    for other in asked.get("joined", ()):
        proof.joined[other["id"]] = yield from _joined(asked, own, other, proof.reproduction)


def _joined(
    asked: Mapping[str, Any], own: frozenset[str], other: Mapping[str, Any], shown: Reproduction | None
) -> Generator[RunRequest, RunOutcome, Reproduction]:
    incident = other["incident"]
    search = {**asked["search"], **{key: incident[key] for key in ("type", "message", "places")}}
    its = {**asked, **other, "search": search, "objection": ""}
    if by_test := _by_tests(its, own, shown):
        return by_test
    found = yield from _searched(its, own, other["skip"], _WRITTEN_OF_JOINED)
    if not found.reason or found.refuted or not (incident["through"] and other["shared"]):
        return found
    # Its own way in cannot be called here. What fails is the line that both share, and that is what changes.
    direct = {**its, "incident": {**incident, "through": None}}
    return _by_tests(direct, own, shown) or (yield from _searched(direct, own, 0, _WRITTEN_OF_JOINED))


def _by_tests(
    asked: Mapping[str, Any], own: frozenset[str], shown: Reproduction | None
) -> Reproduction | None:
    """The tests that reproduced the other incident, if one of them is of this one, too."""
    if shown is None or not shown.verdict.names:
        return None
    was, now = ([test_runs.read(outcome) for outcome in outcomes] for outcomes in (shown.fails, shown.passes))
    verdict = reproduction.judge(asked["incident"], own, was, now, known=asked["known"])
    return Reproduction(shown.tests, shown.fails, shown.passes, verdict) if verdict.names else None
