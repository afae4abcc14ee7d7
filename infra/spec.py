"""What can be said of a Lambda function: how it is packaged, what it gets, and what it may do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum, auto

from functions.core.workflow.heal import HEAL_TAG, INCIDENT_TAG


class May(StrEnum):
    """A permission in the words of this system."""

    READ_INCIDENTS = auto()
    UPDATE_INCIDENTS = auto()
    QUERY_INCIDENTS = auto()
    """List an app's incidents through the index."""
    READ_APPROVALS = auto()
    COUNT_DELIVERIES = auto()
    """Remember which deliveries were counted."""
    OPEN_APPROVALS = auto()
    UPDATE_APPROVALS = auto()
    RUN_PATCHES = auto()
    RUN_MICROVMS = auto()
    """Run patches in MicroVMs instead."""
    READ_APP = auto()
    READ_SWITCH = auto()
    """See whether all healing is stopped."""
    LIST_APPS = auto()
    LOG_AS_CANARY = auto()
    """Write to the log group of the canary's app."""
    DISCOVER_APPS = auto()
    """Read what a function's tags say, and keep it for the others."""
    READ_CREDENTIALS = auto()
    READ_LINK_KEY = auto()
    READ_WEBHOOKS = auto()
    READ_SLACK_SIGNING = auto()
    READ_CLIENT_SECRET = auto()
    READ_LOGS = auto()
    READ_FUNCTIONS = auto()
    """Tags and configuration of the functions whose log groups are registered."""
    FIND_IMAGES = auto()
    """Where the images of these functions are."""
    SEE_LOG_STREAMS = auto()
    """When the registered log groups were last written to, and nothing of what."""
    READ_IMAGES = auto()
    """Configuration of these images."""
    KNOW_IDENTITY_CENTER = auto()
    """See whether a role is one of IAM Identity Center's."""
    NOTIFY = auto()
    NOTIFY_PERSONS = auto()
    """Send people their own links."""
    SEAL_TASK_TOKENS = auto()
    OPEN_TASK_TOKENS = auto()
    ANSWER_TASKS = auto()
    DESCRIBE_EXECUTIONS = auto()
    READ_HISTORY = auto()
    INVOKE_MODELS = auto()
    COUNT_TOKENS = auto()


# What IAM puts in their place: the tags of the session that a step takes on for each heal.
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
_INCIDENT, _HEAL = (f"${{aws:PrincipalTag/{tag}}}" for tag in (INCIDENT_TAG, HEAL_TAG))
OWN = f"{_INCIDENT}/{_HEAL}"
"""Where the artifacts of the heal lie that a step works for: `Heal.prefix`."""
RUNS, BUILDS = f"runs/{_HEAL}/*", f"builds/*/{_HEAL}/*"
"""Folders of its runs and builds."""
HEADS = (f"{OWN}/head-*.tar.gz", f"{OWN}/head-*.json")
"""Heads of the app's branch that a heal met: their source, and how it came there."""


@dataclass(frozen=True, slots=True)
class ArtifactAccess:
    """What a function may do in the artifacts bucket. Keys; `*` stands for anything, `/` included.

    Of OWN, RUNS and BUILDS, a session of one heal may use that heal's alone.
    """

    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    finds: tuple[str, ...] = ()
    """Prefixes below which it may see that there is no object."""

    @property
    def of_one_heal(self) -> bool:
        """Whether a session is for one heal, and not for all."""
        return any(_HEAL in key for key in (*self.reads, *self.writes))


@dataclass(frozen=True, slots=True)
class Spec:
    """One function. `timeout` in seconds, `memory` and `disk` in MiB."""

    folder: str
    image: bool
    """A container image (needs git, or compiled libraries), or a zip of our code alone beside the layer.

    Lambda puts images to sleep that nobody calls for weeks, and zips never: what somebody waits for is a zip.
    """
    timeout: int
    settings: tuple[str, ...]
    may: tuple[May, ...]
    artifacts: ArtifactAccess = ArtifactAccess()
    memory: int = 512
    disk: int = 512
    runs_strangers: bool = False
    """Runs code of strangers: in subnets from which nothing but jobs and reports can be reached, with a role
    that may do nothing, and never twice in the same execution environment."""
    concurrency: int | None = None
    """Reserved concurrency: at most so many at once, so that a storm cannot starve the account."""

    @property
    def construct_id(self) -> str:
        """`claim_incident` → `ClaimIncident`: for a step, the name of its Task state."""
        return "".join(word.capitalize() for word in self.folder.split("_"))
