"""What two checkouts do otherwise, for a change that should not show.

    python tests/bench/compare.py OTHER [WHAT ...] [--most N]

OTHER is a checkout; this Python runs both. Compared are, each line by line:

    commands    every command and option of `selfheal`, and the schemas of its documents
    template    the synthesised stack, without the hashes of its packages
    recognised  what `explain` makes of the corpus of log texts
    read        what the gates that only read say of the corpus of harmful patches
    judged      what all gates say of the right fixes and of these patches: a minute for every three on a busy
                machine, so of 24 of them, taken evenly, if --most says nothing else
    repaired    what the embedded model answers to the corpus of crashes

Exit code 1 where something differs.
"""

from __future__ import annotations

import argparse
import difflib
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
_SHOWN = 20
"""Lines of a difference."""


def commands() -> Iterator[str]:
    import typer

    from infra.cli.main import app
    from infra.cli.schemas import SHAPES

    waiting: list[tuple[str, Any]] = [("selfheal", typer.main.get_command(app))]
    for path, command in waiting:
        yield f"{path}: {command.help}"
        for each in command.params:
            yield f"{path} {'/'.join(each.opts)} {each.default!r} {getattr(each, 'help', '')}"
        inside = getattr(command, "commands", {})
        waiting += [(f"{path} {name}", inner) for name, inner in inside.items()]
    yield json.dumps(SHAPES, sort_keys=True)


def template() -> Iterator[str]:
    from infra.app import main as synthesise

    with tempfile.TemporaryDirectory() as folder:
        with redirect_stdout(sys.stderr):
            synthesise(["-o", folder])
        for path in sorted(Path(folder).glob("*.template.json")):
            yield from re.sub(r"[0-9a-f]{32,64}", "HASH", path.read_text()).splitlines()


def recognised() -> Iterator[str]:
    from functions.detect_errors.read import reader
    from infra.cli.explain import to_json
    from infra.trial.log import read_whole

    for path in sorted(Path("tests/data/detect_errors").glob("*.jsonl")):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            text = json.loads(line).get("text", "")
            yield f"{path.name}:{number} {json.dumps(to_json(read_whole(reader(()), text)), default=str)}"


def read() -> Iterator[str]:
    from tests import harm

    for name in harm.COLLECTIONS:
        for one in harm.patches(name):
            yield f"{name}: {one.name}: {harm.read(one)}"


def judged() -> Iterator[str]:
    from tests import harm

    given = [*map(harm.right, harm.repositories())]
    given += [one for name in harm.COLLECTIONS for one in harm.patches(name)]
    most = int(os.environ["COMPARED_MOST"])
    for one in given[:: -(-len(given) // most)]:
        evidence = harm.judged(one).evidence
        asked = len(evidence.questions)
        yield f"{one.repository}: {one.name}: accepted {evidence.accepted}, {asked} questions"
        yield from (f"    {finding}" for finding in evidence.findings)


def repaired() -> Iterator[str]:
    from infra.local.model.engine import answer
    from tests import crash_corpus

    for case in crash_corpus.cases():
        prompt = crash_corpus.build_prompt(case.folder, crash_corpus.run(case.folder, case.call))
        yield f"{case.name}: {json.dumps(answer(prompt).to_json())}"


WHAT: dict[str, Callable[[], Iterator[str]]] = {
    one.__name__: one for one in (commands, template, recognised, read, judged, repaired)
}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("other", type=Path)
    parser.add_argument("what", nargs="*", choices=[*WHAT, []], default=[*WHAT])
    parser.add_argument("--most", type=int, default=24, metavar="N", help="patches that are judged")
    given = parser.parse_args()
    os.environ["COMPARED_MOST"] = str(given.most)
    differing = [name for name in given.what if _differs(given.other.resolve(), name)]
    return int(bool(differing))


def _differs(other: Path, what: str) -> bool:
    before, after = (_said(checkout, what) for checkout in (other, ROOT))
    difference = [*difflib.unified_diff(before, after, str(other), "here", n=0, lineterm="")]
    changed = [line for line in difference[2:] if not line.startswith("@@")]
    print(
        f"{what:12}{len(before):6} lines before, {len(after):6} after: {len(changed) or 'none'} differ",
        flush=True,
    )
    for line in changed[:_SHOWN]:
        print(f"    {line[:200]}")
    return bool(changed)


def _said(checkout: Path, what: str) -> list[str]:
    """The lines of a checkout's own code, whose modules this file imports only there."""
    environment = os.environ | {"PYTHONPATH": str(checkout), "COMPARED": what}
    command, lines = [sys.executable, "-P", "-u", __file__], []
    with (
        tempfile.TemporaryFile("w+") as errors,
        subprocess.Popen(
            command, cwd=checkout, env=environment, stdout=subprocess.PIPE, stderr=errors, text=True
        ) as running,
    ):
        assert running.stdout
        for line in running.stdout:
            lines.append(line.rstrip("\n"))
            if sys.stderr.isatty():
                print(f"\r{checkout}: {what}: {len(lines)} lines", end="", file=sys.stderr)
        if running.wait():
            errors.seek(0)
            raise SystemExit(f"{checkout}: {what}: {errors.read()[-2000:]}")
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr)
    return lines


if __name__ == "__main__":
    if asked := os.environ.get("COMPARED"):
        for line in WHAT[asked]():
            print(line.replace(str(Path.cwd()), "CHECKOUT"))
    else:
        sys.exit(main())
