"""Every Lambda function of the system: how it is packaged, what it gets, and what it may do.

One row per folder under `functions/`. `settings` are its environment variables (fields of
`core.aws.settings.Settings`), `may` is everything that its role allows beside its own log group, X-Ray
and its `artifacts`; `infra/permissions.py` says what each permission means in IAM.
"""

from __future__ import annotations

from functions.core.workflow.artifacts import Artifact
from infra.spec import BUILDS, HEADS, OWN, RUNS, ArtifactAccess, May, Spec

# Asking and deciding share this: an answer that was recorded but not delivered is delivered by either.
_DECIDE = (May.OPEN_TASK_TOKENS, May.ANSWER_TASKS, May.READ_HISTORY)

_INCIDENTS = (May.READ_INCIDENTS, May.UPDATE_INCIDENTS)
_ARTIFACTS = ("artifacts_bucket", "artifacts_role_arn")

_SHOWN = (
    Artifact.ORIGIN,
    *(Artifact.EVIDENCE, Artifact.FINDINGS, Artifact.OUTCOME, Artifact.PATCH),
    *(Artifact.PROMPT, Artifact.PROPOSAL, Artifact.REVIEW),
)
"""What the page shows of a heal."""

_PROPOSED = ("JOINED", "PROMPT", "ANSWER", "PROPOSAL", "FINDINGS", "OUTCOME")
"""What an attempt leaves before it is judged."""

# The timeouts of steps end before the state's own TimeoutSeconds, so that the history names the function's.
STEPS = (
    Spec(
        "claim_incident",
        image=False,
        timeout=45,
        settings=(
            "command_flag",
            "switch_parameter",
            "heals_at_once",
            "incidents_table",
            "registry_path",
            "topic_arn",
        ),
        may=(May.READ_SWITCH, *_INCIDENTS, May.QUERY_INCIDENTS, May.READ_APP, May.NOTIFY),
    ),
    Spec(
        "fetch_source",
        image=True,
        timeout=280,
        memory=1024,
        disk=2048,
        artifacts=ArtifactAccess(
            reads=(f"{OWN}/{Artifact.SOURCE_TOLD}",),
            writes=(
                f"{OWN}/{Artifact.SOURCE}",
                f"{OWN}/{Artifact.SOURCE_TOLD}",
                f"{OWN}/{Artifact.CONTEXT}",
                f"{OWN}/{Artifact.EARLIER}",
                f"{OWN}/{Artifact.ORIGIN}",
                *HEADS,
            ),
            finds=(f"{OWN}/*",),
        ),
        settings=("switch_parameter", "incidents_table", *_ARTIFACTS, "registry_path", "pythons"),
        may=(
            *(May.READ_SWITCH, *_INCIDENTS, May.READ_APP),
            *(May.READ_CREDENTIALS, May.READ_FUNCTIONS, May.FIND_IMAGES, May.READ_IMAGES),
        ),
    ),
    Spec(
        "install_dependencies",
        image=True,
        timeout=280,
        memory=2048,
        disk=2048,
        settings=("switch_parameter", *_ARTIFACTS, "package_index"),
        # Shared between heals: what is read from there is checked against its name.
        artifacts=ArtifactAccess(
            reads=(f"{OWN}/{Artifact.SOURCE}", f"{OWN}/{Artifact.CONTEXT}", "dependencies/*.json"),
            writes=("dependencies/*",),
            finds=("dependencies/*",),
        ),
        may=(May.READ_SWITCH,),
    ),
    Spec(
        "propose_patch",
        image=True,
        timeout=880,
        memory=1024,
        disk=1024,
        artifacts=ArtifactAccess(
            reads=(f"{OWN}/*",),
            writes=(
                *(f"{OWN}/*/{Artifact[name]}" for name in _PROPOSED),
                f"{OWN}/{Artifact.REFUSED}",
            ),
            finds=(f"{OWN}/*",),
        ),
        settings=("switch_parameter", "incidents_table", *_ARTIFACTS, "registry_path"),
        may=(
            *(May.READ_SWITCH, *_INCIDENTS, May.QUERY_INCIDENTS, May.READ_APP, May.INVOKE_MODELS),
            May.COUNT_TOKENS,
        ),
    ),
    Spec(
        "validate_patch",
        image=True,
        timeout=280,
        memory=2048,
        artifacts=ArtifactAccess(
            reads=(
                f"{OWN}/{Artifact.SOURCE}",
                *HEADS,
                f"{OWN}/{Artifact.CONTEXT}",
                f"{OWN}/*/{Artifact.JOINED}",
                f"{OWN}/*/{Artifact.PROPOSAL}",
                f"{OWN}/*/{Artifact.EXPERIMENT}",
                f"{OWN}/*/{Artifact.DEPLOYED}",
                f"{OWN}/*/{Artifact.QUESTIONS}",
                "dependencies/*.tar.gz",
                RUNS,
                BUILDS,
            ),
            writes=(
                f"{OWN}/*/{Artifact.EXPERIMENT}",
                f"{OWN}/*/{Artifact.DEPLOYED}",
                f"{OWN}/*/{Artifact.PATCH}",
                f"{OWN}/*/{Artifact.EVIDENCE}",
                f"{OWN}/*/{Artifact.FINDINGS}",
                f"{OWN}/*/{Artifact.QUESTIONS}",
                RUNS,
                BUILDS,
            ),
            finds=(f"{OWN}/*",),
        ),
        settings=("switch_parameter", *_ARTIFACTS),
        may=(May.READ_SWITCH,),
    ),
    Spec(
        "run_patch",
        # Not for git: it names a tenant, which the SDK that Lambda's runtime brings may be too old for.
        image=True,
        # Longer than the runner's own, so that its end is heard.
        timeout=900,
        memory=256,
        settings=("switch_parameter", *_ARTIFACTS, "runner_arn"),
        # To sign their addresses for the run, and to see whether it has left its report.
        artifacts=ArtifactAccess(
            reads=(f"{RUNS}/{Artifact.JOB}", f"{RUNS}/{Artifact.REPORT}"),
            writes=(f"{RUNS}/{Artifact.REPORT}",),
        ),
        may=(May.READ_SWITCH, May.RUN_PATCHES),
    ),
    Spec(
        "review_patch",
        image=True,
        timeout=880,
        artifacts=ArtifactAccess(
            reads=(f"{OWN}/*",),
            writes=(
                f"{OWN}/*/{Artifact.REVIEW}",
                f"{OWN}/*/{Artifact.REVIEW_ANSWER}",
                f"{OWN}/*/{Artifact.FINDINGS}",
                f"{OWN}/{Artifact.REFUSED}",
            ),
            finds=(f"{OWN}/*",),
        ),
        settings=("switch_parameter", "incidents_table", *_ARTIFACTS, "registry_path"),
        may=(May.READ_SWITCH, *_INCIDENTS, May.READ_APP, May.INVOKE_MODELS),
    ),
    Spec(
        "await_approval",
        # For the patch's own words in a letter: what masks secrets in them is no library of the layer's.
        image=True,
        timeout=55,
        settings=(
            "command_flag",
            *("switch_parameter", "incidents_table", "approvals_table", *_ARTIFACTS, "registry_path"),
            *("topic_arn", "personal_topic_arn", "token_key_arn", "link_key_parameter", "webhooks_path"),
            *("approval_url", "approval_ttl_seconds", "identity_from"),
        ),
        artifacts=ArtifactAccess(
            reads=(f"{OWN}/*/{Artifact.EVIDENCE}", f"{OWN}/*/{Artifact.PATCH}", f"{OWN}/{Artifact.ORIGIN}"),
            finds=(f"{OWN}/*",),
        ),
        may=(
            *(May.READ_SWITCH, *_INCIDENTS, May.OPEN_APPROVALS, May.UPDATE_APPROVALS, May.READ_APP),
            *(May.READ_LINK_KEY, May.READ_WEBHOOKS, May.SEAL_TASK_TOKENS, May.NOTIFY, May.NOTIFY_PERSONS),
            *_DECIDE,
        ),
    ),
    Spec(
        "commit_patch",
        image=True,
        timeout=280,
        memory=1024,
        disk=2048,
        settings=("switch_parameter", *_ARTIFACTS, "registry_path", "incidents_table", "approvals_table"),
        artifacts=ArtifactAccess(
            reads=(
                f"{OWN}/*/{Artifact.PATCH}",
                f"{OWN}/*/{Artifact.PROPOSAL}",
                f"{OWN}/*/{Artifact.EVIDENCE}",
            ),
            writes=(*HEADS, f"{OWN}/*/{Artifact.JOINED}"),
        ),
        may=(May.READ_SWITCH, May.READ_INCIDENTS, May.READ_APPROVALS, May.READ_APP, May.READ_CREDENTIALS),
    ),
    Spec(
        "create_pull_request",
        image=True,
        timeout=110,
        settings=("switch_parameter", "command_flag", "incidents_table", *_ARTIFACTS, "registry_path"),
        artifacts=ArtifactAccess(
            reads=(
                f"{OWN}/*/{Artifact.PATCH}",
                f"{OWN}/*/{Artifact.PROPOSAL}",
                f"{OWN}/*/{Artifact.EVIDENCE}",
                f"{OWN}/*/{Artifact.REVIEW}",
            )
        ),
        may=(May.READ_SWITCH, May.READ_INCIDENTS, May.READ_APP, May.READ_CREDENTIALS),
    ),
    Spec(
        "record_outcome",
        image=False,
        timeout=45,
        settings=(
            *("command_flag", "incidents_table", "approvals_table", "registry_path"),
            *("topic_arn", "webhooks_path"),
        ),
        may=(*_INCIDENTS, May.READ_APPROVALS, May.READ_APP, May.READ_WEBHOOKS, May.NOTIFY),
    ),
)

OTHERS = (
    Spec(
        "detect_errors",
        image=True,
        timeout=60,
        settings=(
            "command_flag",
            "switch_parameter",
            "incidents_table",
            "deliveries_table",
            "registry_path",
            "topic_arn",
        ),
        may=(
            *(May.READ_SWITCH, *_INCIDENTS, May.COUNT_DELIVERIES, May.QUERY_INCIDENTS, May.LIST_APPS),
            *(May.READ_LOGS, May.NOTIFY),
        ),
        # One write per error and batch needs little; what waits is retried by Lambda for an hour.
        concurrency=10,
    ),
    Spec(
        "decide_approval",
        image=False,
        timeout=29,
        # A whole CPU, which comes with memory: somebody waits, and what takes half as long costs no more.
        memory=1769,
        settings=(
            "command_flag",
            *("incidents_table", "approvals_table", "artifacts_bucket", "registry_path"),
            *("link_key_parameter", "slack_signing_path", "identity_from"),
        ),
        # No step of one heal: it shows whatever is asked, and writes nothing.
        artifacts=ArtifactAccess(reads=tuple(f"*/{name}" for name in _SHOWN), finds=("*",)),
        may=(
            *(*_INCIDENTS, May.QUERY_INCIDENTS, May.LIST_APPS, May.UPDATE_APPROVALS, May.READ_LINK_KEY),
            *(May.READ_SLACK_SIGNING, *_DECIDE),
        ),
        # The one address on the open internet: whoever hammers it can exhaust this function only.
        concurrency=10,
    ),
    Spec(
        "take_decision",
        image=False,
        timeout=29,
        settings=("incidents_table", "approvals_table"),
        may=(*_INCIDENTS, May.UPDATE_APPROVALS, May.KNOW_IDENTITY_CENTER, *_DECIDE),
    ),
    Spec(
        "report_failure",
        image=True,
        timeout=30,
        settings=("command_flag", "incidents_table", "topic_arn", "webhooks_path"),
        may=(May.UPDATE_INCIDENTS, May.DESCRIBE_EXECUTIONS, May.READ_HISTORY, May.READ_WEBHOOKS, May.NOTIFY),
    ),
    Spec(
        "remind_approvers",
        image=True,
        timeout=110,
        settings=(
            "command_flag",
            *("incidents_table", "approvals_table", "artifacts_bucket", "registry_path", "topic_arn"),
            *("personal_topic_arn", "link_key_parameter", "webhooks_path", "approval_url", "identity_from"),
        ),
        artifacts=ArtifactAccess(
            reads=(f"*/{Artifact.EVIDENCE}", f"*/{Artifact.PATCH}", f"*/{Artifact.PROPOSAL}")
        ),
        may=(
            *(*_INCIDENTS, May.QUERY_INCIDENTS, May.UPDATE_APPROVALS, May.LIST_APPS, May.READ_LINK_KEY),
            *(May.READ_WEBHOOKS, May.NOTIFY, May.NOTIFY_PERSONS),
        ),
    ),
    Spec(
        "track_pull_requests",
        image=True,
        timeout=280,
        settings=("command_flag", "switch_parameter", "incidents_table", "registry_path"),
        may=(
            *(May.READ_SWITCH, *_INCIDENTS, May.QUERY_INCIDENTS, May.LIST_APPS, May.READ_CREDENTIALS),
            *(May.READ_FUNCTIONS, May.SEE_LOG_STREAMS),
        ),
        # Two runs at once would ask the forge the same questions.
        concurrency=1,
    ),
)

FUNCTIONS = STEPS + OTHERS
"""What every deployment has."""

SIGN_IN = Spec(
    "sign_in",
    image=False,
    timeout=25,
    settings=("oidc_issuer", "oidc_client_id", "client_secret_parameter", "approval_url", "identity_from"),
    may=(May.READ_CLIENT_SECRET,),
    # Open to the internet, as it must be: whoever hammers it exhausts it alone.
    concurrency=5,
)
"""Only where people sign in before they see the page."""

CANARY = Spec(
    "canary",
    image=False,
    timeout=45,
    settings=("incidents_table", "canary_app", "canary_log_group"),
    may=(May.UPDATE_INCIDENTS, May.QUERY_INCIDENTS, May.LOG_AS_CANARY),
)
"""Only where a test app is named for it."""

RUNNER = Spec(
    "runner",
    image=True,
    timeout=870,
    memory=4096,
    disk=6144,
    runs_strangers=True,
    settings=(),
    may=(),
)
"""Where patches run. Nothing invokes it but RunPatch."""

EVERY = (*FUNCTIONS, RUNNER, SIGN_IN, CANARY)
