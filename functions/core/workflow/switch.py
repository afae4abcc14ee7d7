"""The one switch that stops all healing: a parameter that exists while it is stopped.

Steps look at it before they do anything, so that a heal that is under way ends at its next step; it fails
there with HealingStopped, and a redrive resumes it there. New heals are held back. Errors are recorded all
the same.
"""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3

from functions.core.aws.settings import Settings
from functions.core.workflow.errors import HealingStopped

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient


class Switch:
    """Reads and throws the switch. `parameter`: its name; "" where a deployment has none."""

    def __init__(self, parameter: str, client: SSMClient | None = None) -> None:
        self._parameter = parameter
        self._client = client

    @property
    def _ssm(self) -> SSMClient:
        return self._client or _client()

    def stopped(self) -> str:
        """Who stopped all healing, when and why, as one clause; "" while it is not stopped.

        Whatever the parameter holds, it stops: somebody in a hurry may write it by hand.
        """
        if not self._parameter:
            return ""
        ssm = self._ssm
        try:
            value = ssm.get_parameter(Name=self._parameter)["Parameter"]["Value"]
        except ssm.exceptions.ParameterNotFound:
            return ""
        return _clause(value)

    def check(self) -> None:
        """Raises HealingStopped while all healing is stopped."""
        if why := self.stopped():
            raise HealingStopped(why)

    def stop(self, by: str, at: str, reason: str = "") -> None:
        """Stop all healing. Stopping again says the newer reason."""
        value = json.dumps({"by": by, "at": at, "reason": reason})
        self._ssm.put_parameter(Name=self._parameter, Value=value, Type="String", Overwrite=True)

    def start(self) -> bool:
        """Let healing go on; False if it was not stopped."""
        ssm = self._ssm
        try:
            ssm.delete_parameter(Name=self._parameter)
        except ssm.exceptions.ParameterNotFound:
            return False
        return True


@cache
def _client() -> SSMClient:
    """One for as long as a function is warm: making it takes longer than the question."""
    return boto3.client("ssm")


def refuse_when_stopped(settings: Settings) -> None:
    """What every step that does anything does first. Raises HealingStopped."""
    Switch(settings.switch_parameter).check()


def _clause(value: str) -> str:
    try:
        data: Any = json.loads(value)
        who, when, reason = str(data["by"]), str(data["at"]), str(data.get("reason") or "")
    except (ValueError, LookupError, TypeError):
        return "healing was stopped by hand"
    return f"healing was stopped by {who} at {when[:16]} UTC" + (f" ({reason})" if reason else "")
