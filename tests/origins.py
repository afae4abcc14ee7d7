"""Services whose culprit is in no frame: made, crashed for real, and read as their logs are."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

from functions.core.incidents.incident import Incident
from functions.core.model.requests import request_tokens
from functions.core.source.archive import Member
from functions.propose_patch import context
from functions.propose_patch.ask import request_for
from functions.propose_patch.context import Context, build_context
from functions.propose_patch.prompt import build_prompt
from functions.propose_patch.repository import SourceTree
from infra.trial.log import read_log
from infra.trial.source import NO_COMMIT, LocalSource
from infra.trial.trial import app_for

COLLECTIONS = ("cases", "unseen", "fresh", "later", "last", "outside", "kinds", "kept")
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


def context_of(crashed: Crashed) -> Context:
    """What the prompt shows of the repository."""
    incident = crashed.incident
    return build_context(crashed.repository, incident.frames, crashed.roots, error=incident.title)


def culprit_line(case: Case) -> int:
    return next(
        n for n, line in enumerate(case.files[case.culprit_path].split("\n"), 1) if case.culprit in line
    )


@dataclass(frozen=True)
class Figure:
    """Of one case: whether the culprit is in the prompt, whether it would be without looking where values
    come from, and how many times the tokens that takes."""

    name: str
    shown: bool
    shown_without: bool
    tokens: float


def figure(case: Case, directory: Path) -> Figure:
    directory.mkdir()
    crashed = crash(case, directory)
    ours = context_of(crashed)
    with patch.object(context, "origins", lambda *_: []):
        without = context_of(crashed)
    ratio = _tokens(crashed, ours) / _tokens(crashed, without)
    return Figure(case.name, _shows(case, ours), _shows(case, without), ratio)


def _shows(case: Case, shown: Context) -> bool:
    line = culprit_line(case)
    return any(part.path == case.culprit_path and line in part.lines for part in shown.parts)


def _tokens(crashed: Crashed, shown: Context) -> int:
    return request_tokens(request_for("a-model", build_prompt("heal", crashed.incident, shown)))


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
