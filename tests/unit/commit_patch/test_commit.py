"""Committing exactly the approved bytes, to a forge that is really there."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from functions.commit_patch.commit import Approved, check, commit
from functions.core.forge.git_remote import Remote
from functions.core.workflow.errors import (
    ApprovalMismatch,
    BranchConflict,
    ForgeAccessDenied,
    ForgeUnavailable,
    RepositoryNotFound,
)
from infra.local.forge import Outage

if TYPE_CHECKING:
    from tests.unit.conftest import Hosted

PATCH = b"""diff --git a/rates.py b/rates.py
--- a/rates.py
+++ b/rates.py
@@ -2,4 +2,4 @@


 def rate(country):
-    return RATES[country]
+    return RATES.get(country)
diff --git a/tests/test_rates.py b/tests/test_rates.py
new file mode 100644
--- /dev/null
+++ b/tests/test_rates.py
@@ -0,0 +1,2 @@
+def test_rate():
+    assert True
"""
SHA = hashlib.sha256(PATCH).hexdigest()
BRANCH = "self-heal/orders-v1-abc"
MESSAGE = "Fix it\n\nBecause.\n"


@pytest.fixture
def remote(hosted: Hosted) -> Remote:
    return Remote.of(hosted.app, hosted.token)


@pytest.fixture
def approved(hosted: Hosted) -> Approved:
    return Approved(SHA, hosted.base_sha, "2026-11-20T12:00:00+00:00")


def test_the_branch_holds_one_commit_with_the_patch(
    hosted: Hosted, remote: Remote, approved: Approved
) -> None:
    made = commit(remote, PATCH, approved, BRANCH, MESSAGE)
    assert hosted.git("rev-parse", f"refs/heads/{BRANCH}") == made.sha
    assert hosted.git("rev-parse", f"{made.sha}^") == hosted.base_sha
    assert "RATES.get(country)" in hosted.git("show", f"{made.sha}:rates.py")
    assert hosted.git("log", "-1", "--format=%an %ad %B", "--date=iso-strict", made.sha).startswith(
        "Self-Healing Code 2026-11-20T12:00:00+00:00 Fix it"
    )
    assert hosted.git("diff", "--name-only", hosted.base_sha, made.sha).split() == [
        "rates.py",
        "tests/test_rates.py",
    ]


def test_twice_is_the_same_commit(hosted: Hosted, remote: Remote, approved: Approved) -> None:
    assert commit(remote, PATCH, approved, BRANCH, MESSAGE) == commit(
        remote, PATCH, approved, BRANCH, MESSAGE
    )
    assert hosted.git("rev-list", "--count", BRANCH) == "2"


def test_a_branch_with_other_content_is_never_overwritten(
    hosted: Hosted, remote: Remote, approved: Approved
) -> None:
    theirs = hosted.branch(BRANCH)
    with pytest.raises(BranchConflict, match=BRANCH):
        commit(remote, PATCH, approved, BRANCH, MESSAGE)
    assert hosted.git("rev-parse", f"refs/heads/{BRANCH}") == theirs


def test_the_base_is_the_approved_one_even_when_main_moved_on(
    hosted: Hosted, remote: Remote, approved: Approved
) -> None:
    hosted.branch("main")
    made = commit(remote, PATCH, approved, BRANCH, MESSAGE)
    assert hosted.git("rev-parse", f"{made.sha}^") == hosted.base_sha


@pytest.mark.parametrize(
    "patch",
    [PATCH.replace(b"RATES[country]", b"OTHER[country]"), b"not a patch", b""],
    ids=["other-context", "garbage", "empty"],
)
def test_a_patch_that_does_not_apply_is_refused(
    hosted: Hosted, remote: Remote, approved: Approved, patch: bytes
) -> None:
    with pytest.raises(ApprovalMismatch, match="nothing was committed"):
        commit(remote, patch, approved, BRANCH, MESSAGE)
    assert hosted.git("branch", "--list", BRANCH) == ""


def test_a_base_that_is_gone_is_named(remote: Remote, approved: Approved) -> None:
    with pytest.raises(RepositoryNotFound, match="no longer there"):
        commit(remote, PATCH, replace(approved, base_sha="0" * 39 + "1"), BRANCH, MESSAGE)


def test_wrong_credentials_and_a_forge_in_trouble_are_told_apart(
    hosted: Hosted, remote: Remote, approved: Approved
) -> None:
    with pytest.raises(ForgeAccessDenied):
        commit(replace(remote, token="wrong"), PATCH, approved, BRANCH, MESSAGE)
    hosted.forge.outage = Outage(503)
    with pytest.raises(ForgeUnavailable):
        commit(remote, PATCH, approved, BRANCH, MESSAGE)
    hosted.forge.stop()
    with pytest.raises(ForgeUnavailable):
        commit(remote, PATCH, approved, BRANCH, MESSAGE)


def test_only_the_approved_bytes_on_the_approved_base_pass(approved: Approved) -> None:
    check(PATCH, SHA, approved.base_sha, approved)
    for patch, validated, base, decision in (
        (PATCH + b" ", SHA, approved.base_sha, approved),
        (PATCH, "0" * 64, approved.base_sha, approved),
        (PATCH, SHA, "0" * 40, approved),
        (PATCH, SHA, approved.base_sha, replace(approved, patch_sha256="0" * 64)),
        (PATCH, SHA, approved.base_sha, replace(approved, base_sha="0" * 40)),
    ):
        with pytest.raises(ApprovalMismatch):
            check(patch, validated, base, decision)
