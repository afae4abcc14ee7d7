"""Where this deployment's resources are: read from the environment that the stack sets, on first use."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields
from typing import Self

from functions.core.workflow.errors import PermanentError


@dataclass(frozen=True, slots=True)
class Settings:
    """Environment of the functions. A function gets only the variables it uses; asking for another raises."""

    incidents_table: str = ""
    deliveries_table: str = ""
    """Which deliveries were counted, and how much (see `functions.detect_errors.recorder`)."""
    approvals_table: str = ""
    artifacts_bucket: str = ""
    artifacts_role_arn: str = ""
    """What a step takes on to use the artifacts of its heal: see functions/core/workflow/scoped.py."""
    registry_path: str = ""
    """Parameter Store path below which each app has an entry, e.g. `/self-heal/apps`."""
    discovers: str = ""
    """Not empty where all log groups of the account are delivered, and tags of functions make apps."""
    canary_app: str = ""
    canary_log_group: str = ""
    """The app whose known error the canary logs, and where to."""
    topic_arn: str = ""
    personal_topic_arn: str = ""
    """Each of its subscribers gets the messages for that person only."""
    state_machine_arn: str = ""
    runner_arn: str = ""
    """Alias of the function in which patches run."""
    microvm_image: str = ""
    """ARN of the Lambda MicroVM image in which patches run instead, and of its way out."""
    microvm_connector: str = ""
    runs_on: str = ""
    """Machine type on which patches run, such as "aarch64", where it is not the functions' own."""
    token_key_arn: str = ""
    """KMS key that encrypts task tokens at rest."""
    link_key_parameter: str = ""
    """SecureString with the key that signs approval links."""
    webhooks_path: str = ""
    """Parameter Store path below which an app may have its channels' webhooks, as a SecureString."""
    slack_signing_path: str = ""
    """Parameter Store path below which an app may have its Slack app's signing secret, as a SecureString."""
    approval_url: str = ""
    """Base address of the approval page, ending in `/`."""
    approval_ttl_seconds: str = ""
    identity_from: str = ""
    """Who decides on the page: see `functions.core.approval.identity`."""
    oidc_issuer: str = ""
    oidc_client_id: str = ""
    client_secret_parameter: str = ""
    """SecureString with the OpenID Connect client's secret; there is none for a public client."""
    package_index: str = ""
    """Where packages for the tests come from; "" for the installer's own default."""
    failure_queue_url: str = ""
    switch_parameter: str = ""
    """Parameter that exists while all healing is stopped."""
    command_flag: str = ""
    """What makes a command that people are told act on this deployment, such as ` --stage beta`."""
    command_program: str = ""
    """What starts `selfheal` there, where its name does not: an embedded AWS says it, and"""
    console_url: str = ""
    """where its own pages are, which stand in for the AWS console."""
    heals_at_once: str = ""
    """How many heals may be under way at once in the whole deployment."""
    pythons: str = ""
    """The versions that apps can run on here, oldest first, separated by spaces."""

    @classmethod
    def from_environment(cls) -> Self:
        return cls(**{f.name: os.environ.get(f.name.upper(), "") for f in fields(cls)})

    def require(self, name: str) -> str:
        """The setting's value. Raises PermanentError naming the variable when the stack did not set it."""
        value = str(getattr(self, name))
        if not value:
            raise PermanentError(f"environment variable {name.upper()} is not set for this function")
        return value
