"""What a CodeBuild build tells of itself, as Step Functions hands it on: every name with a capital letter."""

from __future__ import annotations

import re
from typing import Any

# Plain HTTP for what an embedded AWS, on this machine, answers with.
_URL = re.compile(r"(?:https://|http://127\.0\.0\.1:)[^\s<>()\"'`\\]{1,2000}")


def log_url(url: str) -> str:
    """The address of a build's log if it is one that may be shown as a link, else ""."""
    return url if _URL.fullmatch(url) else ""


def build_in(data: Any) -> dict[str, Any] | None:
    """The build in a result or in the cause of a failure, or None when there is none."""
    build = data.get("Build", data) if isinstance(data, dict) else None
    return build if isinstance(build, dict) and "BuildStatus" in build else None


def log_of(build: dict[str, Any]) -> str:
    """The console's page of the build's log, "" without one."""
    return log_url(str((build.get("Logs") or {}).get("DeepLink", "")))


def why(build: dict[str, Any]) -> str:
    """One line: how the build ended, in which phase, and why; where its log is."""
    text = f"the build ended with {build['BuildStatus']}"
    for phase in build.get("Phases", ()):
        if phase.get("PhaseStatus") not in (None, "SUCCEEDED"):
            contexts = (context.get("Message", "") for context in phase.get("Contexts", ()))
            text += f" in {phase['PhaseType']}: {'; '.join(message for message in contexts if message)}"
            break
    return f"{text.rstrip(': ')}. Log: {log}" if (log := log_of(build)) else text.rstrip(": ")
