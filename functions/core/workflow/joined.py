"""The incidents that are healed with another one, as its proof is told of them."""

from __future__ import annotations

from collections.abc import Sequence

from functions.core.incidents.incident import Incident
from functions.core.workflow.artifacts import Artifact, Artifacts
from functions.core.workflow.heal import Heal

MOST_REPRODUCED = 12
"""In one proof, of which each takes up to half a minute."""
MOST_NAMED = 30
"""Named beside these, as not reproduced."""


def keep(joined: Sequence[Incident], heal: Heal, artifacts: Artifacts) -> str:
    """Write them for this attempt's proof, those to be reproduced first; the reference."""
    return artifacts.put_json(heal.attempt_key(Artifact.JOINED), [other.to_json() for other in joined])
