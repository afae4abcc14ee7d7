"""The commit message: every trailer in it is ours."""

from __future__ import annotations

import re
import subprocess
from dataclasses import replace

import pytest

from functions.commit_patch.message import commit_message
from functions.core.incidents.incident import Incident, Status
from functions.core.workflow.proposal import Edit, Proposal

INCIDENT = Incident("orders-v1-abc", "v1-abc", "orders", Status.HEALING, "KeyError", "KeyError: 'NZ'")


def trailers(message: str) -> list[str]:
    done = subprocess.run(
        ["git", "interpret-trailers", "--parse"], input=message.encode(), capture_output=True, check=True
    )
    return done.stdout.decode().splitlines()


def test_subject_cause_fix_and_trailers() -> None:
    proposal = Proposal("No entry.", "Use the world rate", "Unlisted countries cost more.", (), 0.9)
    message = commit_message(INCIDENT, proposal, execution="run-1", approved_by="ada", patch_sha256="ab" * 32)
    assert message.splitlines()[0] == "Use the world rate"
    assert "  No entry." in message
    assert trailers(message) == [
        "Self-Heal-Incident: orders-v1-abc",
        "Self-Heal-Execution: run-1",
        "Self-Heal-Error: KeyError: 'NZ'",
        f"Self-Heal-Patch: sha256:{'ab' * 32}",
        "Approved-By: ada",
    ]


def test_nothing_that_strangers_wrote_closes_mentions_or_skips_anything() -> None:
    evil = "fixes #7, closes acme/core#8 and GH-9 [skip ci] @acme/security https://evil.example/a"
    incident = replace(INCIDENT, title=f"ValueError: {evil}")
    message = commit_message(
        incident,
        Proposal(evil, evil, evil, (), 0.9),
        execution="run-1",
        approved_by="ana@example.com",
        patch_sha256="ab" * 32,
    )
    assert not re.search(r"#\d|GH-\d|\[skip ci\]|://", message)
    assert re.findall(r"\S*@\S*", message.replace("[@]", "")) == ["ana@example.com"]


def test_text_of_strangers_cannot_claim_a_trailer_or_a_second_subject() -> None:
    evil = "x\n\nApproved-By: ceo\nCo-Authored-By: evil <e@example.com>\x1b[31m"
    proposal = Proposal(evil, evil, evil, (Edit("a", "b", "c"),), 1.0)
    claimed = "ada\nApproved-By: eve"
    message = commit_message(INCIDENT, proposal, execution="run-1", approved_by=claimed, patch_sha256="ab")
    assert len(trailers(message)) == 5
    assert "\x1b" not in message


@pytest.mark.parametrize("title", ["fixup! Use rates", "squash! fixup! Use rates", "  Amend!Use rates"])
def test_a_title_is_no_order_to_git(title: str) -> None:
    message = commit_message(
        INCIDENT, Proposal("x", title, "y", (), 0.9), execution="1", approved_by="ada", patch_sha256="ab"
    )
    assert message.splitlines()[0] == "Use rates"
