"""Property tests try the same examples in every run; `make fuzz` tries new ones, and many more."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import settings
from pytest_httpserver import HTTPServer

settings.register_profile("same", derandomize=True, deadline=None)
settings.register_profile("new", max_examples=2_500, deadline=None, print_blob=True)
settings.load_profile("same")


@pytest.fixture(scope="session")
def make_httpserver() -> Iterator[HTTPServer]:
    """The server behind `httpserver`: one for all tests, which answers several at a time."""
    with HTTPServer("127.0.0.1", threaded=True) as server:
        yield server
