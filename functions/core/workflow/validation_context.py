"""The validation context of a heal: what ValidatePatch must know of the incident and the app.

ValidatePatch runs code under test in subnets without a route to anything but S3, so it can ask neither the
incidents table nor the registry. FetchSource, which reads both, leaves it beside the source archive.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Self

from functions.core.apps.app import App
from functions.core.incidents.incident import Incident
from functions.core.source.python import Python
from functions.core.workflow.artifacts import Artifact, Artifacts
from functions.core.workflow.heal import Heal


@dataclass(frozen=True, slots=True)
class ValidationContext:
    """The incident as claimed and the app as registered when the source was fetched. No secrets in either."""

    incident: Incident
    app: App
    base_reason: str = ""
    """Why the commit that was fetched is that one."""
    submodules: tuple[str, ...] = ()
    """Directories that hold other repositories."""
    python: Python = field(default_factory=lambda: Python.from_json(None))
    """What the app runs on."""
    lost: tuple[str, ...] = ()
    """What of the repository's dependencies is missing or other than asked for: known after FetchSource, so
    not kept with the rest."""
    joined: tuple[Incident, ...] = ()
    """Incidents of the same cause that are healed with this one, each of which is to be reproduced: not kept
    with the rest either."""
    joined_beyond: int = 0
    """How many more there are than one proof reproduces."""

    @classmethod
    def load(cls, artifacts: Artifacts, heal: Heal, reference: str = "") -> Self:
        """Read what FetchSource wrote for this heal, by the reference that it told.

        An execution that began when none was told has none. Raises ArtifactChanged.
        """
        data: dict[str, Any] = artifacts.get_json(reference or heal.key(Artifact.CONTEXT))
        return cls(
            incident=Incident.from_item(data["incident"]),
            app=App.from_json(heal.app, data["app"]),
            base_reason=data.get("base_reason", ""),
            submodules=tuple(data.get("submodules", ())),
            python=Python.from_json(data.get("python")),
        )

    def save(self, artifacts: Artifacts, heal: Heal) -> str:
        """Write beside the heal's source archive; the reference. A second run overwrites with the same."""
        data = {
            "incident": self.incident.to_json(),
            "app": self.app.to_json(),
            "base_reason": self.base_reason,
            "submodules": list(self.submodules),
            "python": self.python.to_json(),
        }
        return artifacts.put_json(heal.key(Artifact.CONTEXT), data)
