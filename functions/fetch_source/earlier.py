"""The pull request that a heal follows up, or whose fix did not last: its diff, and what was said of it."""

from __future__ import annotations

from typing import Any

from functions.core.forge.port import Forge
from functions.core.incidents.incident import Incident
from functions.core.untrusted.redaction import redact
from functions.core.workflow.errors import ForgeAccessDenied, ForgeRefused, RepositoryNotFound

_MOST_DIFF, _MOST_REMARK, _MOST_REMARKS = 16_000, 1_000, 20


def earlier(incident: Incident, forge: Forge) -> dict[str, Any] | None:
    """For the next proposal; None where there is no such pull request. Redacted and bounded.

    `why`: "checks" or "review" for what is open and to be mended, "regression" for a fix that was merged.
    Raises ForgeUnavailable.
    """
    follow_up = incident.follow_up
    url = incident.pull_request_url if follow_up else incident.regressed_from
    number = forge.number(url) if url else None
    if number is None:
        return None
    try:
        diff, remarks = forge.changes(number), forge.remarks(number)
    except (RepositoryNotFound, ForgeAccessDenied, ForgeRefused) as error:
        diff, remarks = f"(not to be had: {type(error).__name__})", ()
    return {
        "url": url,
        "why": follow_up.get("why", "regression"),
        "diff": redact(diff)[:_MOST_DIFF],
        "findings": list(follow_up.get("findings", ())),
        "remarks": [
            f"{one.author}: {redact(one.text)[:_MOST_REMARK]}" for one in remarks if one.text.strip()
        ][-_MOST_REMARKS:],
    }
