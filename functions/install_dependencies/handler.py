"""InstallDependencies' Lambda entry point."""

from __future__ import annotations

import os
from typing import Any

from functions.core.edge import step
from functions.core.facts import Facts
from functions.core.heal import Heal
from functions.core.python import Python
from functions.core.scoped import artifacts_of
from functions.core.settings import Settings
from functions.core.switch import refuse_when_stopped
from functions.install_dependencies.install import day_after, installer_environment
from functions.install_dependencies.step import install_for, left_to


@step
def handler(event: dict[str, Any]) -> dict[str, Any]:
    """State input → {"key", "reason", "packages", "lost"}."""
    settings = Settings.from_environment()
    refuse_when_stopped(settings)
    heal = Heal.from_state(event)
    artifacts = artifacts_of(heal, settings)
    facts = Facts.load(artifacts, heal, event["source"].get("facts", ""))
    if project := facts.app.codebuild_project:
        return left_to(project)
    python, environment = Python.from_state(event), installer_environment(os.environ, settings.package_index)
    as_of = day_after(event["source"].get("committed", ""))  # a heal that began before it was told has none
    return install_for(artifacts, event["source"]["key"], python, environment, settings.runs_on, as_of)
