"""`--answer FILE`: a unified diff, or the answer in the tool's schema, instead of what a model says."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from functions.core.source.encodings import encoding_of
from functions.core.workflow.proposal import ABSTAIN_TOOL, PROPOSE_TOOL, Abstention, Edit, Proposal
from functions.propose_patch.answer import judge
from functions.validate_patch.tree import SYMLINK, Tree
from infra.errors import UserError

_FILE = re.compile(rb"^(?:---|\+\+\+) (\"?)([^\t\n]+?)\1(?:\t[^\n]*)?\r?$", re.M)
_GIT_LINE = re.compile(rb"^diff --git \"?a/(.+?)\"? \"?b/(.+?)\"?\r?$", re.M)
_HUNK = re.compile(rb"^@@ -\d", re.M)
_HUNK_LINE = re.compile(rb"^((?!--- |\+\+\+ )[ +-].*)$", re.M)
_UNSUPPORTED = (
    (re.compile(rb"^(?:rename|copy) (?:from|to) ", re.M), "it renames or copies a file"),
    (re.compile(rb"^(?:old|new) mode ", re.M), "it changes a file's mode"),
    (re.compile(rb"^(?:GIT binary patch|Binary files )", re.M), "it changes a binary file"),
    (re.compile(rb"^deleted file mode |^\+\+\+ /dev/null", re.M), "it deletes a file"),
)
_SECONDS = 60


@dataclass(frozen=True, slots=True)
class UnusableAnswer:
    """An answer that cannot be put to the gates, and why. `applies` tells that it is a diff that does not."""

    why: str
    applies: bool = False


def read_answer(data: bytes, tree: Tree) -> Proposal | Abstention | UnusableAnswer:
    """The answer in a file's bytes. Raises UserError (exit code 2) for what is neither a diff nor JSON."""
    if data.lstrip()[:1] == b"{":
        return _from_json(data)
    if not _HUNK.search(data) and not _GIT_LINE.search(data):
        raise UserError(
            "--answer: neither a unified diff nor a JSON object",
            f"give the output of git diff, or the input of the tool {PROPOSE_TOOL} or {ABSTAIN_TOOL}",
            exit_code=2,
        )
    return _from_diff(data, tree)


def _from_json(data: bytes) -> Proposal | Abstention | UnusableAnswer:
    try:
        answer: Any = json.loads(data)
    except ValueError as error:
        raise UserError(f"--answer: not valid JSON: {error}", "mend the file", exit_code=2) from None
    name = PROPOSE_TOOL if "edits" in answer or "class" not in answer else ABSTAIN_TOOL
    if isinstance(answer.get("input"), dict) and isinstance(answer.get("name"), str):
        name, answer = answer["name"], answer["input"]
    call = {"toolUse": {"toolUseId": "answer", "name": name, "input": answer}}
    verdict = judge({"stopReason": "tool_use", "output": {"message": {"content": [call]}}})
    return verdict.answer or UnusableAnswer(
        "the answer does not fit the tool's schema: " + "; ".join(verdict.violations)
    )


def _from_diff(data: bytes, tree: Tree) -> Proposal | UnusableAnswer:
    for pattern, what in _UNSUPPORTED:
        if pattern.search(data):
            return UnusableAnswer(f"the diff cannot be put to the gates: {what}", applies=True)
    with tempfile.TemporaryDirectory(prefix="self-heal-try-") as directory:
        problem = ""
        for number, strip in enumerate((1, 0)):
            root = Path(directory) / str(number)
            written = _stage(root, _paths(data, strip), tree)
            fitting = _with_ends_of(written.values(), data)
            said = _apply(root, fitting, strip)
            if said is None:
                return _proposal(root, written)
            problem = problem or said
    return UnusableAnswer(f"the diff does not apply: {problem}", applies=True)


def _paths(data: bytes, strip: int) -> set[str]:
    """Paths that the diff names, with `strip` leading directories taken off."""
    named = {match[2] for match in _FILE.finditer(data)} - {b"/dev/null"}
    found = set()
    for name in named:
        parts = name.decode(errors="replace").strip('"').split("/")[strip:]
        if parts:
            found.add("/".join(parts))
    return found


def _with_ends_of(files: Iterable[bytes], data: bytes) -> bytes:
    """The diff, with the line ends of files that all end theirs in CRLF: what was pasted has lost them."""
    crlf = [b"\r\n" in file for file in files]
    return _HUNK_LINE.sub(rb"\1\r", data) if crlf and all(crlf) and b"\r\n" not in data else data


def _stage(root: Path, paths: set[str], tree: Tree) -> dict[str, bytes]:
    """Write the files named, where git can patch them; what they held before."""
    root.mkdir()
    written = {}
    for path in paths:
        file = tree.get(path)
        if file is None or file.mode == SYMLINK or ".." in PurePosixPath(path).parts:
            continue
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(file.data)
        written[path] = file.data
    return written


def _apply(root: Path, data: bytes, strip: int) -> str | None:
    """None when git could apply the diff in this directory, else what it said."""
    # Without a repository around it, git applies to plain files, and refuses paths that lead out of here.
    environment = {"GIT_CEILING_DIRECTORIES": str(root.parent), "GIT_CONFIG_NOSYSTEM": "1", "LC_ALL": "C"}
    done = subprocess.run(
        ["git", "apply", f"-p{strip}", "--whitespace=nowarn", "-"],
        cwd=root,
        env={"PATH": os.environ.get("PATH", os.defpath), "HOME": str(root.parent), **environment},
        input=data if data.endswith(b"\n") else data + b"\n",
        capture_output=True,
        timeout=_SECONDS,
        check=False,
    )
    if done.returncode == 0:
        return None
    return " ".join(done.stderr.decode(errors="replace").replace("error: ", "").split())[:500]


def _proposal(root: Path, before: dict[str, bytes]) -> Proposal | UnusableAnswer:
    edits = []
    for file in sorted(root.rglob("*")):
        if not file.is_file() or file.is_symlink():
            continue
        path = file.relative_to(root).as_posix()
        after = file.read_bytes()
        if after == before.get(path):
            continue
        try:
            encoding = encoding_of(path, before.get(path, after))
            was = before.get(path, b"").decode(encoding)
            edits.append(Edit(path, was, after.decode(encoding)))
        except (LookupError, SyntaxError, UnicodeError):
            return UnusableAnswer(f"the diff cannot be put to the gates: {path} is not text", applies=True)
    if not edits:
        return UnusableAnswer("the diff changes nothing", applies=True)
    return Proposal("Given as a diff.", "The answer given", "Given as a diff.", tuple(edits), 1.0)
