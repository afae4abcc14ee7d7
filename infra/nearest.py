"""A name that does not exist: what to say of it, with the one that was probably meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from infra.errors import Exit, UserError


def nearest(name: str, known: Iterable[str]) -> list[str]:
    """The up to three of those that exist whose spelling is nearest, the nearest first."""
    spelled = {one.casefold(): one for one in known}
    return [spelled[one] for one in get_close_matches(name.casefold(), spelled, n=3, cutoff=0.6)]


def unknown(what: str, name: str, known: Iterable[str], otherwise: str) -> UserError:
    """The error for a name that does not exist, with the nearest of those that do, or else what to do."""
    meant = " or ".join(nearest(name, known))
    return UserError(
        f"no {what} {name!r}", f"did you mean {meant}?" if meant else otherwise, exit_code=Exit.USAGE
    )
