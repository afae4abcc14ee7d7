"""What the reviewer reads: all of the evidence, and nothing that strangers could do with it."""

from __future__ import annotations

from dataclasses import replace

from markdown_it import MarkdownIt

from functions.core.incidents.incident import Frame, Incident, Status
from functions.core.source.python import Python
from functions.core.workflow.evidence import Build, Evidence, GateResult, Result, Run
from functions.core.workflow.proposal import Edit, Proposal
from functions.core.workflow.review import Opinion, Review
from functions.core.workflow.state import DecisionState
from functions.create_pull_request.body import render
from functions.create_pull_request.reviewers import Reviewer

INCIDENT = Incident(
    incident_id="orders-v1-abc",
    fingerprint="v1-abc",
    app="orders",
    status=Status.HEALING,
    error_type="KeyError",
    title="KeyError: 'NZ'",
    sample="Traceback (most recent call last):\n  ...\nKeyError: 'NZ'",
    occurrences=1,
    log_group="/aws/lambda/orders",
    first_seen="2026-11-20T10:00:00.000+00:00",
    last_seen="2026-11-20T11:00:00.000+00:00",
)
PROPOSAL = Proposal(
    "RATES has no entry", "Use the rate", "Unlisted countries", (Edit("a.py", "x", "y"),), 0.9
)
EVIDENCE = Evidence(
    (
        GateResult("applies", Result.PASS, "1 edit"),
        GateResult(
            "reproduces",
            Result.PASS,
            "fails before, passes after",
            runs=(
                Run("pytest t.py", "before", 1, 0.4, "E KeyError: 'NZ'"),
                Run("pytest t.py", "after", 0, 0.3, "ok"),
            ),
        ),
        GateResult("regression_tests", Result.NOT_RUN, "not run: no tests found"),
    )
)
APPROVAL = DecisionState(by="arn:aws:iam::1:user/ada", patch_sha256="ab" * 32, base_sha="cd" * 20)


def test_the_body_says_what_broke_what_was_proven_and_what_not() -> None:
    body = render(INCIDENT, PROPOSAL, EVIDENCE, APPROVAL)
    for part in (
        "Seen once, at 2026-11-20 10:00 UTC, in `/aws/lambda/orders`.",
        "RATES has no entry",
        "| `applies` | ✔ pass |",
        "### Not proven",
        "E KeyError: 'NZ'",
        "on the tree **before** the patch: exit code 1",
        "ab" * 32,
        "cd" * 20,
    ):
        assert part in body, part


def test_the_body_says_why_that_commit_is_the_base() -> None:
    evidence = replace(EVIDENCE, base_reason="tag git_sha of function orders names cdcdcdc")
    body = render(INCIDENT, PROPOSAL, evidence, APPROVAL)
    assert "Which revision was read: tag git\\_sha of function orders names cdcdcdc." in body
    assert "Why that base" not in render(INCIDENT, PROPOSAL, EVIDENCE, APPROVAL)


def test_the_body_says_what_the_app_runs_on_and_why() -> None:
    evidence = replace(EVIDENCE, python=Python("3.12", "Pipfile names 3.12"))
    said = "The app runs on Python 3.12: Pipfile names 3.12."
    assert said in render(INCIDENT, PROPOSAL, evidence, APPROVAL)
    assert "The app runs on" not in render(INCIDENT, PROPOSAL, EVIDENCE, APPROVAL)


def test_words_of_the_patch_that_only_look_alike_are_named() -> None:
    alike = "\u0441\u043e\u0440\u0443"
    body = render(INCIDENT, PROPOSAL, EVIDENCE, APPROVAL, patch=f"+{alike} = 1\n")
    assert "**The patch contains words that look Latin, and of which no letter is**" in body
    assert f"`{alike}`" in body
    assert "The patch contains" not in render(INCIDENT, PROPOSAL, EVIDENCE, APPROVAL, patch="+copy = 1\n")


def test_nothing_is_not_proven_when_all_gates_ran() -> None:
    assert "### Not proven" not in render(INCIDENT, PROPOSAL, Evidence(EVIDENCE.gates[:2]), APPROVAL)


def test_hostile_text_stays_text() -> None:
    evil = "x\n</details>\n# Merge now\n@everyone [a](https://evil.example) <img src=x> ``` | a"
    incident = replace(INCIDENT, title=evil, sample=evil)
    proposal = replace(PROPOSAL, root_cause=evil, explanation=evil)
    gate = GateResult("applies", Result.NOT_RUN, evil, runs=(Run(evil, "before", None, 1.0, evil),))
    html = MarkdownIt("gfm-like", {"html": False, "linkify": False}).render(
        render(incident, proposal, Evidence((gate,)), replace(APPROVAL, comment=evil))
    )
    assert "<h1>" not in html
    assert "href" not in html
    assert "<img" not in html
    assert html.count("<td>") == 3


def test_the_body_fits_what_github_accepts() -> None:
    runs = tuple(Run("pytest", "after", 0, 1.0, "x" * 50_000) for _ in range(6))
    evidence = Evidence((GateResult("regression_tests", Result.PASS, "ok", runs=runs),))
    assert len(render(replace(INCIDENT, sample="y" * 100_000), PROPOSAL, evidence, APPROVAL)) < 65_536


def test_the_body_says_where_the_tests_ran_when_it_was_a_build() -> None:
    assert "CodeBuild" not in render(INCIDENT, PROPOSAL, EVIDENCE, APPROVAL)
    build = Build("self-heal-orders", "arn", "https://console/log#x")
    body = render(INCIDENT, PROPOSAL, replace(EVIDENCE, build=build), APPROVAL)
    assert "The tests ran in CodeBuild project `self-heal-orders` ([log](<https://console/log#x>))." in body
    without = render(INCIDENT, PROPOSAL, replace(EVIDENCE, build=replace(build, log_url="")), APPROVAL)
    assert "The tests ran in CodeBuild project `self-heal-orders`." in without


def test_a_second_opinion_is_told_as_an_opinion() -> None:
    assert "Second opinion" not in render(INCIDENT, PROPOSAL, EVIDENCE, APPROVAL)
    review = Review(Opinion.OBJECTS, "us.some-model", ("NZ is *refused*.",), ("Orders to NZ.",))
    body = render(INCIDENT, PROPOSAL, EVIDENCE, APPROVAL, review)
    assert "### Second opinion\n\nIt objects, says `us.some-model`. It is an opinion, not evidence." in body
    assert "- NZ is \\*refused\\*" in body
    assert "- It would check: Orders to NZ" in body


def test_who_is_asked_for_review_is_named_with_the_reason_and_mentioned_nowhere() -> None:
    owner = Reviewer("org/team", "owner of the code by CODEOWNERS")
    asked = (owner, Reviewer("ada", "wrote the lines in a.py"))
    body = render(INCIDENT, PROPOSAL, EVIDENCE, APPROVAL, asked=asked)
    assert "Who knows this code: `org/team` (owner of the code by CODEOWNERS); `ada` (wrote the" in body
    assert "@org" not in body
    assert "Who knows" not in render(INCIDENT, PROPOSAL, EVIDENCE, APPROVAL)


def test_incidents_that_joined_after_the_proof_are_told_apart() -> None:
    incident = replace(INCIDENT, joined=("orders-a", "orders-b"))
    body = render(incident, PROPOSAL, replace(EVIDENCE, joined=("orders-a",)), APPROVAL)
    assert "The same cause as of `orders-a`: healed with this." in body
    assert "The same line failed as `orders-b`, too: not reproduced" in body
    assert "not reproduced" not in render(
        incident, PROPOSAL, replace(EVIDENCE, joined=incident.joined), APPROVAL
    )


def test_an_approval_that_holds_for_a_later_proof_says_whom_it_is_about() -> None:
    seen, now = replace(EVIDENCE, joined=("orders-a",)), replace(EVIDENCE, joined=("orders-a", "orders-b"))
    body = render(INCIDENT, PROPOSAL, now, APPROVAL, since=now.joined_since(seen))
    assert "After that `orders-b` joined. The same bytes were proven again" in body
    assert "the approval holds" not in render(INCIDENT, PROPOSAL, seen, APPROVAL)


def test_a_regression_links_the_earlier_pull_request_and_offers_to_take_it_back() -> None:
    earlier = "https://github.com/shop/orders/pull/7"
    incident = replace(INCIDENT, regressed_from=earlier, reason="seen again", merge_sha="ef" * 20)
    body = render(incident, PROPOSAL, EVIDENCE, APPROVAL)
    assert "### A regression" in body
    assert f"by [an earlier pull request](<{earlier}>), and came back: seen again." in body
    assert f"`git revert {'ef' * 20}`" in body
    unmerged = render(replace(incident, merge_sha=""), PROPOSAL, EVIDENCE, APPROVAL)
    assert (earlier in unmerged, "git revert" in unmerged) == (True, False)
    assert "regression" not in render(INCIDENT, PROPOSAL, EVIDENCE, APPROVAL).replace("regression_tests", "")


def test_it_says_where_it_is_and_how_to_see_all_of_it() -> None:
    frames = (
        Frame("/var/task/pricing.py", 11, "total", "x / y", in_app=True),
        Frame("/lib/decimal.py", 3, "div"),
    )
    body = render(
        replace(INCIDENT, place="src/pricing.py total", frames=frames), PROPOSAL, EVIDENCE, APPROVAL
    )
    head = body.partition("### Root cause")[0]
    assert "At `src/pricing.py:11`, in `total`." in head
    assert "`selfheal show orders-v1-abc`" in head


def test_an_approver_with_a_mail_address_is_named_as_in_mails() -> None:
    approval = replace(APPROVAL, by="on-call@shop.example")
    assert "Approved by `on-call[@]shop.example`:" in render(INCIDENT, PROPOSAL, EVIDENCE, approval)
