"""Time sheets as they come."""
import csv
from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple


class Row(NamedTuple):
    day: date
    person: str
    hours: Decimal


def parse_day(text: str) -> date:
    return datetime.strptime(text.strip(), "%d.%m.%Y").date()


def parse_hours(text: str) -> Decimal:
    """Hours of one day, such as 7.5."""
    return Decimal(text.strip())


def read(lines):
    """Rows of a sheet given as lines of text; the first one names the columns."""
    rows = []
    for record in csv.DictReader(lines, delimiter=";"):
        rows.append(Row(parse_day(record["day"]), record["person"].strip(), parse_hours(record["hours"])))
    return rows


def load(path):
    with open(path, encoding="utf-8", newline="") as file:
        return read(file)
