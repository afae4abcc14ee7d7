"""One requirement as a repository's files write it: a name, versions and a marker (PEP 508), nothing else.

Read by `packaging` and written back from what it understood, so that nothing it did not understand reaches
the installer. Addresses, paths, options and editable installs would run or fetch what a stranger chose.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

# Longer than any that people write; the hashes of a release are counted apart.
_LONGEST = 1_000
_HASH = re.compile(r"(?<=\s)--hash[= ](?P<hash>\S*)")
_SHA256 = re.compile(r"sha256:[0-9a-f]{64}")


class NotPlain(Exception):
    """A requirement that is more than a name, versions and a marker; the message names it, in one line."""


@dataclass(frozen=True, slots=True)
class RequirementLine:
    """One requirement: `line` as the installer may read it, its canonical `name` (PEP 503), its `hashes`."""

    line: str
    name: str
    hashes: tuple[str, ...] = ()
    """Of the distributions that may be installed, `sha256:…`; empty: any of that name and version."""


def parse(text: str) -> RequirementLine:
    """A requirement with or without hashes, as requirements files and pyproject.toml have it.

    Raises NotPlain.
    """
    hashes = tuple(match["hash"] for match in _HASH.finditer(text))
    plain = _HASH.sub("", text).strip() if hashes else text.strip()
    if len(plain) > _LONGEST:
        raise NotPlain(f"{plain[:60]!r}… has over {_LONGEST:,} characters")
    try:
        requirement = Requirement(plain)
    except (InvalidRequirement, RecursionError):
        raise NotPlain(f"{plain[:100]!r} is no plain name and version") from None
    line = str(requirement)
    # pip takes ` -…` for the start of options, and puts environment variables in for `${…}`.
    if requirement.url or "$" in line or re.search(r"\s-", line):
        raise NotPlain(f"{plain[:100]!r} is no plain name and version")
    if wrong := next((value for value in hashes if not _SHA256.fullmatch(value)), None):
        raise NotPlain(f"{plain[:100]!r} has a hash that is not compared: {wrong[:20]!r} is no sha256")
    return RequirementLine(line, canonicalize_name(requirement.name), hashes)
