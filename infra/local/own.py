"""One's own repository on the embedded forge, and one's own function beside the sample's."""

from __future__ import annotations

import ast
import io
import re
import shlex
import subprocess
import sys
import tempfile
import zipfile
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from functions.core.apps.app import App
from functions.core.source.syntax_tree import nodes_of, parse
from infra import apps
from infra.errors import Exit, UserError
from infra.local.forge.git import DEFAULT_BRANCH, environment
from infra.local.forge.store import Store
from infra.local.run import EmbeddedRun, deploy_function
from infra.nearest import unknown
from infra.registration import AppSecrets, register, write_entry

OWNER = "me"
_DROPPED = re.compile(r"[^a-z0-9-]+")


@dataclass(frozen=True, slots=True)
class OwnService:
    """What was made of a folder. uncommitted: whether it holds changes that were left out."""

    app: App
    page: str
    function: str
    uncommitted: bool


def add(
    run: EmbeddedRun, path: Path, name: str = "", handler: str = "", root: str = "", force: bool = False
) -> OwnService:
    """Push a folder's repository (or the folder, where it is none) to the forge, and register it as an app.

    handler: `module.function` of its Lambda function, deployed as the app's; without one there is only
    a log group. root: the folder that is deployed, such as `src`. force: drop what the forge's main has and
    the folder's commit has not, such as a merged fix. Safe to repeat, after a commit. Raises UserError.
    """
    if not path.is_dir():
        raise UserError(f"{path} is no folder", "name the folder of a repository", exit_code=Exit.USAGE)
    name = name or _DROPPED.sub("-", path.resolve().name.lower()).strip("-")
    App.from_json(name, {"log_groups": [f"/aws/lambda/{name}"], "repository": "https://x.example/a/b"})
    slug = f"{OWNER}/{name}"
    with tempfile.TemporaryDirectory() as scratch:
        tree, commit = Path(scratch) / "tree", _head(path)
        _checkout(path, commit, tree)
        root = root or ("src" if handler and (tree / "src" / handler.split(".")[0]).exists() else "")
        if handler:
            _check_handler(tree / root, handler)
        bare = _bare(run, slug)
        if commit and bare.is_dir() and not force:
            _check_nothing_is_lost(path, commit, bare)
        sha = Store(Path(run.home) / "forge").create(slug, tree, private=True, collaborators=("reviewer",))
        if commit:
            _push(path, commit, bare)
            sha = commit
        if handler:
            deploy_function(run.target(), name, handler, _zip(tree / root))
    known = run.target().registry.entries().get(name)
    app = App(
        name=name,
        log_groups=(f"/aws/lambda/{name}",),
        repository=f"{run.forge_url}/{slug}.git",
        forge_api=f"{run.forge_url}/api/v3",
        reviewers=("reviewer",),
        approvers=run.approvers(),
        prices=run.prices(),
    )
    # What was configured since it was first added stays.
    app = known if isinstance(known, App) and known.repository == app.repository else app
    app = replace(app, source_roots={"/var/task": root, "/app": ""}, revision=sha)
    run.log_group(app.log_groups[0])
    register(run.target(), app, AppSecrets((Path(run.home) / "forge-token").read_text()))
    changed = bool(commit and _git(path, "status", "--porcelain", "--untracked-files=no"))
    return OwnService(app, f"{run.forge_url}/{slug}", name if handler else "", changed)


def deploy(run: EmbeddedRun, name: str) -> str:
    """Deploy what an app's branch is on the forge, as its team would: its function, where it has
    one here, and the revision that its entry names; which commit that is. What was merged is looked at
    then, as the schedule would within a quarter of an hour. Raises UserError."""
    app = apps.find(run.target(), name)
    bare = _bare(run, app.slug)
    if not bare.is_dir():
        raise UserError(f"{app.repository} is not on the embedded forge", "deploy it where it runs")
    sha = _git(bare, "rev-parse", "--verify", f"refs/heads/{app.branch}^{{commit}}")
    function, lambda_ = function_of(run, name), run.target().session.client("lambda")
    with suppress(lambda_.exceptions.ResourceNotFoundException), tempfile.TemporaryDirectory() as scratch:
        handler = lambda_.get_function_configuration(FunctionName=function)["Handler"]
        tree = Path(scratch) / "tree"
        _checkout(bare, sha, tree)
        deploy_function(run.target(), function, handler, _zip(tree / app.source_roots.get("/var/task", "")))
    write_entry(run.target(), replace(app, revision=sha))
    run.look_at_pull_requests()
    return sha


def _bare(run: EmbeddedRun, slug: str) -> Path:
    return Path(run.home) / "forge" / f"{slug}.git"


def function_of(run: EmbeddedRun, name: str) -> str:
    """The function of an app, which keeps its name when the app is given another one. Raises UserError."""
    return apps.find(run.target(), name).log_groups[0].removeprefix("/aws/lambda/")


def log(run: EmbeddedRun, app: str, text: str) -> None:
    """Write a text to the app's log group, as its service would: one event per text, however many lines.
    Raises UserError."""
    import time

    logs: Any = run.target().session.client("logs")
    group, stream = apps.find(run.target(), app).log_groups[0], "by-hand"
    run.log_group(group)
    if not logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=stream)["logStreams"]:
        logs.create_log_stream(logGroupName=group, logStreamName=stream)
    event = {"timestamp": int(time.time() * 1000), "message": text}
    logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=[event])


def _head(path: Path) -> str:
    """The commit that a repository has checked out; "" for a folder that is no repository of its own."""
    if not (path / ".git").exists():
        return ""
    return _git(path, "rev-parse", "--verify", "HEAD^{commit}")


def _checkout(path: Path, commit: str, tree: Path) -> None:
    """The files of the commit, or of the folder."""
    if not commit:
        tree.symlink_to(path.resolve())
        return
    tree.mkdir()
    archive = subprocess.run(
        ["git", "archive", "--format=tar", commit], cwd=path, env=_own(path), capture_output=True, check=True
    )
    subprocess.run(["tar", "-x", "-C", str(tree)], input=archive.stdout, check=True)


def _check_nothing_is_lost(path: Path, commit: str, bare: Path) -> None:
    """Raises UserError where the forge's main has commits that this one has not, such as a merged fix."""
    theirs = _git(bare, "rev-parse", "--verify", f"refs/heads/{DEFAULT_BRANCH}^{{commit}}")
    command = ["git", "merge-base", "--is-ancestor", theirs, commit]
    # A commit that the folder does not know at all is an error, and no ancestor either.
    if subprocess.run(command, cwd=path, env=_own(path), capture_output=True, check=False).returncode:
        title = _git(bare, "log", "-1", "--format=%s", theirs)
        here, there = (shlex.quote(str(one.resolve())) for one in (path, bare))
        pull = f"git -C {here} pull --no-rebase {there} {DEFAULT_BRANCH}"
        raise UserError(
            f"main of the embedded forge has what {path} has not: {title}",
            f"take it in: {pull}; or add --force, which drops it there",
        )


def _push(path: Path, commit: str, bare: Path) -> None:
    """The commit with its history, as the forge's main."""
    _git(path, "push", "--quiet", "--force", str(bare), f"{commit}:refs/heads/{DEFAULT_BRANCH}")


def _git(path: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=path, env=_own(path), capture_output=True, check=False)
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines() or ["it failed"]
        raise UserError(f"{path}: git {arguments[0]}: {said[-1]}", "commit something first, then try again")
    return done.stdout.decode(errors="replace").strip()


def _own(path: Path) -> dict[str, str]:
    """Whoever asks may read the folder, whoever owns it; hooks of it are not run."""
    told = {"safe.directory": str(path.resolve()), "core.hooksPath": "/dev/null"}
    own = environment() | {"GIT_CONFIG_COUNT": str(len(told))}
    for number, (key, value) in enumerate(told.items()):
        own |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return own


def _check_handler(tree: Path, handler: str) -> None:
    module, _, function = handler.rpartition(".")
    file = tree / Path(*module.split("."))
    code = next(
        (one for one in (file.with_suffix(".py"), file / "__init__.py") if module and one.is_file()), None
    )
    if code is None:
        raise UserError(
            f"no handler {handler!r}: there is no {'/'.join(module.split('.'))}.py in what is deployed",
            "name MODULE.FUNCTION, and with --root the folder that is deployed, such as src",
            exit_code=Exit.USAGE,
        )
    known = _bound(code.read_bytes())
    if known and not known & {function, "*"}:
        raise unknown(f"function in {code.relative_to(tree)} called", function, known, "name MODULE.FUNCTION")


def _bound(source: bytes) -> set[str]:
    """Every name that a module binds, "*" where another's are taken over; empty for what is no Python."""
    tree = parse(source)
    nodes = nodes_of(tree) if tree is not None else ()
    names = {
        node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    }
    names |= {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    return names | {node.asname or node.name for node in nodes if isinstance(node, ast.alias)}


def _zip(tree: Path) -> bytes:
    """What Lambda gets: the files, and beside them what a requirements.txt asks for, as wheels."""
    buffer = io.BytesIO()
    with tempfile.TemporaryDirectory() as packages, zipfile.ZipFile(buffer, "w") as archive:
        wanted = tree / "requirements.txt"
        if wanted.is_file():
            _install(wanted, packages)
        for folder in (tree, Path(packages)):
            for file in sorted(p for p in folder.rglob("*") if p.is_file() and ".git" not in p.parts):
                archive.write(file, file.relative_to(folder))
    return buffer.getvalue()


def _install(wanted: Path, to: str) -> None:
    python = "{}.{}".format(*sys.version_info[:2])
    command = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--only-binary", ":all:"]
    done = subprocess.run(
        [*command, "--python-version", python, "--target", to, "--requirement", str(wanted)],
        capture_output=True,
        check=False,
    )
    if done.returncode:
        said = " ".join(done.stderr.decode(errors="replace").split())[:300]
        raise UserError(
            f"what requirements.txt asks for cannot be installed: {said}", "mend it, then try again"
        )
