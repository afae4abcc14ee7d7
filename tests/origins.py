"""Services whose culprit is in no frame: made, crashed for real, and read as their logs are."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from functions.core.incidents.incident import Incident
from functions.core.source.archive import Member
from functions.propose_patch.repository import SourceTree
from infra.trial.log import read_log
from infra.trial.source import NO_COMMIT, LocalSource
from infra.trial.trial import app_for

_FOLDER = Path(__file__).parent / "data" / "origins"
_FILLERS = 45


@dataclass(frozen=True)
class Case:
    name: str
    call: str
    culprit: str
    files: dict[str, str]

    @property
    def culprit_path(self) -> str:
        (path,) = (path for path, text in self.files.items() if self.culprit in text)
        return path


@dataclass(frozen=True)
class Crashed:
    """The repository and the incident, as ProposePatch has them; roots: the app's path rules."""

    repository: SourceTree
    incident: Incident
    roots: dict[str, str]


def cases(collection: str = "cases") -> Iterator[Case]:
    """The cases that the search was made with, or those of another collection."""
    for name, row in tomllib.loads((_FOLDER / f"{collection}.toml").read_text()).items():
        call, culprit = row.pop("call"), row.pop("culprit")
        files = {path: _grown(text.strip() + "\n", f"{name}_{path[:-3]}") for path, text in row.items()}
        yield Case(name, call, culprit, files)


def crash(case: Case, directory: Path) -> Crashed:
    """Run the service until it crashes. Raises AssertionError when it does not."""
    for path, text in case.files.items():
        (directory / path).write_text(text)
    run = subprocess.run(
        [sys.executable, "-c", case.call], cwd=directory, capture_output=True, text=True, check=False
    )
    assert run.returncode == 1, f"{case.name} did not crash"
    members = tuple(Member(path, text.encode()) for path, text in case.files.items())
    source = LocalSource(directory, members, NO_COMMIT, "")
    app = app_for(source)
    repository = SourceTree(members)
    return Crashed(repository, read_log(run.stderr, repository, app).incident, app.source_roots)


def _grown(text: str, name: str) -> str:
    """The file with a stretch of unrelated functions for each line that stands for some."""
    lines, count = [], 0
    for line in text.split("\n"):
        if line.strip() != "...":
            lines.append(line)
            continue
        indent, self_ = line[: line.index("...")], "self, " if line.startswith(" ") else ""
        for _ in range(_FILLERS):
            count += 1
            lines += [
                f"{indent}def unrelated_{count}_of_{name}({self_}first, second):",
                f"{indent}    product = first * {count} - second",
                f"{indent}    return product // {count + 1}",
            ]
    return "\n".join(lines)
