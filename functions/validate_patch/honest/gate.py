"""The gate."""

from functions.validate_patch.candidate import Candidate


def findings(candidate: Candidate) -> tuple[str, ...]:
    """Objections."""
    return ()
