"""Property tests try the same examples in every run; `make fuzz` tries new ones, and many more."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import pytest
from botocore.loaders import Loader, create_loader
from hypothesis import settings

settings.register_profile("same", derandomize=True, deadline=None)
settings.register_profile("new", max_examples=2_500, deadline=None, print_blob=True)
settings.load_profile("same")


@pytest.fixture(scope="session", autouse=True)
def services_are_described_once() -> Iterator[None]:
    """Every session of boto3 reads anew what describes a service: 0.14 s of CPU for what one test uses."""
    loader_of = cache(create_loader)

    def shared(search_path_string: str | None = None) -> Loader:
        loader = loader_of(search_path_string)
        loader.search_paths[:] = dict.fromkeys(loader.search_paths)  # boto3 adds its own each time
        return loader

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("botocore.session.create_loader", shared)
        yield
