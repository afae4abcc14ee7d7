"""Committing exactly the approved bytes, to a forge that is really there."""

from __future__ import annotations

import hashlib
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from functions.commit_patch import commit as step
from functions.commit_patch.commit import Approved, check
from functions.core.forge.git_remote import Remote
from functions.core.forge.signing import SigningKey
from functions.core.source.archive import read
from functions.core.source.head import Head
from functions.core.workflow.errors import (
    ApprovalMismatch,
    BranchConflict,
    ForgeAccessDenied,
    ForgeUnavailable,
    RepositoryNotFound,
)
from functions.core.workflow.state import CommitState
from tests.fakes.forge import Outage
from tests.fakes.ssh import new_key

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


def commit(
    hosted: Hosted, approved: Approved, patch: bytes = PATCH, **options: Any
) -> CommitState | Head | None:
    remote = Remote.of(hosted.app, hosted.token)
    return step.commit(hosted.app, remote, patch, approved, BRANCH, MESSAGE, **options)


def made_on(hosted: Hosted, approved: Approved, **options: Any) -> CommitState:
    made = commit(hosted, approved, **options)
    assert isinstance(made, CommitState)
    return made


@pytest.fixture
def approved(hosted: Hosted) -> Approved:
    return Approved(SHA, hosted.base_sha, "2026-11-20T12:00:00+00:00")


def test_the_branch_holds_one_commit_with_the_patch(hosted: Hosted, approved: Approved) -> None:
    made = made_on(hosted, approved)
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


def test_twice_is_the_same_commit(hosted: Hosted, approved: Approved) -> None:
    assert commit(hosted, approved) == commit(hosted, approved)
    assert hosted.git("rev-list", "--count", BRANCH) == "2"


def test_a_branch_with_other_content_is_never_overwritten(hosted: Hosted, approved: Approved) -> None:
    theirs = hosted.branch(BRANCH)
    with pytest.raises(BranchConflict, match=BRANCH):
        commit(hosted, approved)
    assert hosted.git("rev-parse", f"refs/heads/{BRANCH}") == theirs


def test_what_the_bot_pushed_before_is_replaced_until_somebody_else_pushed_to_the_branch(
    hosted: Hosted, approved: Approved
) -> None:
    """A pull request that is followed up keeps its branch."""
    revised = PATCH.replace(b"get(country)", b"get(country, 0)")
    ours = made_on(hosted, approved).sha
    again = made_on(hosted, approved, patch=revised, replaces=ours)
    assert hosted.git("rev-list", BRANCH).split() == [again.sha, hosted.base_sha]
    assert "get(country, 0)" in hosted.git("show", f"{BRANCH}:rates.py")
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.com")
    theirs = hosted.git(*identity, "commit-tree", f"{again.sha}^{{tree}}", "-p", again.sha, "-m", "mine")
    hosted.git("update-ref", f"refs/heads/{BRANCH}", theirs)
    with pytest.raises(BranchConflict, match=BRANCH):
        commit(hosted, approved, replaces=again.sha)
    assert hosted.git("rev-parse", f"refs/heads/{BRANCH}") == theirs


def changed(hosted: Hosted, commit_sha: str) -> str:
    return hosted.git("diff", "--full-index", "--no-renames", f"{commit_sha}^", commit_sha)


def test_a_head_that_moved_elsewhere_gets_the_same_patch(hosted: Hosted, approved: Approved) -> None:
    before = made_on(hosted, approved)
    hosted.git("update-ref", "-d", f"refs/heads/{BRANCH}")
    moved = hosted.branch("main")
    made = made_on(hosted, approved)
    assert made.base_sha == hosted.git("rev-parse", f"{made.sha}^") == moved
    assert changed(hosted, made.sha) == changed(hosted, before.sha)


def test_a_head_that_changed_what_the_patch_touches_is_handed_back_for_a_proof(
    hosted: Hosted, approved: Approved
) -> None:
    shifted = '"""Rates."""\n\n' + hosted.git("show", "main:rates.py") + "\n"
    moved = hosted.branch("main", "rates.py", content=shifted.encode())
    head = commit(hosted, approved)
    assert isinstance(head, Head)
    assert head.sha == moved
    assert {member.path: member.data for member in read(head.archive)}["rates.py"].decode() == shifted
    assert head.history
    assert [step.sha for step in head.history] == [moved]
    assert hosted.git("branch", "--list", BRANCH) == "", "nothing was committed"


def test_a_heal_that_began_before_heads_could_move_goes_on_what_was_approved(
    hosted: Hosted, approved: Approved
) -> None:
    hosted.branch("main", "rates.py")
    assert made_on(hosted, approved, may_move=False).base_sha == hosted.base_sha


def test_a_push_whose_answer_was_lost_is_found_again_wherever_the_head_is_by_now(
    hosted: Hosted, approved: Approved
) -> None:
    made = made_on(hosted, approved)
    hosted.branch("main", "rates.py")
    assert commit(hosted, approved) == made


def test_what_is_to_be_proven_first_is_not_committed_unless_it_was_pushed_before(
    hosted: Hosted, approved: Approved
) -> None:
    assert commit(hosted, approved, hold=True) is None
    assert hosted.git("branch", "--list", BRANCH) == "", "nothing was committed"
    made = made_on(hosted, approved)
    assert commit(hosted, approved, hold=True) == made, "the answer of an earlier run was lost"


def test_where_the_head_has_changed_too_that_is_what_it_is_proven_on(
    hosted: Hosted, approved: Approved
) -> None:
    shifted = '"""Rates."""\n\n' + hosted.git("show", "main:rates.py") + "\n"
    moved = hosted.branch("main", "rates.py", content=shifted.encode())
    head = commit(hosted, approved, hold=True)
    assert isinstance(head, Head)
    assert head.sha == moved


class TestForcePushed:
    """Somebody rewrote the target branch between the approval and the commit."""

    def _rewritten(self, hosted: Hosted, content: bytes) -> str:
        """The branch begins anew, in a history of its own; the approved base lies on the forge still."""
        other = hosted.branch("other", "rates.py", content=content)
        tree = hosted.git("rev-parse", f"{other}^{{tree}}")
        identity = ("-c", "user.name=t", "-c", "user.email=t@example.com")
        root = hosted.git(*identity, "commit-tree", tree, "-m", "rewritten")
        hosted.git("update-ref", "refs/heads/main", root)
        hosted.git("update-ref", "-d", "refs/heads/other")
        return root

    def test_with_the_same_files_it_gets_the_same_patch_and_nothing_of_the_old_history(
        self, hosted: Hosted, approved: Approved
    ) -> None:
        root = self._rewritten(hosted, (hosted.git("show", "main:rates.py") + "\n").encode())
        made = made_on(hosted, approved)
        assert made.base_sha == root
        assert hosted.git("rev-list", made.sha).split() == [made.sha, root]
        assert "RATES.get(country)" in hosted.git("show", f"{made.sha}:rates.py")

    def test_with_other_content_it_is_handed_back_for_a_proof(
        self, hosted: Hosted, approved: Approved
    ) -> None:
        root = self._rewritten(hosted, b"RATES = {}\n\n\ndef rate(country):\n    return 0\n")
        head = commit(hosted, approved)
        assert isinstance(head, Head)
        assert (head.sha, head.history) == (root, None)
        assert head.unknown
        assert hosted.git("branch", "--list", BRANCH) == "", "nothing was committed"


def test_a_base_that_was_rewritten_away_is_proven_anew(hosted: Hosted, approved: Approved) -> None:
    head = commit(hosted, replace(approved, base_sha="0" * 39 + "1"))
    assert isinstance(head, Head)
    assert head.sha == hosted.base_sha


@pytest.mark.parametrize(
    "patch",
    [PATCH.replace(b"RATES[country]", b"OTHER[country]"), b"not a patch", b""],
    ids=["other-context", "garbage", "empty"],
)
def test_a_patch_that_does_not_apply_is_refused(hosted: Hosted, approved: Approved, patch: bytes) -> None:
    with pytest.raises(ApprovalMismatch, match="nothing was committed"):
        commit(hosted, approved, patch)
    assert hosted.git("branch", "--list", BRANCH) == ""


def test_a_base_that_is_gone_is_named_where_it_cannot_be_proven_anew(
    hosted: Hosted, approved: Approved
) -> None:
    with pytest.raises(RepositoryNotFound, match="no longer there"):
        commit(hosted, replace(approved, base_sha="0" * 39 + "1"), may_move=False)


def test_wrong_credentials_and_a_forge_in_trouble_are_told_apart(hosted: Hosted, approved: Approved) -> None:
    with pytest.raises(ForgeAccessDenied):
        commit(replace(hosted, token="wrong"), approved)
    hosted.forge.outage = Outage(503)
    with pytest.raises(ForgeUnavailable):
        commit(hosted, approved)
    hosted.forge.stop()
    with pytest.raises(ForgeUnavailable):
        commit(hosted, approved)


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


class TestSigned:
    """A commit by the app's own key and account, which git itself verifies."""

    @pytest.fixture
    def key(self) -> SigningKey:
        return SigningKey.from_text(new_key())

    def test_git_calls_the_signature_good_and_the_key_known(
        self, hosted: Hosted, approved: Approved, key: SigningKey, tmp_path: Path
    ) -> None:
        account = replace(hosted.app, commit_author="Shop Bot <bot@shop.example>")
        made = made_on(replace(hosted, app=account), approved, key=key)
        signers = tmp_path / "signers"
        signers.write_text(f"bot@shop.example {key.public}\n")
        known = ("-c", f"gpg.ssh.allowedSignersFile={signers}")
        hosted.git(*known, "verify-commit", made.sha)
        shown = hosted.git(*known, "log", "-1", "--format=%G? %GS|%an <%ae>|%cn <%ce>", made.sha)
        who = "Shop Bot <bot@shop.example>"
        assert shown == f"G bot@shop.example|{who}|{who}"
        assert hosted.git("diff", "--name-only", hosted.base_sha, made.sha).split() == [
            "rates.py",
            "tests/test_rates.py",
        ]

    def test_a_commit_that_was_changed_after_it_was_signed_is_not_verified(
        self, hosted: Hosted, approved: Approved, key: SigningKey, tmp_path: Path
    ) -> None:
        made = made_on(hosted, approved, key=key)
        raw = hosted.git("cat-file", "commit", made.sha) + "\n"
        changed = raw.replace("Because.", "Trust me.").encode()
        forged = hosted.git("hash-object", "-t", "commit", "-w", "--stdin", stdin=changed)
        signers = tmp_path / "signers"
        signers.write_text(f"* {key.public}\n")
        with pytest.raises(subprocess.CalledProcessError):
            hosted.git("-c", f"gpg.ssh.allowedSignersFile={signers}", "verify-commit", forged)

    def test_the_step_that_runs_twice_makes_the_same_commit(
        self, hosted: Hosted, approved: Approved, key: SigningKey
    ) -> None:
        assert made_on(hosted, approved, key=key) == made_on(hosted, approved, key=key)

    def test_a_branch_with_the_same_commit_unsigned_is_somebody_s(
        self, hosted: Hosted, approved: Approved, key: SigningKey
    ) -> None:
        made_on(hosted, approved)
        with pytest.raises(BranchConflict):
            commit(hosted, approved, key=key)
