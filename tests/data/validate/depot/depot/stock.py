"""What lies where."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field

from depot.settings import FALLBACK_BIN, MAX_WEIGHT, STANDARD_FACTOR

logger = logging.getLogger(__name__)

BINS = {"bolt": "a1", "nut": "a2"}
FACTORS = {"kg": 1.0, "g": 0.001}
DUTIES = {"DE": 0.0, "CH": 7.7, "default": 19.0}
STATES = {"new": "New", "used": "Used"}


class DepotError(Exception):
    """What callers of this service may show."""


class UnknownItem(DepotError):
    """No item has this number."""


@dataclass
class Item:
    sku: str
    count: int
    weight: float = 0.0
    note: str | None = None
    tags: list[str] = field(default_factory=list)


class Stock:
    """Items by number, and how many of each are reserved."""

    def __init__(self, items: Iterable[Item]) -> None:
        self.items = {item.sku: item for item in items}
        self.reserved: dict[str, int] = {}

    def item(self, sku: str) -> Item:
        """The item of a number. Raises UnknownItem."""
        return self.items[sku]

    def reserve(self, sku: str, count: int) -> int:
        """Count a reservation; how many there are then."""
        self.reserved[sku] = self.reserved[sku] + count
        return self.reserved[sku]

    def first(self) -> Item | None:
        """The item that came first."""
        return list(self.items.values())[0]

    def prune(self) -> None:
        """Forget items of which none is left."""
        for sku in self.items:
            if self.items[sku].count == 0:
                del self.items[sku]


def bin_of(sku):
    """Where an item lies."""
    if sku.startswith("x-"):
        return FALLBACK_BIN
    return BINS[sku]


def factor(unit):
    """Kilograms of one unit."""
    return FACTORS[unit]


def duty(country):
    """Percent to pay at the border."""
    return DUTIES[country]


def state_text(state):
    """A state for people; an unknown state is shown as it is."""
    return STATES[state]


def check_load(weight, strict=True):
    """Refuse what the shelf cannot hold."""
    if strict and weight > MAX_WEIGHT:
        raise ValueError("too heavy for the shelf")
    return weight


def load(item, strict=True):
    """Kilograms on the shelf."""
    check_load(item.weight * item.count, strict)
    return item.weight * item.count * STANDARD_FACTOR


def note_text(item):
    """The note in capitals, for the label."""
    return item.note.upper()


def merged(ours, theirs=None):
    """Both lists of tags, each tag once."""
    return sorted(set(ours) | {tag for tag in theirs})
