"""What a Lambda function says of the revision that it runs, in its tags and its environment variables.

An environment holds secrets, so it is looked at only where the app asks for it and the function itself is
tagged `self-heal:environment = readable`. IAM cannot see to that: the same call tells the function's runtime,
which every heal needs. Of it, and of the tags, only what stands under the names below is looked at; a value
is told to the forge, and kept once the forge knows it as a revision; all that is said of any other is its
name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from botocore.exceptions import ClientError

from functions.core.aws.names import function_of
from functions.core.incidents.incident import Incident

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

# Most telling first; in lower case, and whatever separates their words as "_". A value that is no commit id
# counts where the repository has a tag of that name.
_NAMES = (
    # Ours: the tag self-heal:revision, the variable SELF_HEAL_REVISION.
    "self_heal_revision",
    # Datadog, "Service mapping for source code integration": DD_GIT_COMMIT_SHA, git.commit.sha.
    *("dd_git_commit_sha", "git_commit_sha"),
    # OpenTelemetry, "VCS attributes"; Open Container Initiative, "Annotations".
    *("vcs_ref_head_revision", "org_opencontainers_image_revision"),
    # Builds, whose variables are handed on; each lists them as its predefined or default variables: GitHub
    # Actions, GitLab, CodeBuild, Cloud Build, Jenkins' Git plugin, Bitbucket, CircleCI.
    *("github_sha", "ci_commit_sha", "codebuild_resolved_source_version", "commit_sha", "git_commit"),
    *("bitbucket_commit", "circle_sha1"),
    # In general use.
    *("git_sha", "git_revision", "git_hash", "commit_hash", "commit_id", "commit", "revision"),
    # Versions: Datadog, "Unified service tagging"; Sentry, "Releases".
    *("dd_version", "sentry_release", "release", "app_version", "version"),
)
# Yor writes the commit that last changed the infrastructure's code, which is another one: https://yor.io,
# "Tag groups". It leaves these beside it.
_YOR = {"yor_trace", "git_file"}

READABLE = ("self-heal:environment", "readable")
"""Tag of a function whose environment may be read, and its value."""

# 2026/11/20/[$LATEST]0123…, or the number of a published version, which has variables of its own.
_VERSION = re.compile(r"\d{4}/\d\d/\d\d/\[(\d{1,18})\][0-9a-f]+")

# What a heal goes on without. Anything else is raised: it passes, or somebody has to know of it.
# Source: "Errors" of ListTags and GetFunctionConfiguration in the Lambda API reference.
NO_ANSWER = {
    "ResourceNotFoundException": "there is no such function",
    "AccessDeniedException": "access was denied",
    "AccessDenied": "access was denied",
}


@dataclass(frozen=True, slots=True)
class Claim:
    """Somebody's word on what is deployed.

    by: who, to be followed by "names"; unknown: what to say when the forge has nothing of that name;
    branches: whether the name of a branch counts; anybody: whether anybody who can make the service log
    something may have said it.
    """

    by: str
    revision: str
    unknown: str
    branches: bool = False
    anybody: bool = False


@dataclass(frozen=True, slots=True)
class RevisionClaims:
    """What one source has to say, most telling first, and in `notes` why it has no more to say."""

    claims: tuple[Claim, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Failed:
    """The function whose log group an incident is from, and the version of it that wrote the log stream."""

    name: str
    arn: str
    version: str

    @classmethod
    def of(cls, incident: Incident) -> Self | None:
        """None for a log group that is no function's own."""
        name = function_of(incident.log_group)
        if not name:
            return None
        # A subscription delivers to its own account and region, where the heal runs too.
        partition, _, region, account = incident.execution_arn.split(":")[1:5]
        arn = f"arn:{partition}:lambda:{region}:{account}:function:{name}"
        version = _VERSION.fullmatch(incident.log_stream)
        return cls(name, arn, version[1] if version else "$LATEST")


def told_by_function(client: LambdaClient, incident: Incident, environment: bool) -> RevisionClaims:
    """What the function whose log group the incident is from names as deployed: by a tag, then by a variable.

    environment: whether the app asks for its variables.

    Raises botocore's ClientError, but not for a function that is gone or may not be looked at.
    """
    failed = Failed.of(incident)
    if failed is None:
        return RevisionClaims(
            notes=(f"log group {incident.log_group or 'unknown'} is no Lambda function's own",)
        )
    name = failed.name
    tags, why_no_tags = _read(
        f"tags of function {name}", lambda: client.list_tags(Resource=failed.arn).get("Tags", {})
    )
    variables, why_no_variables = _variables(client, failed, tags) if environment else ({}, "")
    claims = (
        *_claims("tag", name, tags),
        *_claims("variable", name, variables),
    )
    notes = tuple(filter(None, (why_no_tags, why_no_variables)))
    if not claims and not notes:
        notes = (f"no tag{' and no variable' if environment else ''} of function {name} says",)
    return RevisionClaims(claims, notes)


def _variables(
    client: LambdaClient, failed: Failed, tags: Mapping[str, str]
) -> tuple[Mapping[str, str], str]:
    what = f"environment of function {failed.name}"
    tag, value = READABLE
    if tags.get(tag) != value:
        return {}, f"{what}: the function is not tagged {tag} = {value}"
    return _read(what, lambda: _environment(client, failed))


def _environment(client: LambdaClient, failed: Failed) -> Mapping[str, str]:
    """The variables of the version that wrote the log stream."""
    found = client.get_function_configuration(FunctionName=failed.arn, Qualifier=failed.version).get(
        "Environment", {}
    )
    if "Error" in found:
        # Encrypted with a key that is not ours to use: the call succeeds all the same.
        raise ClientError({"Error": {"Code": "AccessDeniedException"}}, "GetFunctionConfiguration")
    return found.get("Variables", {})


def _read(what: str, call: Callable[[], Mapping[str, str]]) -> tuple[Mapping[str, str], str]:
    """The values, and why there are none."""
    try:
        return call(), ""
    except ClientError as error:
        why = NO_ANSWER.get(error.response["Error"]["Code"])
        if why is None:
            raise
        return {}, f"{what}: {why}"


def _claims(kind: str, function: str, values: Mapping[str, str]) -> Iterator[Claim]:
    by_name = {re.sub(r"[^a-z0-9]+", "_", name.lower()): name for name in sorted(values)}
    for wanted in _NAMES:
        name = by_name.get(wanted)
        if name is None or (wanted == "git_commit" and _YOR & by_name.keys()):
            continue
        by = f"{kind} {name} of function {function}"
        yield Claim(by, values[name].strip(), f"{by} names no commit and no tag of the repository")
