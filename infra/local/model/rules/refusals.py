"""Crashes whose cause lies outside the code, or whose repair is a decision: explained, not repaired."""

from __future__ import annotations

from collections.abc import Iterator

from infra.local.model.rule import Crash, Refusal, Repair, Rule


class OutsideTheCode(Rule):
    crash_class = "cause outside the code"
    errors = (
        "ModuleNotFoundError",
        "ImportError",
        "RecursionError",
        "MemoryError",
        "PermissionError",
        "FileNotFoundError",
        "ConnectionError",
        "ConnectionRefusedError",
        "TimeoutError",
        "UnicodeDecodeError",
        "AssertionError",
        "ClientError",
        "EndpointConnectionError",
        "OperationalError",
    )
    precondition = "none: these are never repaired by this rule"

    def candidates(self, crash: Crash) -> Iterator[Repair | Refusal]:
        name = crash.error
        if name in {"ModuleNotFoundError", "ImportError"}:
            yield Refusal(
                "dependency",
                f"{crash.where}: {crash.message}. A package or a name of it is not there at run time.",
                "Check the deployed package and its pinned versions; add or correct the dependency.",
            )
        elif name == "RecursionError":
            yield Refusal(
                "not_enough_context",
                f"`{crash.function_name}` calls itself without end; which case should stop it is a decision.",
                "Find the input that never reaches a base case, and decide what the answer for it is.",
            )
        elif name in {"UnicodeDecodeError", "AssertionError"}:
            yield Refusal(
                "data",
                f"{crash.where}: {name}: {crash.message}. The input breaks an assumption of the code.",
                "Look at the input, and decide whether it or the assumption is wrong.",
            )
        else:
            yield Refusal(
                "infrastructure",
                f"{crash.where}: {name}: {crash.message}. Something that the code depends on did not "
                "answer as expected.",
                "Check the resource, its address and its permissions.",
            )
