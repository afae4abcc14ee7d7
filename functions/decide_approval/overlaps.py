"""Other fixes that are open and touch what this patch touches: whoever approves both merges them by hand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from itertools import groupby, islice

from botocore.exceptions import ClientError

from functions.core.approval.approvals import Approval, Approvals
from functions.core.incidents.incident import Incident, Status
from functions.core.source.touched import touched
from functions.core.workflow.artifacts import Artifacts
from functions.core.workflow.errors import ArtifactChanged

_OPEN = (Status.AWAITING_APPROVAL, Status.PR_OPEN)
_LOOKED_AT = 20
"""Of the app's open fixes, those whose error was seen last."""


@dataclass(frozen=True, slots=True)
class Overlap:
    """An open fix. places: `path:first-last` for lines that both touch; `path` alone where the two patches
    are on different commits, so that lines cannot be compared, and for files that both make."""

    incident: Incident
    places: tuple[str, ...]


def overlaps(
    approval: Approval,
    patch: bytes,
    others: Sequence[Incident],
    approvals: Approvals,
    artifacts: Artifacts,
    pool: Executor,
) -> tuple[Overlap, ...]:
    """Of the others, those whose patch touches the same; in their order."""
    ours = touched(patch)

    def of(other: Incident) -> tuple[str, ...]:
        theirs = approvals.get(other.approval_id)
        if theirs is None:
            return ()
        try:
            lines = touched(artifacts.get(theirs.patch_key))
        except (ArtifactChanged, ClientError):  # its own page says what is wrong with it
            return ()
        return tuple(_places(ours, lines, same_base=theirs.base_sha == approval.base_sha))

    open_fixes = list(
        islice(
            (
                one
                for one in others
                if one.status in _OPEN and one.approval_id and one.incident_id != approval.incident_id
            ),
            _LOOKED_AT,
        )
    )
    found = zip(open_fixes, pool.map(of, open_fixes), strict=True)
    return tuple(Overlap(other, places) for other, places in found if places)


def _places(
    ours: dict[str, frozenset[int]], theirs: dict[str, frozenset[int]], *, same_base: bool
) -> Iterator[str]:
    for path in sorted(ours.keys() & theirs.keys()):
        both = sorted(ours[path] & theirs[path])
        if not same_base or (not ours[path] and not theirs[path]):
            yield path
        # Numbers of neighbouring lines are as far apart as their places in the list.
        for _, run in groupby(enumerate(both), key=lambda one: one[1] - one[0]) if same_base else ():
            numbers = [number for _, number in run]
            yield f"{path}:{numbers[0]}" + (f"-{numbers[-1]}" if numbers[1:] else "")
