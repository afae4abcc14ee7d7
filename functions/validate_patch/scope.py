"""Gate 2: a patch stays in its lane: source files that the app allows, and few of them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from functions.core.notify.counts import counted
from functions.core.untrusted import hidden
from functions.validate_patch.candidate import Candidate
from functions.validate_patch.diff import changed_lines
from functions.validate_patch.tree import SYMLINK, Change, Tree

FILES_LIMIT = 10
LINES_LIMIT = 400
_FILE_BYTES_LIMIT = 1_000_000


@dataclass(frozen=True, slots=True)
class _Off:
    """A kind of file that no patch may touch, whatever the app allows."""

    what: str
    pattern: re.Pattern[str]


def _off(what: str, pattern: str) -> _Off:
    # Names are compared without case: a checkout on another file system might not tell them apart.
    return _Off(what, re.compile(pattern, re.IGNORECASE))


_ANY = r"(?:.*/)?"
_OFF_LIMITS = (
    _off("git's own files", rf"{_ANY}\.git(?:/.*|attributes|ignore|modules|-blame-ignore-revs)?"),
    _off(
        "continuous integration",
        rf"\.(?:github|gitlab|circleci|buildkite|teamcity|azure-pipelines|woodpecker|drone|husky|ci)/.*"
        rf"|{_ANY}(?:\.gitlab-ci\.ya?ml|\.travis\.ya?ml|appveyor\.yml|azure-pipelines.*\.ya?ml|bitbucket-pipelines\.yml"
        rf"|Jenkinsfile.*|buildspec.*\.ya?ml|\.drone\.ya?ml|cloudbuild.*\.(?:ya?ml|json)|\.pre-commit-.*\.yaml"
        rf"|CODEOWNERS|tox\.ini|noxfile\.py|fabfile\.py|Makefile|justfile)",
    ),
    _off(
        "infrastructure",
        rf"{_ANY}(?:cdk|terraform|cloudformation|k8s|kubernetes)/.*|(?:infra|infrastructure|helm|deploy|deployment)/.*"
        rf"|{_ANY}(?:.*\.tf|.*\.tfvars|.*\.hcl|cdk.*\.json|(?:sam|cfn)?-?template.*\.(?:ya?ml|json)|samconfig\..*"
        rf"|serverless.*\.ya?ml|(?:docker-)?compose.*\.ya?ml|.*Dockerfile.*|Containerfile.*|Procfile|.*\.asl\.json)",
    ),
    _off("permissions", rf"{_ANY}iam/.*|{_ANY}[^/]*(?:iam|policy|trust)[^/]*\.(?:json|ya?ml)"),
    _off(
        "dependencies or build",
        rf"{_ANY}(?:requirements[^/]*\.(?:txt|in)|requirements/.*|constraints[^/]*\.txt|pyproject\.toml|setup\.(?:py|cfg)"
        rf"|Pipfile(?:\.lock)?|[^/]*\.lock|poetry\.toml|pdm\.toml|uv\.toml|environment[^/]*\.ya?ml|conda[^/]*\.ya?ml"
        rf"|package(?:-lock)?\.json|MANIFEST\.in|\.python-version|runtime\.txt|hatch_build\.py)",
    ),
    _off(
        "what decides how tests or the interpreter run",
        rf"{_ANY}(?:conftest\.py|pytest\.(?:ini|toml)|\.pytest\.ini|\.coveragerc|mypy\.ini|\.?ruff\.toml|\.flake8"
        rf"|sitecustomize\.py|usercustomize\.py|[^/]*\.pth|\.selfheal\.toml|\.env[^/]*|pyvenv\.cfg)",
    ),
)

# A module of the repository with such a name would be imported in place of what runs the tests.
_SHADOWING = re.compile(
    r"(?:src/)?(?:pytest|_pytest|pluggy|iniconfig|unittest|typing|json|os|sys|re)(?:\.py|/.*)"
)
_DEVICES = frozenset({"con", "prn", "aux", "nul", *(f"{n}{i}" for n in ("com", "lpt") for i in range(1, 10))})
_PATH_BYTES_LIMIT = 1_000
"""A quarter of what Linux takes (PATH_MAX); checks may take steps by the square of it."""
_UNSAFE = re.compile(r"[\t\n\\:*?\"<>|]")


def findings(candidate: Candidate) -> tuple[str, ...]:
    """What is out of the lane, one sentence each."""
    found = [text for change in candidate.changes for text in _of_file(candidate, change)]
    if len(candidate.changes) > FILES_LIMIT:
        found.append(
            f"{counted(len(candidate.changes), 'file')} changed; at most {FILES_LIMIT} for one incident"
        )
    lines = sum(len(c.removed) + len(c.added) for c in map(changed_lines, candidate.changes))
    if lines > LINES_LIMIT:
        found.append(f"{counted(lines, 'line')} changed; at most {LINES_LIMIT} for one incident")
    return tuple(found)


def _of_file(candidate: Candidate, change: Change) -> Iterator[str]:
    path = change.path
    if problem := path_problem(path, candidate.before):
        yield f"{path!r}: {problem}"
        return
    for module in candidate.context.submodules:
        if path.startswith(f"{module}/") or path == module:
            yield f"{path}: belongs to the submodule {module}, which is another repository"
    if not candidate.rules.allows(path):
        allowed = "; and ".join(", ".join(globs) for globs in candidate.rules.allowed_paths)
        yield f"{path}: not among the paths that a patch may touch ({allowed})"
    if change.after is None:
        yield f"{path}: is deleted; a patch may not remove files"
        return
    if change.before is not None and change.before.mode != change.after.mode:
        yield f"{path}: its mode changes from {change.before.mode:o} to {change.after.mode:o}"
    if change.after.binary or (change.before is not None and change.before.binary):
        yield f"{path}: is a binary file"
    if len(change.after.data) > _FILE_BYTES_LIMIT:
        yield f"{path}: is larger than {_FILE_BYTES_LIMIT} bytes"


def _disguise(path: str, tree: Tree) -> str:
    """A new name that another system would take for something else."""
    if path in tree:
        return ""
    if not unicodedata.is_normalized("NFC", path):
        return "is not in Unicode's normal form (NFC), so it could be another file's name"
    if any(part.partition(".")[0].lower() in _DEVICES for part in path.split("/")):
        return "has a name that is reserved for devices on Windows"
    twins = {
        _plain("/".join(other.split("/")[: end + 1])): "/".join(other.split("/")[: end + 1])
        for other in tree
        for end in range(other.count("/") + 1)
    }
    above = path.split("/")
    for end in range(len(above)):
        own = "/".join(above[: end + 1])
        twin = twins.get(_plain(own), own)
        if twin != own:
            return f"differs from {twin} only in letters that some file systems take for the same"
    return ""


def _plain(path: str) -> str:
    return unicodedata.normalize("NFKC", path).casefold()


def path_problem(path: str, tree: Tree) -> str:
    """Why a path must not be written at all; "" when it may."""
    if problem := _misshapen(path):
        return problem
    parts = path.split("/")
    for end in range(1, len(parts) + 1):
        file = tree.get("/".join(parts[:end]))
        if file is not None and file.mode == SYMLINK:
            return "is, or lies behind, a symbolic link"
        if file is not None and end < len(parts):
            return f"{'/'.join(parts[:end])} is a file, not a directory"
    if problem := _disguise(path, tree):
        return problem
    for off in _OFF_LIMITS:
        if off.pattern.fullmatch(unicodedata.normalize("NFKC", path)):
            return f"belongs to {off.what}, which a patch may not touch"
    if path not in tree and _SHADOWING.fullmatch(path):
        return "would be imported in place of a standard or testing module"
    return ""


def _misshapen(path: str) -> str:
    """Why this is no path that every program takes for the same, whatever the tree holds."""
    if len(path.encode(errors="replace")) > _PATH_BYTES_LIMIT:
        return f"is longer than {_PATH_BYTES_LIMIT} bytes"
    parts = path.split("/")
    if path.startswith(("/", "~")) or _UNSAFE.search(path) or hidden.characters(path):
        return "must be a plain path relative to the repository, with forward slashes"
    if any(part in ("", ".", "..") or part != part.strip() or part.endswith(".") for part in parts):
        return "must not hold empty, '.' or '..' parts or end in a space or a dot"
    if any(part.startswith("-") for part in parts):
        return "must not have a part that begins with a dash: programs would take it for an option"
    if any(part.lower() in (".git", "git~1") for part in parts):
        return "is inside git's own directory"
    return ""
