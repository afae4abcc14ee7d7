"""Names that the stack and the command line must agree on. No CDK here: the command starts fast."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from functions.core.aws.names import FUNCTION_PREFIX

_STAGE = re.compile(r"[a-z][a-z0-9]{0,11}")


@dataclass(frozen=True)
class Names:
    """All names of one deployment. An account may have several, each with a `stage` in all of its names.

    Raises ValueError for what is no stage.
    """

    stage: str = ""
    """Such as `beta`; "" for the deployment that needs no telling apart."""

    def __post_init__(self) -> None:
        if self.stage and not _STAGE.fullmatch(self.stage):
            raise ValueError(
                f"stage {self.stage!r} must be of a-z and 0-9, begin with a letter, and have at most 12"
            )

    @cached_property
    def prefix(self) -> str:
        """Begins the name of everything that has one, with hyphen: `self-heal-`, `self-heal-beta-`."""
        return FUNCTION_PREFIX + (f"{self.stage}-" if self.stage else "")

    @property
    def stack(self) -> str:
        """The CloudFormation stack, and the beginning of the names that CloudFormation makes."""
        return f"SelfHealingCode-{self.stage}" if self.stage else "SelfHealingCode"

    @property
    def flag(self) -> str:
        """What a suggested command must carry to act on this deployment."""
        return f" --stage {self.stage}" if self.stage else ""

    @property
    def parameters(self) -> str:
        """Parameter Store path below which all parameters of the deployment lie."""
        return "/" + self.prefix.rstrip("-")

    @property
    def registry(self) -> str:
        """Path below which each app has an entry."""
        return f"{self.parameters}/apps"

    @property
    def discovered(self) -> str:
        """Path below which it lies what the tags of functions said."""
        return f"{self.registry}/discovered"

    @property
    def credentials(self) -> str:
        """Path below which each app's forge token lies, under the app's own name."""
        return f"{self.parameters}/credentials"

    @property
    def webhooks(self) -> str:
        return f"{self.parameters}/webhooks"

    @property
    def slack_signing(self) -> str:
        return f"{self.parameters}/slack-signing"

    @property
    def sign_in_client(self) -> str:
        return f"{self.parameters}/sign-in-client-secret"

    @property
    def canary(self) -> str:
        """Log group into which the canary logs a known error."""
        return f"{self.parameters}/canary"

    @property
    def switch(self) -> str:
        """Exists while all healing is stopped: `selfheal stop` and `selfheal start`, or by hand."""
        return f"{self.parameters}/stopped"

    @property
    def link_key(self) -> str:
        """SecureString, created by `selfheal configure`: CloudFormation cannot create one."""
        return f"{self.parameters}/link-key"

    @property
    def workflow(self) -> str:
        """State machine and pipe have fixed names: functions and policies name them before they exist."""
        return f"{self.prefix}workflow"

    @property
    def dashboard(self) -> str:
        return self.prefix.rstrip("-")

    @property
    def bus(self) -> str:
        """The event bus, and the registry of its schemas."""
        return self.prefix.rstrip("-")

    @property
    def life_events(self) -> str:
        """The pipe that fills the bus."""
        return f"{self.prefix}life-events"

    @property
    def filter(self) -> str:
        """The subscription filter of each log group, or the policy for all of the account's."""
        return self.prefix.rstrip("-")

    @property
    def builds(self) -> str:
        """The stack's own CodeBuild project."""
        return f"{self.prefix}builds"

    def function(self, folder: str) -> str:
        """The Lambda function's name: `claim_incident` → `self-heal-claim-incident`."""
        return self.prefix + folder.replace("_", "-")


DEFAULT = Names()
"""Without a stage."""
TAG = "self-heal:deployment"
"""Tag of everything that a stack makes; its value is the stack's name."""
ACCOUNT_POLICY = "AccountPolicy"
"""Output of a stack that subscribes to all log groups of the account, and of no other: the policy's name."""
