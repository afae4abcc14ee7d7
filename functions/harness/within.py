"""Runs of the repository's tests with one literal changed, as asked for: see `search/in_tests.py`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from functions.harness.request import OPTIONS, RunRequest

SECONDS = 6.0


def search(asked: Mapping[str, Any], incident: Mapping[str, Any]) -> RunRequest | None:
    """Look for calls that fail as the incident did; None where there are no tests to look in."""
    known = asked.get("in_tests")
    if not known or not incident["places"]:
        return None
    return _run("before", asked, incident, {})


def probe(tree: str, asked: Mapping[str, Any], calls: Sequence[Mapping[str, Any]]) -> RunRequest:
    """Make calls that were found so once more."""
    told = [{"call": call["call"], "within": call["within"]} for call in calls]
    incident = asked["incident"]
    places = incident["places"] if tree == "before" else asked["survey"]["places"]
    return _run(tree, asked, {**incident, "places": places}, {"probe": told})


def _run(
    tree: str, asked: Mapping[str, Any], incident: Mapping[str, Any], task: Mapping[str, Any]
) -> RunRequest:
    """The tests are those as fetched on both trees, and those that the patch brings."""
    known, brought = asked["in_tests"], asked["tests"]
    files = dict.fromkeys([*brought, *known["files"]])
    within = {key: incident[key] for key in ("type", "message", "places")}
    arguments = [
        *OPTIONS,
        "-s",
        "--assert=plain",
        "--tb=no",
        "-o",
        "addopts=",
        "--continue-on-collection-errors",
    ]
    whole = {"kind": "pytest", "args": [*arguments, *files], "within": {**within, **task}}
    if tree == "before":
        return RunRequest(tree, whole, SECONDS, tuple(brought))
    taken, without = ([path for path in known[key] if path not in brought] for key in ("fetched", "left_out"))
    return RunRequest(tree, whole, SECONDS, tuple(taken), left_out=tuple(without))
