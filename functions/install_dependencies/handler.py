"""InstallDependencies's Lambda entry point."""

from __future__ import annotations

from functions.core.aws.edge import step
from functions.install_dependencies.step import run

handler = step(run)
