"""A deployment of a test's own: what it does not name is what the settings lead to, on moto's AWS."""

from __future__ import annotations

from typing import Any

from functions.core.aws.deployment import Deployment
from functions.core.aws.settings import Settings

PAGE = "https://page.example/"


class FixedKeys:
    """Link keys that need no parameter."""

    def __init__(self, keys: tuple[bytes, ...]) -> None:
        self._keys = keys

    def all(self) -> tuple[bytes, ...]:
        return self._keys


def around(scene: Any, identity_from: str = "link", **instead: Any) -> Deployment:
    """What the functions see of a scene (tests/unit/conftest.py)."""
    settings = Settings(
        identity_from=identity_from,
        approval_url=PAGE,
        registry_path="/self-heal/apps",
        slack_signing_path="/self-heal/slack-signing",
        webhooks_path="/self-heal/webhooks",
    )
    parts = {
        "approvals": scene.approvals,
        "incidents": scene.incidents,
        "artifacts": scene.artifacts,
        "artifacts_of": lambda heal: scene.artifacts,
        "decisions": scene.decisions,
        "tokens": scene.tokens,
        "link_keys": FixedKeys(scene.keys),
        "visits": lambda _: scene.workflow.visits,
    }
    return Deployment(settings, **(parts | instead))
