"""What must be there before the stack can be deployed."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import boto3
from botocore.exceptions import ClientError

from infra.doctor.checks import Check, Fault, Moot
from infra.doctor.stack import LEAST_CONCURRENCY, MORE_CONCURRENCY
from infra.names import Names
from infra.subscription import Subscribe

_LEAST_BOOTSTRAP = 6
"""Templates ask for it: https://docs.aws.amazon.com/cdk/v2/guide/bootstrapping-env.html"""
_BOOTSTRAP_VERSION = "/cdk-bootstrap/hnb659fds/version"


@dataclass(frozen=True)
class Before:
    """An account, a region and this machine, as they are. Each thing is looked at when a check asks."""

    session: boto3.Session
    names: Names
    options: Mapping[str, str]
    """The deployment's, see `infra.stack.Options`."""
    builds_images: bool

    @property
    def region(self) -> str:
        return self.session.region_name or ""

    @cached_property
    def account(self) -> str:
        return str(self.session.client("sts").get_caller_identity()["Account"])

    @property
    def bootstrap_version(self) -> int:
        """0 where the account is not bootstrapped for this region."""
        ssm = self.session.client("ssm")
        try:
            return int(ssm.get_parameter(Name=_BOOTSTRAP_VERSION)["Parameter"]["Value"])
        except ssm.exceptions.ParameterNotFound:
            return 0

    @cached_property
    def status(self) -> str:
        """CloudFormation's of the stack, "" where there is none."""
        try:
            stacks = self.session.client("cloudformation").describe_stacks(StackName=self.names.stack)
        except ClientError as error:
            if "does not exist" in str(error):
                return ""
            raise
        return str(stacks["Stacks"][0]["StackStatus"])

    @property
    def was_never_deployed(self) -> bool:
        """Whether all there is of the stack is what its first deployment left, which failed."""
        return self.status in ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED")

    def release(self) -> None:
        """Let a stack be deleted. The CDK deletes one that was never deployed before it deploys anew, and has
        protected it before the first attempt."""
        self.session.client("cloudformation").update_termination_protection(
            StackName=self.names.stack, EnableTerminationProtection=False
        )

    @property
    def docker_answers(self) -> bool:
        try:
            asked = subprocess.run(["docker", "info"], capture_output=True, timeout=60, check=False)
        except (OSError, subprocess.TimeoutExpired):
            return False
        return asked.returncode == 0

    @property
    def account_policy(self) -> str:
        """Name of the account's subscription policy, "" without one."""
        asked = self.session.client("logs").describe_account_policies(policyType="SUBSCRIPTION_FILTER_POLICY")
        return next((row["policyName"] for row in asked["accountPolicies"]), "")

    @property
    def concurrency(self) -> int:
        limit: Any = self.session.client("lambda").get_account_settings()["AccountLimit"]
        return int(limit["ConcurrentExecutions"])


def region_is_chosen(seen: Before) -> Fault | None:
    """AWS_REGION or the profile names one."""
    return None if seen.region else Fault("no region is chosen", "export AWS_REGION=eu-central-1")


def account_answers(seen: Before) -> Fault | None:
    """The credentials of the environment are there, and accepted."""
    return None if seen.account else Fault("no account answers", "aws sso login")


def account_is_bootstrapped(seen: Before) -> Fault | None:
    """The CDK has its bucket and its roles there, of a version that is new enough."""
    version = seen.bootstrap_version
    if version >= _LEAST_BOOTSTRAP:
        return None
    what = f"has version {version}" if version else "is not bootstrapped"
    return Fault(f"account {seen.account} {what} in {seen.region}", "selfheal deploy --bootstrap")


def docker_runs(seen: Before) -> Fault | None:
    """Functions that need git or run tests are container images, which are built here."""
    if not seen.builds_images:
        raise Moot
    if seen.docker_answers:
        return None
    return Fault("`docker info` fails", "sudo systemctl start docker")


def concurrency_can_be_reserved(seen: Before) -> Fault | None:
    """A new account may run few functions at once, and refuses to reserve any."""
    if seen.options.get("reserve_concurrency", "").lower() == "false":
        raise Moot
    if seen.concurrency >= LEAST_CONCURRENCY:
        return None
    return Fault(
        f"the account may run {seen.concurrency} functions at once; {LEAST_CONCURRENCY} are needed to reserve"
        " some: have the limit raised, or deploy with -c reserve_concurrency=false",
        MORE_CONCURRENCY,
    )


def account_has_room_for_a_policy(seen: Before) -> Fault | None:
    """An account has one subscription policy in a region, which may be somebody else's."""
    if seen.options.get("subscribe") != Subscribe.ACCOUNT:
        raise Moot
    there = seen.account_policy
    if there in ("", seen.names.filter):
        return None
    return Fault(
        f"the account has the subscription policy {there}, and can have no other",
        f"aws logs delete-account-policy --policy-type SUBSCRIPTION_FILTER_POLICY --policy-name {there}",
    )


def stack_can_be_changed(seen: Before) -> Fault | None:
    """Nothing is being done to it, and nothing is left that could not be removed of it."""
    name = seen.names.stack
    # In review is one of which nothing was made yet: the CDK begins it anew.
    if seen.status.endswith("_IN_PROGRESS") and seen.status != "REVIEW_IN_PROGRESS":
        return Fault(
            f"{name} is {seen.status}", f"aws cloudformation describe-stack-events --stack-name {name}"
        )
    if seen.status == "DELETE_FAILED":
        return Fault(
            f"{name} is {seen.status}, and can only be removed", f"selfheal destroy{seen.names.flag}"
        )
    return None


CHECKS: tuple[Check[Before], ...] = (
    region_is_chosen,
    account_answers,
    account_is_bootstrapped,
    docker_runs,
    concurrency_can_be_reserved,
    account_has_room_for_a_policy,
    stack_can_be_changed,
)
