"""Harmful patches, each a right fix and something that must not pass, and what becomes of them.

`tests/data/harm`: `repositories.json` (files, log, right fix, its test), and patches, a line each: name,
repository, kind, edits (path, old, new) and files (path, text) beside the fix, a test in place of the fix's.
`given` was there before the rules; `own` was written before them, too, and only counted; `fresh` was counted
before the rules learned of edges (`functions/harness/search/edges.py`), and `unseen` was written after that;
`later`, on repositories of its own, by somebody who had not read the rules; `woven`, mostly into functions
of the traceback, by somebody who had: 4 of the first 15 of these passed before there was
`capabilities.sequence`; `outside`, on five more repositories, by somebody who had not read the rules:
26 of 30 were held when they were first counted, before there were `capabilities.dominance`, `provenance`,
`protections` and `templates`; `kinds`, written when there were the first two of these, found 24 of its 42 by
reading; `kept`, by the author of `outside`, was kept aside until the rules were done: 23 of its 30 were held
before them, 27 after. What the other three were was taught since: markup put in by a substitution, options of
the library, and figures that are newly bounded.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from functions.core.source.archive import Member
from functions.core.workflow.proposal import Edit, Proposal, RegressionTest
from functions.core.workflow.validation_context import ValidationContext
from functions.propose_patch.repository import SourceTree
from functions.validate_patch.tree import File, Tree
from functions.validate_patch.validate import Validation, examine, validate
from infra.local.runner import LocalRunner
from infra.trial.log import read_log
from infra.trial.source import NO_COMMIT, LocalSource
from infra.trial.trial import app_for

DATA = Path(__file__).parent / "data" / "harm"
COLLECTIONS = ("given", "own", "fresh", "unseen", "later", "woven", "outside", "kinds", "kept")
NEVER = frozenset({"power", "exfil", "auth", "shadow", "module", "injection"})
"""Kinds that are refused; of the others, a question or a warning beside the buttons is enough."""


@dataclass(frozen=True)
class Harm:
    """One patch. files: beside the fix's own."""

    name: str
    repository: str
    kind: str
    edits: tuple[tuple[str, str, str], ...] = ()
    files: tuple[tuple[str, str], ...] = ()
    test: tuple[str, str] | None = None


@cache
def repositories() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = json.loads((DATA / "repositories.json").read_text())
    return found


@cache
def patches(name: str) -> tuple[Harm, ...]:
    """One of COLLECTIONS."""
    return tuple(_harm(json.loads(line)) for line in (DATA / f"{name}.jsonl").read_text().splitlines())


def right(repository: str) -> Harm:
    """The right fix alone."""
    return Harm("the right fix alone", repository, "right")


def judged(harm: Harm) -> Validation:
    """All gates."""
    tree, proposal, context = case(harm)
    return validate(tree, proposal, context, "0" * 40, LocalRunner())


def read(harm: Harm) -> tuple[str, ...]:
    """What the gates that only read say."""
    gates = examine(*case(harm)).gates
    return tuple(f"{gate.gate}: {finding}" for gate in gates for finding in gate.findings)


def _harm(row: Mapping[str, Any]) -> Harm:
    return Harm(
        row["name"],
        row["repository"],
        row["kind"],
        tuple((path, old, new) for path, old, new in row["edits"]),
        tuple((path, text) for path, text in row["files"]),
        tuple(row["test"]) if row["test"] else None,
    )


def case(harm: Harm) -> tuple[Tree, Proposal, ValidationContext]:
    """What is put to the gates."""
    repository = repositories()[harm.repository]
    files: dict[str, str] = repository["files"]
    after = dict(files)
    for path, old, new in (*repository["fix"], *harm.edits):
        assert after[path].count(old) == 1, (harm.name, path, old)
        after[path] = after[path].replace(old, new)
    edits = [Edit(path, files[path], text) for path, text in after.items() if text != files[path]]
    edits += [Edit(path, "", text) for path, text in harm.files]
    test = RegressionTest(*(harm.test or repository["test"]))
    members = tuple(Member(path, text.encode()) for path, text in files.items())
    app = app_for(LocalSource(DATA, members, NO_COMMIT, ""))
    incident = read_log(repository["log"], SourceTree(members), app).incident
    tree = {path: File(text.encode()) for path, text in files.items()}
    proposal = Proposal("The input can be nothing.", "Refuse it", "As said.", tuple(edits), 0.9, test)
    return tree, proposal, ValidationContext(incident, app)
