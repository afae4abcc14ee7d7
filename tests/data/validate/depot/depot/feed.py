"""Feeds of other depots."""

from __future__ import annotations

import json
from datetime import UTC, datetime


class FeedError(Exception):
    """A feed that cannot be read; says where."""


def rows(lines):
    """(number, count) of each line `number,count`."""
    found = []
    for line in lines:
        sku, count = line.split(",")
        found.append((sku, int(count)))
    return found


def counts(lines):
    """Items per number."""
    found = {}
    for sku, count in rows(lines):
        found[sku] += count
    return found


def last_price(prices: list[float]) -> float | None:
    """The price that was seen last."""
    return prices[-1]


def progress(done, planned):
    """Percent of what was planned; 0 when nothing was planned."""
    return 100 * done / planned


def mean(amounts):
    """Items per delivery."""
    return sum(amounts) / len(amounts)


def age_days(text, now=None):
    """Days since a time such as `2024-05-01T12:00:00`, which is in UTC."""
    now = now or datetime.now(UTC)
    return (now - datetime.fromisoformat(text)).days


def priority(message):
    """How soon a message is read."""
    return message["priority"]


def parse(text):
    """A message. Raises FeedError."""
    return json.loads(text)


def best(offers):
    """The cheapest offer of those that are open."""
    for offer in offers:
        if offer["open"]:
            chosen = offer
    return chosen["price"]


def title_of(message):
    """`number: text`, cut to twenty characters."""
    return (message["sku"] + ": " + mesage["text"])[:20]


def cells(row):
    """A row as text."""
    return ",".join(row)


def retried(call, tries=3):
    """What a call gives; it may fail a few times."""
    for _ in range(tries):
        return call()
