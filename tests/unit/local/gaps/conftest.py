"""Two emulators for the tests of the gaps: as we run it, and MiniStack alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

from infra.local.emulator import Emulator
from tests.unit.local.gaps.bench import Bench, Gate, MiniStackAlone


@pytest.fixture
def gate(httpserver: HTTPServer) -> Iterator[Gate]:
    made = Gate(httpserver)
    yield made
    made.open.set()


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """The emulator, gaps filled; retries wait a hundredth of their time."""
    with Emulator(home(tmp_path_factory), wait_scale=0.01) as emulator:
        yield Bench(emulator)


@pytest.fixture(scope="session")
def ministack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """MiniStack as it is installed."""
    with MiniStackAlone(home(tmp_path_factory), wait_scale=0.01) as emulator:
        yield Bench(emulator)


def home(factory: pytest.TempPathFactory) -> Path:
    return factory.mktemp("aws")


@pytest.fixture
def unique(request: pytest.FixtureRequest) -> str:
    """A resource name for this test alone."""
    return "".join(c if c.isalnum() else "-" for c in request.node.name)[:60]
