"""The commit message: what was wrong, what changes, and on whose word."""

from __future__ import annotations

import re
import textwrap

from functions.core.incident import Incident
from functions.core.proposal import Proposal

# A line of the model's could look like a trailer and so claim an approval: indenting prevents it.
_WIDTH = 76
_INDENT = "  "
_CONTROL = re.compile(r"[\x00-\x1f\x7f\u200b-\u200f\u202a-\u202e\u2066-\u2069]")


def commit_message(incident: Incident, proposal: Proposal, *, approved_by: str, patch_sha256: str) -> str:
    """Subject, indented prose, and trailers of which every one is ours."""
    paragraphs = [
        _line(proposal.title) or "Fix a crash",
        "Root cause:\n" + _prose(proposal.root_cause),
        "Fix:\n" + _prose(proposal.explanation),
        "\n".join(
            (
                f"Self-Heal-Incident: {_line(incident.incident_id)}",
                f"Self-Heal-Error: {_line(incident.title)}",
                f"Self-Heal-Patch: sha256:{patch_sha256}",
                f"Approved-By: {_line(approved_by)}",
            )
        ),
    ]
    return "\n\n".join(paragraphs) + "\n"


def _line(text: str) -> str:
    return " ".join(_CONTROL.sub(" ", text).split())


def _prose(text: str) -> str:
    return textwrap.fill(_line(text), _WIDTH, initial_indent=_INDENT, subsequent_indent=_INDENT)
