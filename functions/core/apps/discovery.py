"""Apps that nobody registered: a Lambda function whose tags name a repository of a family's.

A family is an entry whose `repository` ends in `/*`, such as `https://github.com/acme/*`: it has the token,
the limits, the people and the mode for all of these. Which repository is a function's own, its tags say:

    self-heal:repository = https://github.com/acme/orders.git
    self-heal:branch     = main          the family's, if there is none
    self-heal:mode       = observe       at most the family's

Whoever may tag a function is not who answers for a repository, or for a token. So a tag can neither name
what no family covers, nor raise a mode; and where an app's secrets lie follows from its name, which begins
with the family's (`acme.orders-1f0c9a2b`).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Self

from functions.core.apps.app import App
from functions.core.apps.modes import Mode
from functions.core.workflow.errors import AppInvalid

REPOSITORY, BRANCH, MODE = (f"self-heal:{what}" for what in ("repository", "branch", "mode"))
"""Tags of a function."""
_LONGEST_NAME = 40
_ONE = re.compile(r"(?!\.{1,2}(\.git)?$)[A-Za-z0-9._-]{1,100}")
"""What stands for the `*`: one repository, in no further group."""
# https://git-scm.com/docs/git-check-ref-format, and no name that a program takes for an option.
_REF = re.compile(r"(?![-./])(?!.*(\.\.|//|/\.|\.lock(/|$)))[A-Za-z0-9._/+-]{1,200}(?<![./])")


class NotCovered(ValueError):
    """The tags name nothing that may be healed. The message says why."""


@dataclass(frozen=True, slots=True)
class Tagged:
    """What a function's tags said, under the name of the app that it makes."""

    name: str
    function: str
    repository: str
    branch: str = ""
    mode: str = ""

    def to_text(self) -> str:
        """As it is kept: all but the name, which is the parameter's."""
        return json.dumps({key: value for key, value in asdict(self).items() if key != "name"})

    @classmethod
    def from_text(cls, name: str, text: str) -> Self:
        """Raises AppInvalid."""
        known = {field.name for field in fields(cls)} - {"name"}
        try:
            data: Any = json.loads(text)
        except ValueError as error:
            raise AppInvalid(f"app {name!r}: what was discovered is not JSON ({error})") from error
        if not isinstance(data, dict) or not {"function", "repository"} <= data.keys() <= known:
            raise AppInvalid(f"app {name!r}: what was discovered must have {', '.join(sorted(known))}")
        return cls(name=name, **{key: str(value) for key, value in data.items()})

    def app(self, family: App) -> App:
        """The app, as its family's entry is now. Raises AppInvalid where that does not cover it any more."""
        try:
            _check(self, family)
        except NotCovered as error:
            raise AppInvalid(f"app {self.name!r}: {error}") from error
        return replace(
            family,
            name=self.name,
            log_groups=(f"/aws/lambda/{self.function}",),
            repository=self.repository,
            branch=self.branch or family.branch,
            mode=_lower(family.mode, self.mode),
            class_modes={one: _lower(mode, self.mode) for one, mode in family.class_modes.items()},
        )

    def is_same_app(self, other: Tagged) -> bool:
        """Whether all is the same that the name stands for."""
        return (self.name, self.function, self.repository, self.branch) == (
            other.name,
            other.function,
            other.repository,
            other.branch,
        )


def discover(function: str, tags: Mapping[str, str], apps: Iterable[App]) -> tuple[Tagged, App] | None:
    """What a function's tags make of it, and the app; None where no tag names a repository.

    apps: among which the families are; the first by name that covers the repository is its family. Raises
    NotCovered.
    """
    repository = tags.get(REPOSITORY, "").strip()
    if not repository:
        return None
    family = next((app for app in sorted(apps, key=lambda app: app.name) if covers(app, repository)), None)
    if family is None:
        raise NotCovered(f"no entry's repository covers {repository!r}")
    branch, mode = tags.get(BRANCH, "").strip(), tags.get(MODE, "").strip()
    tagged = Tagged(_name(family.name, function, repository, branch), function, repository, branch, mode)
    _check(tagged, family)
    return tagged, tagged.app(family)


def covers(family: App, repository: str) -> bool:
    """Whether it is one of the family's repositories: what stands for the `*` is one name."""
    start = family.repository.removesuffix("*")
    named = repository.removeprefix(start)
    return family.is_family and named != repository and _ONE.fullmatch(named) is not None


def _check(tagged: Tagged, family: App) -> None:
    """Raises NotCovered for what a family's function may not say."""
    if not covers(family, tagged.repository):
        raise NotCovered(f"{tagged.repository!r} is no repository of {family.repository}")
    if tagged.branch and not _REF.fullmatch(tagged.branch):
        raise NotCovered(f"{tagged.branch!r} is no name of a branch")
    if tagged.mode and tagged.mode not in list(Mode):
        raise NotCovered(f"{tagged.mode!r} is no mode: {', '.join(Mode)}")


def _lower(mode: str, tagged: str) -> str:
    modes = list(Mode)
    return str(min(Mode(mode), Mode(tagged or mode), key=modes.index))


def _name(family: str, *said: str) -> str:
    """`FAMILY.FUNCTION-DIGEST`: readable, and another one for whatever else was said."""
    digest = hashlib.sha256("\n".join(said).encode()).hexdigest()[:8]
    room = _LONGEST_NAME - len(family) - len(digest) - 2
    slug = re.sub(r"[^a-z0-9]+", "-", said[0].lower())[:room].strip("-")
    return f"{family}.{slug}-{digest}" if slug else f"{family}.{digest}"
