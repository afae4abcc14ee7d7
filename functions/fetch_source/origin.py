"""Which line failed, since which commit, and what was deployed before: never worth a failed heal."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from botocore.exceptions import ClientError

from functions.core.apps.deployed import Failed
from functions.core.source.code_mappings import locate
from functions.core.untrusted.redaction import redact
from functions.core.workflow.errors import (
    ForgeAccessDenied,
    ForgeUnavailable,
    RepositoryNotFound,
    SourceTooLarge,
)
from functions.core.workflow.origin import Change, Origin

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

    from functions.core.apps.app import App
    from functions.core.forge.git_remote import Remote
    from functions.core.incidents.incident import Frame, Incident

# Commits without the files' contents are small; a history that is longer, or larger, is cut or not looked at.
_DEPTH, _SECONDS, _BYTES = 500, 30.0, 64 * 1024 * 1024
_TEXT_LIMIT = 120


def origin_of(
    app: App,
    remote: Remote,
    sha: str,
    frames: Sequence[Frame],
    paths: Collection[str],
    read: Callable[[str], bytes | None],
) -> Origin | None:
    """The app's innermost frame at a commit; None where it is in no file of the repository."""
    frame = next((one for one in reversed(frames) if one.in_app), None)
    path = locate(frame.file, paths, app.source_roots).path if frame else None
    if frame is None or path is None:
        return None
    line = _line(frame, read(path) or b"")
    change = blame(remote, sha, path, line) if line else None
    return Origin(
        path,
        line,
        _page(app, "blob", sha, path) + (f"#L{line}" if line else ""),
        change,
        _page(app, "commit", change.sha) if change else "",
    )


def blame(remote: Remote, sha: str, path: str, line: int) -> Change | None:
    """The commit that last changed a line; None where the forge does not tell within bounds."""
    bounded = replace(remote, seconds=_SECONDS, bytes=_BYTES)
    try:
        with bounded.repository() as repo:
            # What contents are needed, git then asks this remote for, one by one.
            for name, value in (
                ("core.repositoryFormatVersion", "1"),
                ("extensions.partialClone", "origin"),
                ("remote.origin.url", remote.url),
                ("remote.origin.promisor", "true"),
                ("remote.origin.partialCloneFilter", "blob:none"),
            ):
                repo.git.execute(["git", "config", name, value])
            options = (
                f"--depth={_DEPTH}",
                "--filter=blob:none",
                "--no-tags",
                "--no-recurse-submodules",
                "--quiet",
            )
            if bounded.run(repo, "fetch", *options, "origin", sha):
                return None
            told, failure = bounded.ask(
                repo, "blame", "--root", "--porcelain", f"-L{line},{line}", sha, "--", path
            )
            oldest = Path(repo.git_dir) / "shallow"
            return None if failure else _change(told, oldest.read_text() if oldest.exists() else "")
    except (ForgeUnavailable, ForgeAccessDenied, RepositoryNotFound, SourceTooLarge):
        return None


def deployed_before(client: LambdaClient, incident: Incident) -> str:
    """When the function that failed was last deployed, if that was before its error came; "" else."""
    failed = Failed.of(incident)
    if failed is None:
        return ""
    try:
        told = client.get_function_configuration(FunctionName=failed.arn, Qualifier=failed.version)
        # 2026-11-20T10:00:00.000+0000
        # https://docs.aws.amazon.com/lambda/latest/api/API_FunctionConfiguration.html
        at = datetime.fromisoformat(told["LastModified"])
        return at.isoformat() if at <= datetime.fromisoformat(incident.first_seen) else ""
    except (ClientError, KeyError, ValueError, TypeError):
        return ""


def _line(frame: Frame, source: bytes) -> int:
    """The frame's line at this revision: as printed, or the only one that reads like it; 0 for none."""
    lines = [" ".join(line.split()) for line in source.decode("utf-8", "replace").split("\n")]
    code, number = " ".join(frame.code.split()), frame.line or 0
    if 0 < number <= len(lines) and code in ("", lines[number - 1]):
        return number
    same = [index for index, line in enumerate(lines, 1) if code and line == code]
    return same[0] if len(same) == 1 else 0


def _change(porcelain: str, shallow: str) -> Change | None:
    """From `git blame --porcelain`: https://git-scm.com/docs/git-blame#_the_porcelain_format"""
    found = re.match(r"[0-9a-f]{40,64}", porcelain)
    told = dict(line.partition(" ")[::2] for line in porcelain.splitlines()[1:] if not line.startswith("\t"))
    if not found or not told.get("author-time", "").isdigit():
        return None
    at = datetime.fromtimestamp(int(told["author-time"])).astimezone().isoformat(timespec="seconds")
    author, subject = (redact(told.get(name, ""))[:_TEXT_LIMIT] for name in ("author", "summary"))
    return Change(found[0], author, at, subject, found[0] in shallow)


def _page(app: App, kind: str, *parts: str) -> str:
    """A page of the repository on its forge, as GitHub and GitLab (which puts `/-` before it) name them."""
    base = app.repository.removesuffix(".git") + ("/-" if "/api/v4" in app.forge_api else "")
    return "/".join((base, kind, *map(quote, parts)))
