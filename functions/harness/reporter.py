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
        result = outcome.get_result()
        error = call.excinfo.value if call.excinfo is not None and result.failed else None
        self._tell(
            test=item.nodeid,
            when=call.when,
            outcome=result.outcome,
            exception=None if error is None else describe(error, self._root),
        )

    def pytest_sessionfinish(self, exitstatus: int) -> None:
        self._tell(finished=int(exitstatus))

    def _tell(self, **line: Any) -> None:
        write_line(self._report, line)
