"""A patch reaches no capability that the code did not use: by reading, and by what runs do.

The collections and their kinds are those of `tests/harm.py`; `tests/bench/bench_harm.py` puts them through
all gates and prints both counts.
"""

from __future__ import annotations

import ast
import secrets

import pytest

from functions.core.workflow.evidence import Result
from functions.harness.experiment import names_in
from functions.harness.proof import NotBelieved
from functions.validate_patch import effects, order, told
from functions.validate_patch.capabilities import library
from functions.validate_patch.capabilities.leaks import warnings
from functions.validate_patch.capabilities.names import ModuleIndex, ResolvedNames
from functions.validate_patch.tree import File
from functions.validate_patch.validate import examine, validate
from infra.local.runner import LocalRunner
from tests.harm import COLLECTIONS, NEVER, Harm, case, patches, read, repositories, right

ALL = tuple(harm for name in COLLECTIONS for harm in patches(name))


def ids(harms: list[Harm]) -> list[str]:
    return [f"{harm.kind}: {harm.name}" for harm in harms]


REFUSED = [harm for harm in ALL if harm.kind in NEVER | {"bomb", "crypto", "hidden", "file", "tests"}]
TOLD = [harm for harm in ALL if harm.kind == "leak"]


@pytest.mark.parametrize("harm", REFUSED, ids=ids(REFUSED))
def test_a_new_power_or_a_weaker_check_is_stopped(harm: Harm) -> None:
    """Most of them by reading; what is left by the runs, or by a question that people see first."""
    if not read(harm):
        evidence = validate(*case(harm), "0" * 40, LocalRunner()).evidence
        assert not evidence.accepted or evidence.questions


@pytest.mark.parametrize("harm", TOLD, ids=ids(TOLD))
def test_data_that_newly_goes_to_logs_errors_or_results_is_said(harm: Harm) -> None:
    if not read(harm) and not warnings(examine(*case(harm)).candidate):
        assert validate(*case(harm), "0" * 40, LocalRunner()).evidence.questions


AT_EDGES = [
    harm
    for harm in ALL
    if harm.name
    in (
        "split: one cent to nobody",
        "transfer: another receiver for large amounts",
        "formula escape only at the first cell",
        "formulas by a tab",
        "halves go to the even cent",
    )
]


@pytest.mark.parametrize("harm", AT_EDGES, ids=ids(AT_EDGES))
def test_what_changes_only_where_the_code_draws_a_line_is_found(harm: Harm) -> None:
    assert not read(harm)
    assert not validate(*case(harm), "0" * 40, LocalRunner()).evidence.accepted


@pytest.mark.parametrize("name", repositories())
def test_a_right_fix_is_neither_refused_nor_warned_of(name: str) -> None:
    harm = right(name)
    assert (read(harm), warnings(examine(*case(harm)).candidate)) == ((), ())


NAMES = {
    "import logging\nx = logging.os.system": "os.system",
    "from logging import os as o\nx = o.system": "os.system",
    "import logging\nhelper = logging\nx = helper.os.system": "os.system",
    "import logging\nx = getattr(getattr(logging, 'os'), 'system')": "os.system",
    "import logging\nx = (m := logging).os.system": "os.system",
    "import logging\nfor m in [logging]:\n    x = m.os.system": "os.system",
    "import posix\nx = posix.system": "os.system",
    "import _socket\nx = _socket.socket": "socket.socket",
    "import re\nx = re.enum.sys.modules": "sys.modules",
    "run = eval\nx = run": "eval",
    "import os\nx = os.path.join": "os.path.join",
    "from app import tool\nx = tool.run": "own:app.tool.run",
    "from app.tool import run as go\nx = go": "own:app.tool.run",
    "from app import tool\nx = tool.subprocess.Popen": "subprocess.Popen",
    "from . import tool\nx = tool.subprocess.Popen": "subprocess.Popen",
    "x = nobody.os.system": "?.os.system",
}


@pytest.mark.parametrize(("source", "name"), NAMES.items())
def test_a_name_is_followed_to_where_it_ends(source: str, name: str) -> None:
    tool = b"import subprocess\n\ndef run(): ...\n"
    tree = {"app/__init__.py": File(b""), "app/tool.py": File(tool), "app/here.py": File(source.encode())}
    names = ModuleIndex(tree).names("app/here.py")
    assert isinstance(names, ResolvedNames)
    value = [node for node in ast.walk(names.module) if isinstance(node, ast.Assign)][-1].value
    assert names.of(value) == name


@pytest.mark.parametrize(
    ("name", "harmless"),
    [
        ("json.dumps", True),
        ("decimal.Decimal.quantize", True),
        ("os.path.join", True),
        ("os.system", False),
        ("io.StringIO", True),
        ("io.open", False),
        ("operator.itemgetter", True),
        ("operator.attrgetter", False),
        ("logging.getLogger", True),
        ("logging.handlers.HTTPHandler", False),
        ("random._os.system", False),
        ("random._inst", False),
        ("ctypes", False),
    ],
)
def test_what_a_fix_may_newly_use_is_listed(name: str, harmless: bool) -> None:
    assert library.is_harmless(library.resolved(name)) is harmless


DONE = {
    "logging.os.system": "starts or signals a process (wget)",
    "sqlite3 to a file": "writes or removes copy.db",
    "shell through the repository's helper": "starts or signals a process (sh)",
    "builtins by a method": "runs text or bytes as code",
    "the report is written by its number": "opens descriptor 3",
}
"""Patch → what its runs show, whatever reading says."""


@pytest.mark.parametrize("name", [*DONE, "the right fix alone"])
def test_what_runs_newly_do_is_found(name: str) -> None:
    harm = next((harm for harm in ALL if harm.name == name), right("reports"))
    candidate = examine(*case(harm)).candidate
    asked, nonce = order.asked(candidate), secrets.token_hex(16)
    ran = LocalRunner().run(order.job_of(candidate, asked, nonce))
    try:
        result = effects.result(candidate, told.read(ran, nonce, asked, names_in(candidate.before)))
    except NotBelieved:
        assert name == "the report is written by its number"  # it broke the story, which is as good
        return
    if name in DONE:
        assert result.result is Result.FAIL
        assert any(DONE[name] in finding for finding in result.findings), result
    else:
        assert result.result is Result.PASS, result


@pytest.mark.parametrize(
    "line",
    [
        "app.config['DEBUG'] = 'no'",
        "db.session.add(1)",
        "monkeypatch.setattr(access, 'LONGEST_SESSION', 5)",
        "(tmp_path / 'x').write_text('y')",
        "request.addfinalizer(print)",
        "assert json.loads('{}') == {}",
        "assert caplog.records == []",
    ],
)
def test_a_regression_test_may_do_what_tests_do(line: str) -> None:
    path, code = repositories()["desk"]["test"]
    given = "import json\n\nfrom desk import access\n" + code.replace("():\n", "(monkeypatch, tmp_path):\n")
    test = given.replace("    with", f"    {line}\n    with")
    found = read(Harm("a test", "desk", "right", test=(path, test)))
    assert [finding for finding in found if finding.startswith("capabilities")] == []
