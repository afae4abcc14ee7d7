"""The same verdicts, whichever Python a repository is written for."""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache

import pytest

from functions.core.source.engine import ENGINE, syntax_error
from functions.harness.interpreters import VERSIONS, find, missing
from tests.dialects import DATA, DIALECTS, Verdict, cases, judge, missed, repository

HERE = [version for version in DIALECTS if find(version) is not None]
REPOSITORIES = sorted({path.relative_to(DATA).parts[0] for path in DATA.glob("*/*/*.py")})


@pytest.fixture(scope="module")
def verdict() -> Iterator[Callable[[str, int], Verdict]]:
    """The verdict on a case in a dialect."""
    with ExitStack() as stack:
        started = cache(lambda version: stack.enter_context(judge(version)))
        yield lambda version, number: started(version)(number)


def _is_newer(source: bytes, version: tuple[int, ...]) -> bool:
    try:
        ast.parse(source, feature_version=(version[0], version[1]))
    except SyntaxError:
        return True
    return False


def _dialect(number: int) -> str:
    """One dialect after the other, but none whose Python does not know what the patch is written in."""
    version = HERE[number % len(HERE)]
    minor = int(version.partition(".")[2])
    texts = [textwrap.dedent(edit[2]).encode() for edit in cases()[number]["edits"]]
    newer = any(_is_newer(text, (3, minor)) and not _is_newer(text, (3, 14)) for text in texts)
    return HERE[-1] if newer else version


# Each case once; `make bench` judges every case in each of them.
DEALT = [(_dialect(number), number) for number in range(len(cases()))]


@pytest.mark.parametrize(
    ("version", "number"), DEALT, ids=[f"{version}: {cases()[number]['name']}" for version, number in DEALT]
)
def test_a_patch_is_judged_alike_in_every_dialect(
    verdict: Callable[[str, int], Verdict], version: str, number: int
) -> None:
    case, found = cases()[number], verdict(version, number)
    if not case["wrong"]:
        assert (found.accepted, found.proven) == (True, True), found
        assert not any("Python" in why for why in found.not_run), found
        return
    # A miss that is mended leaves the list of misses.
    assert found.stopped is not (case["name"] in missed()), found
    if "gate" in case:
        assert found.gate == case["gate"], found
        assert any(case["why"] in finding for finding in found.findings), found


@pytest.mark.parametrize("name", REPOSITORIES)
@pytest.mark.parametrize("version", DIALECTS)
def test_a_dialect_is_that_of_its_python(version: str, name: str) -> None:
    files = repository(name, DIALECTS[version])
    modules = {path: file for path, file in files.items() if path.endswith(".py")}
    for path, file in modules.items():
        if VERSIONS.index(version) <= VERSIONS.index(ENGINE):
            assert syntax_error(path, file.data) == ""
    if version != "3.9":
        older = tuple(map(int, VERSIONS[VERSIONS.index(version) - 1].split(".")))
        assert any(_is_newer(file.data, older) for file in modules.values())


@pytest.mark.parametrize("version", DIALECTS)
def test_every_dialect_is_judged_where_its_python_is(version: str) -> None:
    if find(version) is None:
        pytest.skip(missing(version))
    assert version in HERE
    newer = [number for dealt, number in DEALT if dealt != HERE[number % len(HERE)]]
    dealt = [number for dealt, number in DEALT if dealt == version]
    assert len(dealt) >= len(cases()) // len(DIALECTS) - len(newer)
