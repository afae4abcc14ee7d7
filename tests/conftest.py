"""Property tests try the same examples in every run; `make fuzz` tries new ones, and many more.

Suites that go through a whole collection, or every place where something can be lost, are marked `slow` but
for a part of them: `make check` runs that part, and CI the rest too (`make test-slow`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import settings
from pytest_httpserver import HTTPServer

settings.register_profile("same", derandomize=True, deadline=None)
settings.register_profile("new", max_examples=2_500, deadline=None, print_blob=True)
settings.load_profile("same")

_TESTS = Path(__file__).parent
_SLOW = {
    "e2e/page/test_accessibility.py": 0,
    "e2e/page/test_browser.py": 0,
    "e2e/page/test_hostile_texts.py": 0,
    "e2e/page/test_sign_in.py": 0,
    "e2e/page/test_slack.py": 0,
    "e2e/test_all_log_groups.py": 0,
    "e2e/test_artifacts.py": 0,
    "e2e/test_bad_input.py": 0,
    "e2e/test_cli.py": 0,
    "e2e/test_codebuild.py": 0,
    "e2e/test_flood.py": 0,
    "e2e/test_heal.py": 4,
    "e2e/test_joined.py": 0,
    "e2e/test_operator.py": 0,
    "e2e/test_redrive.py": 0,
    "e2e/test_revision.py": 0,
    "e2e/test_rollout.py": 0,
    "e2e/test_twice.py": 0,
    "unit/core/forge/test_contract.py": 4,
    "unit/create_pull_request/test_lost_answers.py": 10,
    "unit/detect_errors/test_linear.py": 10,
    "unit/local/test_interrupted.py": 10,
    "unit/propose_patch/test_models.py": 10,
    "unit/propose_patch/test_origins.py": 10,
    "unit/trial/test_attacks.py": 10,
    "unit/validate_patch/test_capabilities.py": 10,
    "unit/validate_patch/test_dialects.py": 10,
    "unit/validate_patch/test_right_fixes.py": 0,
    "unit/validate_patch/test_validate.py": 4,
}
"""File → of how many of its tests one is not slow, 0 for none."""


@pytest.hookimpl(tryfirst=True)  # before tests are chosen by their marks
def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    seen: Counter[str] = Counter()
    for item in items:
        name = item.path.relative_to(_TESTS).as_posix() if item.path.is_relative_to(_TESTS) else ""
        if name in _SLOW:
            every = _SLOW[name]
            if not every or seen[name] % every:
                item.add_marker("slow")
            seen[name] += 1


@pytest.fixture(scope="session")
def make_httpserver() -> Iterator[HTTPServer]:
    """The server behind `httpserver`: one for all tests, which answers several at a time."""
    with HTTPServer("127.0.0.1", threaded=True) as server:
        yield server
