"""Every way through the workflow: what the steps return on it, and where it ends."""

from __future__ import annotations

from typing import Any

START = [{"incident_id": "orders-1a2b"}]
CLAIMED: dict[str, Any] = {
    "claimed": True,
    "incident_id": "orders-1a2b",
    "app": "orders",
    "heal_id": "heal-1",
    "attempt": 0,
    "attempts_allowed": 2,
    "max_attempts": 2,
    "comment": "",
    "callback_decides": True,
    "second_opinion": False,
}
TO_BE_REVIEWED = CLAIMED | {"second_opinion": True}
SOURCE = {"key": "orders-1a2b/heal-1/source.tar.gz", "base_sha": "b" * 40, "revision_from": "registry"}
INSTALLED = {"key": "", "reason": "", "packages": 0}
PROPOSED = {
    "outcome": "proposed",
    "key": "orders-1a2b/heal-1/1/proposal.json",
    "title": "Guard",
    "reason": "",
}
INVALID = {"outcome": "invalid", "key": "", "title": "", "reason": "the answer was prose"}
ABSTAINED = {"outcome": "abstained", "key": "", "title": "", "reason": "the database is down"}
ACCEPTED = {"verdict": "accepted", "patch_sha256": "c" * 64, "reason": ""}
FIXED = ACCEPTED | {"verdict": "fixed", "fixed_by": {"sha": "e" * 40, "date": "", "said": "e by Ana"}}
DISPROVEN = {"verdict": "rejected", "patch_sha256": "c" * 64, "reason": "a test that passed now fails"}
ORDER = {
    "project": "self-heal-orders",
    "bucket": "artifacts",
    "folder": "builds/self-heal-orders/heal-1/1-9f",
    "nonce": "7c",
}
DEFERRED = {"verdict": "deferred", "build": ORDER}
TO_RUN = {"verdict": "deferred", "run": {**ORDER, "project": "", "folder": "runs/heal-1/1-9f"}}
RAN = {"ended": "", "lane": "lambda"}
# What the service answers is the whole build; here the parts that matter.
BUILT = {
    "Build": {
        "Arn": "arn:aws:codebuild:eu-central-1:111122223333:build/self-heal-orders:5d",
        "BuildStatus": "SUCCEEDED",
        "Environment": {"EnvironmentVariables": []},
        "Logs": {"DeepLink": "https://console.aws.amazon.com/log"},
    }
}
AGREES = {"opinion": "agrees", "summary": "It agrees.", "key": "r.json", "sent_back": False}
OBJECTS = {"opinion": "objects", "summary": "It objects: no.", "key": "r.json", "sent_back": True}
INSISTS = OBJECTS | {"sent_back": False}
PATCH, BASE = "c" * 64, "b" * 40
SMALL = {"decision": "approve", "by": "ana@example.com", "patch_sha256": PATCH}
"""What the README says to send from the console's token."""
APPROVE = {"decision": "approve", "by": "ana", "comment": "", "patch_sha256": "c" * 64, "base_sha": "b" * 40}
REVISE = {**APPROVE, "decision": "revise", "comment": "keep the old default"}
REJECT = {**APPROVE, "decision": "reject", "reason": "by_hand"}
COMMIT = {"branch": "self-heal/orders-1a2b", "sha": "d" * 40}
MOVED = {"moved": {"base_sha": "e" * 40, "head_key": "h", "history_key": "i"}}
LATE = {"late": {"incidents": ["orders-3c4d"], "joined_key": "j@sha256:2", "proposal_key": "p"}}
PULL = {"number": 7, "url": "https://forge/o/r/pull/7"}

Results = dict[str, list[Any]]


def heal(outcome: str, **results: list[Any]) -> Results:
    """Results of a heal's steps: those given, and what the others answer on the way to this outcome."""
    ended = [{"outcome": outcome, "incident_id": "orders-1a2b", "reason": ""}]
    found = {
        "ClaimIncident": [CLAIMED],
        "FetchSource": [SOURCE],
        "InstallDependencies": [INSTALLED],
        **results,
        "RecordOutcome": ended,
    }
    if outcome == "healed":
        found |= {"CommitPatch": [COMMIT], "CreatePullRequest": [PULL]}
    return found


NOT_CLAIMED = {
    "claimed": False,
    "busy": False,
    "observed": False,
    "held_back": False,
    "incident_id": "orders-1a2b",
    "reason": "",
}
ONLY_DIAGNOSE, ONLY_PROPOSE = CLAIMED | {"mode": "diagnose"}, CLAIMED | {"mode": "propose"}
PATHS: dict[str, tuple[Results, str]] = {
    "healed at the first try": (
        heal(
            "healed",
            ProposePatch=[PROPOSED],
            ValidatePatch=[TO_RUN, ACCEPTED],
            RunPatch=[RAN],
            AwaitApproval=[APPROVE],
        ),
        "Healed",
    ),
    "mended already on the head": (
        heal(
            "already_fixed",
            ProposePatch=[PROPOSED],
            ValidatePatch=[TO_RUN, TO_RUN, FIXED],
            RunPatch=[RAN, RAN],
        ),
        "AlreadyFixed",
    ),
    "the head changed under the patch while people decided": (
        heal(
            "healed",
            ProposePatch=[PROPOSED],
            ValidatePatch=[TO_RUN, ACCEPTED, TO_RUN, ACCEPTED],
            RunPatch=[RAN, RAN],
            AwaitApproval=[APPROVE, APPROVE | {"base_sha": "e" * 40}],
        )
        | {"CommitPatch": [MOVED, COMMIT]},
        "Healed",
    ),
    "others joined while people decided, and it is proven with them": (
        heal(
            "healed",
            ProposePatch=[PROPOSED | {"joined_key": "j@sha256:1"}],
            ValidatePatch=[TO_RUN, ACCEPTED, TO_RUN, ACCEPTED | {"evidence_key": "later"}],
            RunPatch=[RAN, RAN],
            AwaitApproval=[APPROVE | {"approval_id": "ap-1"}, APPROVE | {"approval_id": "ap-1"}],
        )
        | {"CommitPatch": [LATE, COMMIT]},
        "Healed",
    ),
    "others joined while people decided, whom neither it nor another patch mends": (
        heal(
            "healed",
            ProposePatch=[PROPOSED | {"joined_key": "j@sha256:1"}, PROPOSED],
            ValidatePatch=[ACCEPTED, DISPROVEN, DISPROVEN],
            AwaitApproval=[APPROVE, APPROVE],
        )
        | {"CommitPatch": [LATE, COMMIT]},
        "Healed",
    ),
    "others joined, and the head changed under the patch": (
        heal(
            "rejected",
            ProposePatch=[PROPOSED],
            ValidatePatch=[ACCEPTED, ACCEPTED],
            AwaitApproval=[APPROVE, REJECT | {"base_sha": "e" * 40}],
        )
        | {"CommitPatch": [MOVED | LATE]},
        "Rejected",
    ),
    "an approval that is not on record is asked for again": (
        heal(
            "healed",
            ProposePatch=[PROPOSED],
            ValidatePatch=[ACCEPTED],
            AwaitApproval=[APPROVE | {"approval_id": "of nobody"}, APPROVE],
        )
        | {"CommitPatch": [{"unconfirmed": "there is no approval 'of nobody'"}, COMMIT]},
        "Healed",
    ),
    "another execution has the incident": (
        {"ClaimIncident": [NOT_CLAIMED]},
        "Duplicate",
    ),
    "another incident with the same root cause is healed": (
        {"ClaimIncident": [NOT_CLAIMED | {"joined": True}]},
        "Joined",
    ),
    "the hour has had its heals": ({"ClaimIncident": [NOT_CLAIMED | {"held_back": True}]}, "HeldBack"),
    "what was claimed before there were modes": ({"ClaimIncident": [{"claimed": False}]}, "Duplicate"),
    "the app only observes": ({"ClaimIncident": [NOT_CLAIMED | {"observed": True}]}, "Observed"),
    "others are under way, twice, and then have ended": (
        heal(
            "abstained",
            ClaimIncident=[*[NOT_CLAIMED | {"busy": True}] * 2, CLAIMED],
            ProposePatch=[ABSTAINED],
        ),
        "Abstained",
    ),
    "the app only wants a diagnosis": (
        heal("diagnosed", ClaimIncident=[ONLY_DIAGNOSE], ProposePatch=[INVALID, PROPOSED]),
        "Diagnosed",
    ),
    "the app only wants a diagnosis, and the model has none": (
        heal("abstained", ClaimIncident=[ONLY_DIAGNOSE], ProposePatch=[ABSTAINED]),
        "Abstained",
    ),
    "the app only wants a proven patch": (
        heal(
            "proposed",
            ClaimIncident=[ONLY_PROPOSE],
            ProposePatch=[PROPOSED],
            ValidatePatch=[TO_RUN, ACCEPTED],
            RunPatch=[RAN],
        ),
        "Proposed",
    ),
    "the app only wants a proven patch, and a second opinion on it": (
        heal(
            "proposed",
            ClaimIncident=[ONLY_PROPOSE | {"second_opinion": True}],
            ProposePatch=[PROPOSED],
            ValidatePatch=[ACCEPTED],
            ReviewPatch=[AGREES],
        ),
        "Proposed",
    ),
    "the model abstains": (heal("abstained", ProposePatch=[ABSTAINED]), "Abstained"),
    "an invalid answer, then a good one": (
        heal("healed", ProposePatch=[INVALID, PROPOSED], ValidatePatch=[ACCEPTED], AwaitApproval=[APPROVE]),
        "Healed",
    ),
    "only invalid answers": (heal("abstained", ProposePatch=[INVALID, INVALID]), "Abstained"),
    "disproven, then proven": (
        heal(
            "healed",
            ProposePatch=[PROPOSED, PROPOSED],
            ValidatePatch=[DISPROVEN, ACCEPTED],
            AwaitApproval=[APPROVE],
        ),
        "Healed",
    ),
    "deferred to a build, and proven by what it ran": (
        heal(
            "healed",
            ProposePatch=[PROPOSED],
            ValidatePatch=[DEFERRED, ACCEPTED],
            RunBuild=[BUILT],
            AwaitApproval=[APPROVE],
        ),
        "Healed",
    ),
    "disproven by a build, then proven by another": (
        heal(
            "healed",
            ProposePatch=[PROPOSED, PROPOSED],
            ValidatePatch=[DEFERRED, DISPROVEN, DEFERRED, ACCEPTED],
            RunBuild=[BUILT, {"Build": {"Arn": "arn:2", "Logs": {}}}],
            AwaitApproval=[APPROVE],
        ),
        "Healed",
    ),
    "reviewed, and agreed with": (
        heal(
            "healed",
            ClaimIncident=[TO_BE_REVIEWED],
            ProposePatch=[PROPOSED],
            ValidatePatch=[ACCEPTED],
            ReviewPatch=[AGREES],
            AwaitApproval=[APPROVE],
        ),
        "Healed",
    ),
    "objected to, sent back once, objected to again, and asked about": (
        heal(
            "rejected",
            ClaimIncident=[TO_BE_REVIEWED],
            ProposePatch=[PROPOSED, PROPOSED],
            ValidatePatch=[ACCEPTED, ACCEPTED],
            ReviewPatch=[OBJECTS, INSISTS],
            AwaitApproval=[REJECT],
        ),
        "Rejected",
    ),
    "objected to at the last try, and asked about": (
        heal(
            "healed",
            ClaimIncident=[TO_BE_REVIEWED],
            ProposePatch=[INVALID, PROPOSED],
            ValidatePatch=[ACCEPTED],
            ReviewPatch=[OBJECTS],
            AwaitApproval=[APPROVE],
        ),
        "Healed",
    ),
    "never proven": (
        heal("abstained", ProposePatch=[PROPOSED, PROPOSED], ValidatePatch=[DISPROVEN, DISPROVEN]),
        "Abstained",
    ),
    "rejected by a human": (
        heal("rejected", ProposePatch=[PROPOSED], ValidatePatch=[ACCEPTED], AwaitApproval=[REJECT]),
        "Rejected",
    ),
    "changes asked for, then approved": (
        heal(
            "healed",
            ProposePatch=[PROPOSED, PROPOSED],
            ValidatePatch=[ACCEPTED, ACCEPTED],
            AwaitApproval=[REVISE, APPROVE],
        ),
        "Healed",
    ),
    "changes asked for after the last try, which grants as many again; none is proven": (
        heal(
            "healed",
            ProposePatch=[INVALID, PROPOSED, PROPOSED, PROPOSED],
            ValidatePatch=[ACCEPTED, DISPROVEN, DISPROVEN],
            AwaitApproval=[REVISE, APPROVE],
        ),
        "Healed",
    ),
    "changes asked for, then the head changed under the patch, and what was proven before is not kept": (
        heal(
            "abstained",
            ProposePatch=[PROPOSED, PROPOSED, INVALID],
            ValidatePatch=[ACCEPTED, ACCEPTED, DISPROVEN],
            AwaitApproval=[REVISE, APPROVE],
        )
        | {"CommitPatch": [MOVED]},
        "Abstained",
    ),
    "changes asked for twice, and the model has none": (
        heal(
            "rejected",
            ProposePatch=[PROPOSED, ABSTAINED, ABSTAINED],
            ValidatePatch=[ACCEPTED],
            AwaitApproval=[REVISE, REVISE, REJECT],
        ),
        "Rejected",
    ),
}
