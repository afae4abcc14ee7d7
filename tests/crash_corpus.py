"""Running the crash corpus: really crash a module, ask the repair model, and judge what it answers.

A case is a directory under tests/data/crashes/ with a small application and `case.toml`:

    crash_class = "missing key"
    outcome     = "healed"                    # or "abstained"
    call        = "from shop.tax import rate; rate('XX')"
    oracle      = "…"                         # healed: statements that hold after a right repair
    abstention  = "configuration"             # abstained: the class to be given (optional)
"""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from functions.core.workflow.proposal import (
    ABSTAIN_SCHEMA,
    ABSTAIN_TOOL,
    PROPOSE_SCHEMA,
    PROPOSE_TOOL,
    Abstention,
    Proposal,
)

CORPUS = Path(__file__).parent / "data" / "crashes"
TOOLS = [
    {"type": "function", "function": {"name": name, "parameters": schema}}
    for name, schema in ((PROPOSE_TOOL, PROPOSE_SCHEMA), (ABSTAIN_TOOL, ABSTAIN_SCHEMA))
]
_FRAME = re.compile(r'File "([^"]+)", line (\d+), in (\S+)')


@dataclass(frozen=True, slots=True)
class Case:
    """One application that crashes, and what a careful engineer would do about it."""

    name: str
    folder: Path
    crash_class: str
    outcome: str
    call: str
    oracle: str
    abstention: str


def cases() -> list[Case]:
    """All cases, in name order."""
    found = []
    for path in sorted(CORPUS.glob("*/case.toml")):
        data = tomllib.loads(path.read_text())
        found.append(
            Case(
                name=path.parent.name,
                folder=path.parent,
                crash_class=data["crash_class"],
                outcome=data["outcome"],
                call=data["call"],
                oracle=data.get("oracle", ""),
                abstention=data.get("abstention", ""),
            )
        )
    return found


def run(folder: Path, code: str) -> str:
    """Run statements in a fresh interpreter with the folder importable; "" or what it wrote to stderr."""
    with tempfile.TemporaryDirectory() as temporary:
        done = subprocess.run(
            [sys.executable, "-I", "-B", "-c", f"import sys; sys.path.insert(0, {str(folder)!r})\n{code}"],
            cwd=folder,
            env={**os.environ, "TMPDIR": temporary},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    return "" if done.returncode == 0 else done.stderr


def without_carets(traceback_text: str) -> str:
    """The traceback as the Lambda runtime prints it: no columns, no hints."""
    lines = [line for line in traceback_text.splitlines() if not re.fullmatch(r"\s*[~^]*\^[~^]*\s*", line)]
    return re.sub(r"\. Did you (mean|forget)[^\n]*\?", "", "\n".join(lines)) + "\n"


def build_prompt(
    folder: Path,
    traceback_text: str,
    *,
    window: int | None = None,
    attempts: Sequence[tuple[dict[str, Any], Sequence[str]]] = (),
    comment: str = "",
    nonce: str = "5f3a9c01",
) -> str:
    """A prompt in the agreed form, the innermost application frame's file first.

    window: None shows files whole; a number shows that many lines around each failing line, and the imports.
    """
    last = traceback_text.strip().splitlines()[-1]
    error_type, _, message = last.partition(": ")
    parts = [
        f"<incident-{nonce}>\ntype: {error_type}\nmessage: {message}\nservice: app\noccurrences: 3\n"
        f"</incident-{nonce}>",
        f"<traceback-{nonce}>\n{traceback_text}\n</traceback-{nonce}>",
    ]
    marked: dict[Path, list[int]] = {}
    for file, line, _ in reversed(_FRAME.findall(traceback_text)):
        path = Path(file)
        if path.is_relative_to(folder):
            marked.setdefault(path, []).append(int(line))
    for path in sorted(folder.rglob("*.py")):
        marked.setdefault(path, [])
    for i, (path, lines) in enumerate(marked.items()):
        why = "where it failed" if i == 0 else "defines what the failing line uses"
        parts += _sections(path.relative_to(folder).as_posix(), path.read_text(), lines, window, why, nonce)
    for number, (proposal, findings) in enumerate(attempts, 1):
        body = json.dumps({"proposal": proposal, "findings": list(findings)})
        parts.append(f'<attempt-{nonce} number="{number}">\n{body}\n</attempt-{nonce}>')
    if comment:
        parts.append(f"<reviewer_comment-{nonce}>\n{comment}\n</reviewer_comment-{nonce}>")
    parts.append(f"<left_out-{nonce}>\nnothing\n</left_out-{nonce}>")
    return "\n\n".join(parts)


def _sections(
    path: str, text: str, marked: Sequence[int], window: int | None, why: str, nonce: str
) -> list[str]:
    lines = text.splitlines()
    shown = set(range(1, len(lines) + 1))
    if window is not None:
        near = {n for m in marked for n in range(m - window, m + window + 1)}
        top = {n for n in shown if re.match(r"(from|import) ", lines[n - 1])}
        shown &= near | top
    runs: list[list[int]] = []
    for number in sorted(shown):
        if runs and runs[-1][-1] == number - 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    runs.sort(key=lambda run: not set(run) & set(marked[:1]))
    found = []
    for run_ in runs:
        body = "\n".join(
            f"{n:>5}>| {lines[n - 1]}" if n in marked else f"{n:>6}| {lines[n - 1]}" for n in run_
        )
        reason = why if set(run_) & set(marked) or not marked else "imports of the module"
        attributes = f'path="{html.escape(path)}" lines="{run_[0]}-{run_[-1]}" why="{html.escape(reason)}"'
        found.append(f"<source-{nonce} {attributes}>\n{body}\n</source-{nonce}>")
    return found


def ask(url: str, prompt: str) -> Proposal | Abstention:
    """Ask the model over HTTP; its one tool call, parsed."""
    body = {
        "model": "any",
        "messages": [{"role": "system", "content": "Repair."}, {"role": "user", "content": prompt}],
        "tools": TOOLS,
        "stream": False,
    }
    request = urllib.request.Request(
        f"{url}/v1/chat/completions", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as response:
        message = json.load(response)["choices"][0]["message"]
    (call,) = message["tool_calls"]
    arguments = json.loads(call["function"]["arguments"])
    if call["function"]["name"] == PROPOSE_TOOL:
        return Proposal.from_json(arguments)
    return Abstention.from_json(arguments)


def patched(folder: Path, proposal: Proposal, target: Path) -> Path:
    """A copy of the folder with the edits made; asserts that each search text occurs exactly once."""
    shutil.copytree(folder, target, ignore=shutil.ignore_patterns("__pycache__"))
    for edit in proposal.edits:
        path = target / edit.path
        text = path.read_text()
        assert text.count(edit.search) == 1, (
            f"{edit.path}: {edit.search!r} occurs {text.count(edit.search)} times"
        )
        path.write_text(text.replace(edit.search, edit.replace))
    return target


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a case: `healed`, `abstained`, or `wrong` (a patch that should not have been made)."""

    outcome: str
    detail: str
    answer: Proposal | Abstention


def judge(case: Case, url: str, target: Path, *, carets: bool = True, window: int | None = None) -> Verdict:
    """Crash the case, ask, apply, and execute. `carets` False: the traceback as Lambda prints it."""
    traceback_text = run(case.folder, case.call)
    assert "Traceback" in traceback_text, f"{case.name} does not crash: {traceback_text}"
    if not carets:
        traceback_text = without_carets(traceback_text)
    answer = ask(url, build_prompt(case.folder, traceback_text, window=window))
    if isinstance(answer, Abstention):
        return Verdict("abstained", answer.reason, answer)
    if case.outcome != "healed":
        return Verdict("wrong", "a patch where none follows from the source", answer)
    healed = patched(case.folder, answer, target)
    again = run(healed, case.call)
    same = traceback_text.strip().splitlines()[-1].partition(":")[0]
    if again.strip().splitlines()[-1:] and again.strip().splitlines()[-1].partition(":")[0] == same:
        return Verdict("wrong", f"still crashes: {again}", answer)
    failed = run(healed, case.oracle)
    if failed:
        return Verdict("wrong", f"the oracle fails: {failed}", answer)
    if answer.regression_test:
        test = healed / answer.regression_test.path
        test.parent.mkdir(parents=True, exist_ok=True)
        test.write_text(answer.regression_test.code)
        load = (
            f"import runpy; m = runpy.run_path({str(test)!r}); [m[n]() for n in m if n.startswith('test_')]"
        )
        if failure := run(healed, load):
            return Verdict("wrong", f"the regression test fails after the repair: {failure}", answer)
        if same not in run(case.folder, load):
            return Verdict("wrong", "the regression test does not reproduce the crash", answer)
    return Verdict("healed", "", answer)
