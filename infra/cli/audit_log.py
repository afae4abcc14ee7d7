"""The audit log of an incident: who was asked, who decided what about which bytes, when and from where."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from functions.core.approval.approvals import Approval, ApprovalStatus, Verdict
from functions.core.approval.decisions import REJECT_REASONS
from infra.cli.console import plain

_DECIDED = {
    Verdict.APPROVE: ("approved", "green"),
    Verdict.REVISE: ("asked for changes", "yellow"),
    Verdict.REJECT: ("rejected", "red"),
}
_OPEN = {
    ApprovalStatus.PENDING: "waits for a decision",
    ApprovalStatus.EXPIRED: "nobody decided in time",
    ApprovalStatus.SUPERSEDED: "nobody decided before it was asked again",
}
_VIA = {
    "link": "by link",
    "sign_in": "signed in",
    "slack": "with a button in Slack",
    "iam": "on the command line",
}


def audit_log(history: Sequence[Approval]) -> RenderableType:
    """One block per approval, the newest first as `Approvals.history` gives them."""
    return Group(*(part for approval in history for part in _block(approval)))


def _block(approval: Approval) -> list[RenderableType]:
    asked = f"asked {_second(approval.created_at)}, attempt {approval.attempt}"
    if approval.redrive_count:
        asked += f", redrive {approval.redrive_count}"
    parts: list[RenderableType] = [plain(asked, "bold")]
    if approval.first_by:
        parts += _said(
            "approved first",
            "green",
            (approval.first_by, approval.first_at, approval.first_via, approval.first_source_ip),
            approval.first_comment,
        )
    if approval.decided:
        words, style = _DECIDED[Verdict(approval.decision)]
        if approval.reason:
            words += f" ({REJECT_REASONS.get(approval.reason, approval.reason)})"
        decider = (approval.by, approval.decided_at, approval.via, approval.source_ip)
        parts += _said(words, style, decider, approval.comment)
        if approval.status is ApprovalStatus.EXPIRED:
            parts.append(_indent(plain("too late: the workflow no longer waited", "red")))
    else:
        parts.append(_indent(plain(_OPEN.get(approval.status, ""), "dim")))
    parts.append(_indent(plain(f"sha256 {approval.patch_sha256} on base {approval.base_sha}", "dim")))
    if approval.carried_to:
        later = "holds for a later proof of the same bytes, with what joined since"
        parts += [_indent(plain(text, "dim")) for text in (f"on {approval.evidence_key}", later)]
        parts.append(_indent(plain(approval.carried_to, "dim"), 4))
    return parts


def _said(words: str, style: str, decider: tuple[str, str, str, str], comment: str) -> list[Padding]:
    by, at, via, address = decider
    origin = " ".join(filter(None, (_VIA.get(via, via), f"from {address}" if address else "")))
    line = Text.assemble(plain(words, style), plain(f" by {by}, {_second(at)}, {origin}"))
    return [_indent(line)] + ([_indent(plain(f"“{comment}”"), 4)] if comment else [])


def _indent(text: Text, by: int = 2) -> Padding:
    return Padding(text, (0, 0, 0, by))


def _second(moment: str) -> str:
    return f"{moment[:19].replace('T', ' ')} UTC" if moment else "at an unknown time"
