"""What the runner's tests share: a bucket."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fakes.bucket import Bucket, serve


@pytest.fixture
def bucket() -> Iterator[Bucket]:
    """A server that gives and takes objects."""
    with serve() as held:
        yield held


@pytest.fixture
def event(bucket: Bucket) -> dict[str, str]:
    """What the dispatcher gives."""
    return {"job": f"{bucket.address}/runs/1/job.zip", "report": f"{bucket.address}/runs/1/report.json"}
