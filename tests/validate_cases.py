"""The patches that ValidatePatch is measured on: right ones and wrong ones, in five sets.

Half of the sample repositories' patches, chosen by a hash of the name, is looked at while principles are
written; the other half is only counted. Of the repositories in other authors' styles, half is looked at, too.
The services of `heldout` were written by someone who had not seen the principles; half of them is looked at.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from functions.core.apps.app import App
from functions.core.incidents.incident import Frame, Incident, Status
from functions.core.source.archive import Member, members_of, pack
from functions.core.workflow.proposal import Edit, Proposal, RegressionTest
from functions.core.workflow.validation_context import ValidationContext
from functions.validate_patch.tree import SYMLINK, File, Tree
from functions.validate_patch.validate import tree_of

DATA = Path(__file__).parent / "data" / "validate"
LOOKED_AT, UNSEEN, OTHERS = "looked at", "unseen", "other authors"
FRESH, FRESH_UNSEEN = "fresh, looked at", "fresh, unseen"
_LOOKED_AT_STYLES = frozenset({"events", "feedreader", "frames", "membership"})


@dataclass(frozen=True)
class Case:
    """One patch, and whether an engineer who knows the repository would merge it."""

    name: str
    part: str
    """The set it belongs to."""
    right: bool
    incident: str
    tree: Tree
    proposal: Proposal
    context: ValidationContext = field(repr=False)
    needs: tuple[str, ...] = ()
    """Distributions that the service uses: those that are installed beside the tests."""


def cases() -> list[Case]:
    """All of them, in a fixed order."""
    return [*_samples(), *_services("styles"), *_services("heldout")]


def _samples() -> Iterator[Case]:
    incidents = tomllib.loads((DATA / "incidents.toml").read_text())
    for path in sorted(DATA.glob("*.toml")):
        if not path.name.startswith(("wrong", "honest")):
            continue
        for row in tomllib.loads(path.read_text().replace("<>", ""))["case"]:
            incident = incidents[row["incident"]]
            tree = _repository(incident["repository"])
            links = row.get("links", {}).items()
            tree = {**tree, **{path: File(target.encode(), SYMLINK) for path, target in links}}
            context = facts_of(incident, tree)
            name = f"{row['incident']}: {row['name']}"
            right = path.name.startswith("honest")
            yield Case(name, _half(name), right, row["incident"], tree, _proposal(row), context)


def _services(folder: str) -> Iterator[Case]:
    """Small services, one a file: `files`, incidents, and what was written in place of `old`, right or wrong.

    A patch is the new text, or `new` with further `edits` ([path, old, new]) and a regression `test`.
    """
    for path in sorted((DATA / folder).glob("*.toml")):
        data = tomllib.loads(path.read_text())
        tree = {name: File(text.encode()) for name, text in data["files"].items()}
        for incident in data["incident"]:
            context = facts_of(incident, tree)
            group = f"{path.stem}, {incident['name']}"
            for right in (True, False):
                for title, patch in incident["right" if right else "wrong"].items():
                    name = f"{group}: {title}"
                    row = patch if isinstance(patch, dict) else {"new": patch}
                    edits = [[incident["file"], incident["old"], row["new"]], *row.get("edits", ())]
                    proposal = _proposal({"edits": edits, "test": row.get("test")})
                    part = _part(folder, path.stem)
                    needs = tuple(data.get("needs", ()))
                    yield Case(name, part, right, group, tree, proposal, context, needs)


@cache
def dependencies(needs: tuple[str, ...]) -> bytes:
    """An archive of installed distributions, as InstallDependencies makes one; b"" for none."""
    files = [file for name in needs for file in metadata.files(name) or () if ".." not in file.parts]
    members = [Member(str(file), Path(file.locate()).read_bytes()) for file in files if file.suffix != ".pyc"]
    return pack(members) if members else b""


def _part(folder: str, service: str) -> str:
    if folder == "heldout":
        return FRESH if _half(service) == LOOKED_AT else FRESH_UNSEEN
    return LOOKED_AT if service in _LOOKED_AT_STYLES else OTHERS


def _half(name: str) -> str:
    return LOOKED_AT if hashlib.sha256(name.encode()).digest()[0] % 2 else UNSEEN


@cache
def _repository(name: str) -> Tree:
    files = tree_of(members_of(DATA / name)).items()
    return {path: file for path, file in files if "__pycache__" not in path}


def _proposal(row: Mapping[str, Any]) -> Proposal:
    test = row.get("test")
    return Proposal(
        root_cause="cause",
        title="Mend it",
        explanation="why",
        edits=tuple(Edit(*edit) for edit in row["edits"]),
        confidence=0.9,
        regression_test=RegressionTest("tests/test_regression.py", test) if test else None,
    )


def facts_of(row: Mapping[str, Any], tree: Tree) -> ValidationContext:
    """Facts of an incident: `raised`, and `places` as [path, function, code of the line]."""
    frames = []
    for path, function, code in row["places"]:
        lines = [line.strip() for line in tree[path].data.decode().split("\n")]
        line = lines.index(code) + 1
        frames.append(Frame(f"/var/task/{path}", line, function, code, in_app=True, why="below /var/task"))
    incident = Incident(
        incident_id="bench-1",
        fingerprint="1",
        app="bench",
        status=Status.HEALING,
        error_type=row["raised"].partition(": ")[0],
        title=row["raised"],
        frames=tuple(frames),
    )
    return ValidationContext(
        incident, App("bench", ("/aws/lambda/bench",), "https://git.example/bench/bench")
    )
