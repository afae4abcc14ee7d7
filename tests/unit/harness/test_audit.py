"""What the harness records of code that reaches out, on each Python that is here: behind the wall."""

from __future__ import annotations

import pytest

from functions.harness import answers, test_runs
from functions.harness.interpreters import available
from functions.harness.outcome import RunOutcome
from functions.validate_patch.effects import Reached, reached
from infra.local.runner import LocalRunner
from tests.jobs import job, outcomes_of, pytest_suite

REACHES = {
    "writes": ("open('kept', 'w').close()", "files", "kept"),
    "writes_by_a_path": ("pathlib.Path('other').write_text('x')", "files", "other"),
    "writes_by_a_library": ("logging.FileHandler('log.txt').close()", "files", "log.txt"),
    "removes": ("os.remove('gone')", "files", "gone"),
    "reads": ("open('/proc/self/environ').close()", "reads", "/proc/self/environ"),
    "opens_by_number": ("open(1, closefd=False)", "descriptors", "descriptor 1"),
    "starts": ("subprocess.run(['id'])", "processes", "id"),
    "starts_through_another_module": ("logging.os.system('id -u')", "processes", "id"),
    "forks": ("os.fork() or os._exit(0)", "processes", ""),
    "connects": ("socket.create_connection(('192.0.2.1', 9), 0.1)", "network", "192.0.2.1"),
    "resolves": ("socket.getaddrinfo('evil.example', 80)", "network", "evil.example"),
    "requests": ("urllib.request.urlopen('http://evil.example/x', timeout=1)", "network", "evil.example"),
    "evaluates": ("print.__self__.eval('1')", "code", ""),
    "runs_text": ("timeit.timeit('1', number=1)", "code", ""),
    "unpickles": ("pickle.loads(b'cos\\ngetpid\\n.')", "code", "os.getpid"),
    "loads": ("ctypes.CDLL(None)", "interpreter", ""),
    "looks_at_frames": ("sys._getframe()", "interpreter", ""),
    "opens_a_database": ("sqlite3.connect('copy.db').close()", "files", "copy.db"),
    "imports": ("__import__('graph' + 'lib')", "imports", "graphlib"),
}
HARMLESS = ("int('1')", "sqlite3.connect(':memory:').close()", "tempfile.gettempdir()", "json.dumps({})",
            "dataclasses.make_dataclass('A', ['b'])", "collections.namedtuple('A', 'b')")  # fmt: skip
MODULES = (
    "ctypes, dataclasses, collections, json, logging, os, pathlib, pickle, socket, sqlite3, subprocess, sys"
)


def app() -> str:
    functions = "".join(f"\n\ndef {name}():\n    return {code}\n" for name, (code, _, _) in REACHES.items())
    plain = "".join(f"\n\ndef harmless_{n}():\n    return {code}\n" for n, code in enumerate(HARMLESS))
    return f"import {MODULES}, tempfile, timeit, urllib.request\n{functions}{plain}"


TESTS = """
import app


def test_all():
    for name, function in list(vars(app).items()):
        if getattr(function, "__module__", "") == "app":
            try:
                function()
            except Exception:
                pass
"""


def run(version: str) -> RunOutcome:
    files = {"app.py": app(), "test_app.py": TESTS}
    return outcomes_of(LocalRunner().run(job(files, python=version, suite=pytest_suite())).report)[0]


@pytest.mark.parametrize("version", available())
def test_what_reaches_out_is_recorded_with_the_line_that_did(version: str) -> None:
    outcome = run(version)
    found = list(reached(answers.lines_of(outcome)))
    lines = {line: number for number, line in enumerate(app().split("\n"), 1)}
    for name, (code, kind, target) in REACHES.items():
        line = lines[f"    return {code}"]
        assert any(
            r.kind == kind and r.target == target and r.frames[0] == ("app.py", line) for r in found
        ), name
    plain = {lines[f"    return {code}"] for code in HARMLESS}
    assert not [r for r in found if r.frames[0][1] in plain]


def test_records_are_no_part_of_the_story_of_the_tests() -> None:
    read = test_runs.read(run(available()[-1]))
    assert (read.problem, dict(read.results)) == ("", {"test_app.py::test_all": "passed"})


@pytest.mark.parametrize(
    "line",
    [
        {"reached": "files"},
        {"reached": ["else", "x", [["a.py", 1]]]},
        {"reached": ["files", "x", []]},
        {"reached": ["files", "x", [["a.py", "1"]]]},
        {"reached": ["files", 1, [["a.py", 1]]]},
        {"reached": ["files", "x", [["a.py", 1]]], "test": "x"},
    ],
)
def test_a_record_that_the_harness_does_not_write_is_refused(line: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="does not write"):
        list(reached([line]))


def test_a_record_is_read_as_it_was_written() -> None:
    line: dict[str, object] = {"reached": ["files", "x", [["a.py", 1]]]}
    assert list(reached([line])) == [Reached("files", "x", (("a.py", 1),))]
