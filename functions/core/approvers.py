"""Who may decide, and when one person's approval is enough.

An app may name its approvers: mail addresses (each gets a link of its own) and IAM ARNs (they decide on the
command line). The question keeps a copy, so that what counts is what held when it was asked.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

EVERYBODY = "team"
"""Recipient of the link when the app names no approvers: whoever reads the topic."""

# The session name of an IAM Identity Center role is the user's name there: nobody can choose another's. That
# of any other role is the caller's own choice, so that only the role itself says something.
# https://docs.aws.amazon.com/singlesignon/latest/userguide/using-service-linked-roles.html
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html, "sessions"
_IDENTITY_CENTER = re.compile(r"arn:[\w-]+:sts::\d+:assumed-role/AWSReservedSSO_[^/]+/(.+)")
_ROLE_SESSION = re.compile(r"arn:([\w-]+):sts::(\d+):assumed-role/([^/]+)/.+")


def person(identity: str) -> str:
    """Who an identity is, as far as AWS vouches for it; letters' case does not matter.

    The recipient of a link is itself; a session of IAM Identity Center is its user (so that the same person
    is recognised by link and on the command line); any other role's session is the role.
    """
    if match := _IDENTITY_CENTER.fullmatch(identity):
        return match[1].casefold()
    if match := _ROLE_SESSION.fullmatch(identity):
        return f"arn:{match[1]}:iam::{match[2]}:role/{match[3]}".casefold()
    return identity.casefold()


def may_decide(identity: str, approvers: Iterable[str]) -> bool:
    """Whether this identity is among the approvers; anybody may if there are none."""
    named = {approver.casefold() for approver in approvers}
    return not named or identity.casefold() in named or person(identity) in named


def with_links(approvers: Iterable[str]) -> tuple[str, ...]:
    """The approvers who are sent a link; IAM identities have no mailbox."""
    return tuple(approver for approver in approvers if not approver.startswith("arn:"))
