"""The smoke test passes on the embedded run, leaves nothing behind, and says what does not work."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from infra import smoke
from infra.catalog import FUNCTIONS
from infra.cli.decide import identity
from infra.names import DEFAULT
from infra.smoke import SmokeCheck, examine

if TYPE_CHECKING:
    from tests.e2e.conftest import World

pytestmark = pytest.mark.embedded


def run(world: World) -> dict[str, SmokeCheck]:
    return {check.name: check for check in examine(world.target, identity(world.target))}


def left_behind(world: World) -> list[str]:
    parameters = world.client("ssm").get_parameters_by_path(Path=DEFAULT.registry)["Parameters"]
    # The bucket keeps versions: what is gone from a listing of objects may still be there.
    versions = world.client("s3").list_object_versions(Bucket=world.target.output("ArtifactsBucket"))
    kept = {row["Key"] for kind in ("Versions", "DeleteMarkers") for row in versions.get(kind, [])}
    rows = [incident.incident_id for incident in world.target.incidents.recent(limit=10_000)]
    names = [row["Name"].removeprefix(f"{DEFAULT.registry}/") for row in parameters]
    approvals = world.target.session.resource("dynamodb").Table(world.target.output("ApprovalsTable"))
    names += [str(row["app"]) for row in approvals.scan()["Items"] if "app" in row]
    return [name for name in (*names, *rows, *sorted(kept)) if "smoke-" in name]


def test_the_embedded_run_passes_and_nothing_is_left_of_it(world: World) -> None:
    checks = run(world)

    assert {name: check.detail for name, check in checks.items() if not check.passed} == {}
    assert checks.keys() == {*(spec.folder for spec in FUNCTIONS), "workflow", "sandbox", "question"}
    assert left_behind(world) == []


def test_a_wall_that_is_missing_is_told(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the sandbox allows, tried as if it must be refused."""
    monkeypatch.setattr(smoke, "WALLS", smoke.WALLS.replace('"/etc/canary"', '"/tmp/canary"'))

    checks = run(world)

    assert [name for name, check in checks.items() if not check.passed] == ["sandbox"]
    assert "refused" in checks["sandbox"].detail


def test_what_a_role_lacks_is_told_with_the_function_that_has_it(world: World) -> None:
    restore = world.deny("await_approval")
    try:
        checks = run(world)
    finally:
        restore()

    assert [name for name, check in checks.items() if not check.passed] == ["question"]
    assert "AccessDenied" in checks["question"].detail
    assert checks["await_approval"].passed, DEFAULT.function("await_approval")
    assert left_behind(world) == []
