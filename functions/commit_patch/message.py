"""The commit message: what was wrong, what changes, and on whose word."""

from __future__ import annotations

import re
import textwrap

from functions.core.incidents.incident import Incident
from functions.core.untrusted.hidden import without
from functions.core.untrusted.inert import inert_line
from functions.core.workflow.proposal import Proposal

# A line of the model's could look like a trailer and so claim an approval: indenting prevents it.
_WIDTH = 76
_INDENT = "  "
_ORDER = re.compile(r"(?:\b(?:fixup|squash|amend|drop)!\s*)+", re.I)
"""What `git rebase --autosquash` takes for an order."""


def commit_message(
    incident: Incident, proposal: Proposal, *, execution: str, approved_by: str, patch_sha256: str
) -> str:
    """Subject, indented prose, and trailers of which every one is ours; nothing that a forge would act on."""
    paragraphs = [
        _ORDER.sub("", inert_line(proposal.title)).strip() or "Fix a crash",
        "Root cause:\n" + _prose(proposal.root_cause),
        "Fix:\n" + _prose(proposal.explanation),
        "\n".join(
            (
                f"Self-Heal-Incident: {inert_line(incident.incident_id)}",
                f"Self-Heal-Execution: {inert_line(execution)}",
                f"Self-Heal-Error: {inert_line(incident.title)}",
                f"Self-Heal-Patch: sha256:{patch_sha256}",
                f"Approved-By: {' '.join(without(approved_by, ' ').split())}",
            )
        ),
    ]
    return "\n\n".join(paragraphs) + "\n"


def _prose(text: str) -> str:
    return textwrap.fill(inert_line(text), _WIDTH, initial_indent=_INDENT, subsequent_indent=_INDENT)
