"""Who may decide, and when one person's approval is enough.

An app may name its approvers: mail addresses (each gets a link of its own), IAM ARNs (they decide on the
command line) and Slack users, `slack:U012AB3CD` (they decide with buttons). The question keeps a copy, so
that what counts is what held when it was asked. Nothing tells that a Slack user and a mail address are one
person.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence

from functions.core.untrusted.hidden import characters, disguises

EVERYBODY = "team"
"""Recipient of the link when the app names no approvers: whoever reads the topic."""

# The session name of an IAM Identity Center role is the user's name there: nobody can choose another's. That
# of any other role is the caller's own choice, so that only the role itself says something.
# https://docs.aws.amazon.com/singlesignon/latest/userguide/using-service-linked-roles.html
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html, "sessions"
_IDENTITY_CENTER = re.compile(r"arn:[\w-]+:sts::\d+:assumed-role/AWSReservedSSO_[^/]+/(.+)")
_ROLE_SESSION = re.compile(r"arn:([\w-]+):sts::(\d+):assumed-role/([^/]+)/.+")
# Ids of users, and of an Enterprise organisation's members. The name, which is the user's own choice and may
# change, is for readers only. https://docs.slack.dev/reference/objects/user-object
_SLACK_USER = re.compile(r"(slack:[UW][A-Z0-9]{2,30})( \([\w.-]{1,80}\))?")
_SLACK = "slack:"
# What can sign a request, so no group, policy or instance profile.
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-arns
_SIGNS = re.compile(
    r"arn:[\w-]+:(iam::\d{12}:(root|(user|role)/.+)|sts::\d{12}:(assumed-role|federated-user)/.+)"
)
_MAILBOX = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+\.?")
# One mailbox under two domains, whatever dots stand in its name; of Workspace's own domains dots count.
# https://support.google.com/mail/answer/7436150, https://support.google.com/mail/answer/10313
_GMAIL = ("gmail.com", "googlemail.com")


def person(identity: str) -> str:
    """Who an identity is, so that nobody counts as two: what `named` says, and of a mail address the mailbox.

    How an address is written does not matter (width of letters, blanks, a full stop at its end, a domain in
    letters or in Punycode), nor does what follows a `+` in its name (RFC 5233), nor, of Gmail's own, a dot.
    """
    who = named(unicodedata.normalize("NFKC", identity).strip())
    name, at, domain = who.rpartition("@")
    if not at or who.startswith("arn:"):
        return who
    name = name.partition("+")[0].strip() or name
    domain = _in_ascii(domain.strip().rstrip("."))
    if domain in _GMAIL:
        return f"{name.replace('.', '')}@{_GMAIL[0]}"
    return f"{name}@{domain}"


def _in_ascii(domain: str) -> str:
    try:
        return domain.encode("idna").decode()
    except UnicodeError:  # none that mail could be sent to
        return domain


def named(identity: str) -> str:
    """Who an identity is, as far as AWS or Slack vouches for it; letters' case does not matter.

    The recipient of a link is itself; a session of IAM Identity Center is its user (so that the same person
    is recognised by link and on the command line); any other role's session is the role; a Slack user is the
    id without the name.
    """
    if match := _SLACK_USER.fullmatch(identity):
        return match[1].casefold()
    if match := _IDENTITY_CENTER.fullmatch(identity):
        return match[1].casefold()
    if match := _ROLE_SESSION.fullmatch(identity):
        return f"arn:{match[1]}:iam::{match[2]}:role/{match[3]}".casefold()
    return identity.casefold()


def one_person(approvers: Iterable[str]) -> tuple[str, str] | None:
    """Two entries that are one person; None where each is another."""
    known: dict[str, str] = {}
    for approver in approvers:
        if who := known.get(person(approver)):
            return who, approver
        known[person(approver)] = approver
    return None


def never(approver: str) -> str:
    """Why this can be nobody who decides, as a sentence's end; "" where it may be somebody."""
    if unseen := characters(approver):
        return f"has characters that cannot be seen: {', '.join(unseen)}"
    if approver.startswith(_SLACK):
        return "is no Slack user's id, such as slack:U012AB3CD" if malformed(approver) else ""
    if approver.startswith("arn:"):
        return "" if _SIGNS.fullmatch(approver) else "is no ARN of an IAM user, role or session"
    if "@" in approver:
        return "" if _MAILBOX.fullmatch(approver.strip()) else "is no mail address"
    return ""


def only_signed_in(approver: str) -> bool:
    """Whether this is a name, which decides only where people sign in by such names."""
    return "@" not in approver and not approver.startswith(("arn:", _SLACK))


def doubts(approvers: Sequence[str], needed: int) -> Iterator[str]:
    """What nothing here can tell of these approvers, as sentences for whoever names them."""
    named_as = {
        "in Slack"
        if one.startswith(_SLACK)
        else "as an IAM identity"
        if one.startswith("arn:")
        else "by mail"
        for one in approvers
    }
    if needed > 1 and len(named_as) > 1:
        yield (
            f"approvers are named {' and '.join(sorted(named_as))}: whoever is named in two ways counts as"
            " two people; name each person once"
        )
    for one in filter(only_signed_in, approvers):
        yield (
            f"approver {one} is no mail address, IAM ARN or slack:ID: who that is can decide only where"
            " people sign in to the page, by such a name"
        )
    for one in approvers:
        for what in disguises(one):
            yield f"approver {one} has {what}: is it whom it looks like?"


def may_decide(identity: str, approvers: Iterable[str]) -> bool:
    """Whether this identity is among the approvers, as it is written there; anybody may if there are none."""
    those = {approver.casefold() for approver in approvers}
    return not those or identity.casefold() in those or named(identity) in those


def with_links(approvers: Iterable[str]) -> tuple[str, ...]:
    """The approvers who are sent a link; IAM identities and Slack users have no mailbox."""
    return tuple(approver for approver in approvers if not approver.startswith(("arn:", _SLACK)))


def in_slack(approvers: Iterable[str]) -> bool:
    """Whether a Slack user is among the approvers."""
    return any(approver.startswith(_SLACK) for approver in approvers)


def slack_user(user_id: str, name: str) -> str:
    """A Slack user as decisions record it: `slack:U012AB3CD (ana)`. Raises ValueError for no user id."""
    identity = f"{_SLACK}{user_id}"
    if malformed(identity):
        raise ValueError("not the id of a Slack user")
    named = f"{identity} ({name})"
    return named if _SLACK_USER.fullmatch(named) else identity


def malformed(approver: str) -> bool:
    """Whether this can be nobody: a Slack user is named by id, not by name, and without one."""
    return approver.startswith(_SLACK) and not (_SLACK_USER.fullmatch(approver) and " " not in approver)
