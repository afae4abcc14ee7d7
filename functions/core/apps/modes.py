"""How far a heal may go. Each mode does what those before it do, and one thing more."""

from __future__ import annotations

from enum import StrEnum

OBSERVES = "only observes errors of class"
"""In the reason of an incident that its mode holds back."""


class Mode(StrEnum):
    """A team raises it as what is recorded in one mode shows what the next would do."""

    OBSERVE = "observe"
    """Recorded, grouped and counted."""
    DIAGNOSE = "diagnose"
    """A model says the root cause and what to do next."""
    PROPOSE = "propose"
    """A patch is made and proven; nobody is asked, and nothing is committed."""
    PULL_REQUEST = "pull-request"
    """People are asked about the patch, and what they approve becomes a pull request."""
