"""Which packages: as many of those that are asked for as can be had together, and what became of the others.

All together, if that works. If not, what uv names as standing in the way is put aside, the rest is added,
and the
others are added by halves, so that what cannot be had is found in a few dozen runs of uv (0.3 s each, once
the index has been asked). One that cannot be had as it is asked for is tried once more without its version,
without
what it needs and nobody can have, and from after the date; each of these is said. Only uv says what can be
had: words of its messages merely tell what to try first.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from functions.install_dependencies.installer import Ask, Resolution
from functions.install_dependencies.requirements import Requirements

PYTEST = "pytest>=8.4,<9"
"""What the harness runs tests with: see `harness` in the dependency groups of pyproject.toml."""
_WORD = re.compile(r"(?<![\w.=<>-])[A-Za-z][A-Za-z0-9._-]*[A-Za-z0-9]|(?<![\w.=<>-])[A-Za-z]\b")
_FAR = "2999-12-31"
_PROBED = 3
_HINTS = 4
"""Of packages that uv names, how many are tried without."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """lines: `name==version`; lost: what is missing or other than asked for, one clause each; of_plugins:
    names of what is there for plugins of pytest alone, which no lock holds to a version."""

    lines: tuple[str, ...]
    lost: tuple[str, ...] = ()
    of_plugins: frozenset[str] = frozenset()


def resolve(
    asked: Requirements,
    ask_uv: Callable[[Ask], Resolution],
    as_of: str = "",
    in_time: Callable[[], bool] = lambda: True,
) -> Resolved:
    """as_of: see `Ask`; in_time: whether to go on: what is left is lost, and said.

    Raises what `ask_uv` does.
    """
    lost: list[str] = []
    plugins, needed = _fitting_plugins(list(filter(_is_plugin, asked.requirements)), ask_uv, lost)
    constraints = tuple(line for line in asked.constraints if not _is_plugin(line))
    # pytest is the harness's.
    ask = Ask((), constraints, (*asked.excluded, "pytest"), as_of)
    names = {line: _name(line) for line in constraints}
    work = _Work(ask_uv, ask, frozenset(asked.hashes), names, lost=lost, in_time=in_time)
    work.add([line for line in asked.requirements if not _is_plugin(line)])
    of_itself = set(map(_name, work.lines))
    work.hold_only(of_itself)
    work.kept = replace(work.kept, of_any_date=(*work.kept.of_any_date, *sorted(needed - of_itself)))
    work.add(plugins)
    return Resolved(work.lines, tuple(work.lost), frozenset(map(_name, work.lines)) - of_itself)


def _fitting_plugins(
    lines: Sequence[str], ask_uv: Callable[[Ask], Resolution], lost: list[str]
) -> tuple[list[str], set[str]]:
    """Plugins in the newest versions for the harness's pytest, and the names of all that they need."""
    work = _Work(ask_uv, Ask((), (PYTEST,)), frozenset(), {PYTEST: "pytest"}, lost=lost)
    work.add(list(dict.fromkeys(map(_bare, lines))))
    names = set(map(_name, lines))
    return [line for line in work.lines if _name(line) in names], set(map(_name, work.lines))


def _is_plugin(line: str) -> bool:
    """Whether it is one of pytest's plugins: those must fit the pytest that runs the tests, which is neither
    the one of the revision's day nor the one of its lock."""
    return _name(line).startswith("pytest-")


@dataclass
class _Work:
    ask_uv: Callable[[Ask], Resolution]
    kept: Ask
    hashed: frozenset[str]
    """Packages whose bytes are stated: no other version does."""
    constrained: dict[str, str]
    """Constraint → the package's name."""
    in_time: Callable[[], bool] = lambda: True
    lines: tuple[str, ...] = ()
    lost: list[str] = field(default_factory=list)
    dated: bool = False
    """Whether it is known that the index tells dates, or that it does not."""

    def add(self, requirements: Sequence[str]) -> None:
        for line in requirements:
            # Found to have no wheel when another that needs it was added.
            if _name(line) in self.kept.excluded:
                self.lost.append(f"{_said(line)} is not installed: there is no wheel of it that fits")
        requirements = [line for line in requirements if _name(line) not in self.kept.excluded]
        if requirements and not self.in_time():
            late = "is not installed: no time was left to find what fits"
            self.lost += [f"{_said(line)} {late}" for line in requirements]
            requirements = []
        if not requirements:
            return
        answer = self._try(replace(self.kept, requirements=(*self.kept.requirements, *requirements)))
        if not answer.why:
            return
        if self._tells_no_dates(requirements):
            self.add(requirements)
        elif len(requirements) == 1:
            self._settle(requirements[0], answer.why)
        else:
            named = _names(answer.why)
            others = [line for line in requirements if _name(line) not in named]
            culprits = [line for line in requirements if _name(line) in named]
            half = len(requirements) // 2
            parts = (others, culprits) if others and culprits else (requirements[:half], requirements[half:])
            for part in parts:
                self.add(part)

    def hold_only(self, names: Collection[str]) -> None:
        """Hold no package to a version or a hash but these: the others are not there yet."""
        held = tuple(line for line in self.kept.constraints if self.constrained[line] in names)
        self.kept = replace(self.kept, constraints=held)
        self.hashed = self.hashed.intersection(names)

    def _try(self, ask: Ask) -> Resolution:
        answer = self.ask_uv(ask)
        if not answer.why:
            self.kept, self.lines = ask, answer.lines
        return answer

    def _tells_no_dates(self, requirements: Sequence[str]) -> bool:
        """Whether nothing is found only because the index does not tell when files were uploaded. Then the
        date does not count any more."""
        if not self.kept.as_of or self.dated:
            return False
        self.dated = True
        for line in requirements[:_PROBED]:
            alone = Ask((_bare(line),), excluded=self.kept.excluded)
            if self.ask_uv(alone).why:
                continue
            if not self.ask_uv(replace(alone, as_of=_FAR)).why:
                return False
            self.kept = replace(self.kept, as_of="")
            self.lost.append(
                "the index does not tell when packages were uploaded, so the newest versions are taken"
            )
            return True
        return False

    def _settle(self, line: str, why: str) -> None:
        for ask, said in self._others(line, _names(why)):
            if not self._try(ask).why:
                self.lost.append(said)
                return
        self.lost.append(f"{_said(line)} is not installed: {_short(why)}")

    def _others(self, line: str, named: frozenset[str]) -> Iterator[tuple[Ask, str]]:
        """What else to try for one requirement, nearest to what it asks for first, and what to say of it."""
        name, kept, asked = _name(line), self.kept, _said(line)
        added = replace(kept, requirements=(*kept.requirements, line))
        free = name not in self.hashed
        unheld = self._without_constraint(added, name)
        if free and unheld != added:
            yield unheld, f"{asked} is installed in another version than its list holds it to"
        taken = {_name(one) for one in kept.requirements} | {name}
        hints = sorted(named - taken)[:_HINTS]
        if kept.as_of and hints:
            newer = replace(added, of_any_date=(*kept.of_any_date, *hints))
            yield (
                newer,
                f"what {asked} needs had no fitting wheel at that time, so newer versions are installed",
            )
        bare = replace(unheld, requirements=(*kept.requirements, _bare(line)))
        if free and _bare(line) != line:
            yield bare, f"{asked} cannot be had with the rest, so another version is installed"
        for other in hints:
            without = replace(self._without_constraint(added, other), excluded=(*kept.excluded, other))
            yield (
                without,
                f"{other}, which {asked} needs, is not installed: there is no wheel of it that fits",
            )
        if free and kept.as_of:
            any_date = replace(bare, of_any_date=(*kept.of_any_date, name))
            yield (
                any_date,
                f"{asked} had no fitting wheel at the time of the revision, so a newer version is installed",
            )

    def _without_constraint(self, ask: Ask, name: str) -> Ask:
        if name in self.hashed:
            return ask
        left = tuple(line for line in ask.constraints if self.constrained[line] != name)
        return replace(ask, constraints=left)


def _name(line: str) -> str:
    return canonicalize_name(Requirement(line).name)


def _said(line: str) -> str:
    """The requirement without its marker."""
    return line.partition(";")[0].strip()


def _bare(line: str) -> str:
    """The requirement without its versions."""
    requirement = Requirement(line)
    extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
    return f"{requirement.name}{extras}" + (f"; {requirement.marker}" if requirement.marker else "")


def _names(why: str) -> frozenset[str]:
    return frozenset(canonicalize_name(word) for word in _WORD.findall(why) if word.lower() not in _NO_NAMES)


_NO_NAMES = frozenset(
    (
        "a abi all and any are available be because can cannot cause conclude depend dependencies depends "
        "error following for found from has have hint in no not of on only or package python registry "
        "require requirements resolving solution tag tags that the there to unsatisfiable usable used "
        "version versions was we were wheels when which with you your"
    ).split()
)
"""Words of uv's messages. Names among them are merely not tried first."""


def _short(why: str) -> str:
    text = why.partition("cause: ")[2] or why
    text = re.sub(r",? we can conclude that.*", "", text.removeprefix("Because "))
    return text[:160]
