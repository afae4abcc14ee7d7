"""The pytest plugin that reports each test as it ends: one JSON line per collection, phase and end.

It runs beside code under test, so it imports nothing but the standard library and pytest, and works with old
versions of both (Python 3.9, pytest 6).
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from functions.harness.report import describe, write_line


class Reporter:
    """root: the tree's directory; report: a descriptor to write to; first: files whose tests run first."""

    def __init__(self, root: str, report: int, first: list[str]) -> None:
        self._root = root
        self._report = report
        self._first = frozenset(first)
        self._raised: dict[str, dict[str, Any]] = {}
        """Test that is running → what it, or a subtest of it, raised last."""
        self._subtests_failed: set[str] = set()

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Tests of the files that matter most come first; else the order stays."""
        items.sort(key=lambda item: item.nodeid.partition("::")[0] not in self._first)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self._tell(collected=[item.nodeid for item in session.items])

    def pytest_exception_interact(self, node: Any, call: pytest.CallInfo[Any]) -> None:
        if isinstance(node, pytest.Collector) and call.excinfo is not None:
            error = call.excinfo.value
            # pytest wraps what an import raised; the cause is what matters here.
            self._tell(collect_error=node.nodeid, exception=describe(error.__cause__ or error, self._root))

    @pytest.hookimpl(hookwrapper=True)  # what older versions of pytest have as well
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, Any, None]:
        outcome = yield
        if call.excinfo is not None and outcome.get_result().failed:
            self._raised[item.nodeid] = describe(call.excinfo.value, self._root)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """One report per phase; a subtest's (pytest-subtests, pytest 9) is another type, and counts as its
        test's."""
        if type(report) is not pytest.TestReport:
            if report.failed:
                self._subtests_failed.add(report.nodeid)
            return
        raised = self._raised.pop(report.nodeid, None)
        failed = report.failed or (report.when == "call" and report.nodeid in self._subtests_failed)
        self._tell(
            test=report.nodeid,
            when=report.when,
            outcome="failed" if failed else report.outcome,
            exception=raised if failed else None,
        )

    def pytest_sessionfinish(self, exitstatus: int) -> None:
        self._tell(finished=int(exitstatus))

    def _tell(self, **line: Any) -> None:
        write_line(self._report, line)
