"""Sums over time sheets."""
from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal


def by_person(rows):
    """Hours of each person."""
    sums = defaultdict(Decimal)
    for row in rows:
        sums[row.person] += row.hours
    return dict(sums)


def average(rows) -> Decimal:
    """Average hours a day, two places; zero for a sheet without rows."""
    total = sum(row.hours for row in rows)
    return (total / len(rows)).quantize(Decimal("0.01"))


def overtime(sums: dict[str, Decimal], contracts: dict[str, Decimal]) -> dict[str, Decimal]:
    """Hours above the contract of each person; never negative."""
    result = {}
    for person, hours in sums.items():
        result[person] = max(hours - contracts[person], Decimal(0))
    return result


def streak(days: list[date]) -> int:
    """Length of the longest run of consecutive days."""
    days = sorted(set(days))
    longest = current = 1
    previous = days[0]
    for day in days[1:]:
        current = current + 1 if day - previous == timedelta(days=1) else 1
        longest = max(longest, current)
        previous = day
    return longest


def month_end(day: date) -> date:
    """The last day of the month that a day is in."""
    return day.replace(month=day.month + 1, day=1) - timedelta(days=1)


def report(rows, contracts):
    """Lines: person, hours, overtime."""
    sums = by_person(rows)
    over = overtime(sums, contracts)
    lines = [f"{person:<12}{sums[person]:>8}{over[person]:>8}" for person in sorted(sums)]
    lines.append(f"average {average(rows)}")
    return lines
