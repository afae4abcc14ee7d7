"""InstallDependencies' Lambda entry point."""

from __future__ import annotations

import os
from typing import Any

from functions.core.aws.edge import step
from functions.core.aws.settings import Settings
from functions.core.source.python import Python
from functions.core.workflow.heal import Heal
from functions.core.workflow.scoped import artifacts_of
from functions.core.workflow.switch import refuse_when_stopped
from functions.core.workflow.validation_context import ValidationContext
from functions.install_dependencies.install import day_after, installer_environment
from functions.install_dependencies.step import install_for, left_to


@step
def handler(event: dict[str, Any]) -> dict[str, Any]:
    """State input → {"key", "reason", "packages", "lost"}."""
    settings = Settings.from_environment()
    refuse_when_stopped(settings)
    heal = Heal.from_state(event)
    artifacts = artifacts_of(heal, settings)
    context = ValidationContext.load(artifacts, heal, event["source"].get("facts", ""))
    if project := context.app.codebuild_project:
        return left_to(project)
    python, environment = Python.from_state(event), installer_environment(os.environ, settings.package_index)
    as_of = day_after(event["source"].get("committed", ""))  # a heal that began before it was told has none
    return install_for(artifacts, event["source"]["key"], python, environment, settings.runs_on, as_of)
