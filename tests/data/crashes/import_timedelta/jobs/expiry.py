from __future__ import annotations

from datetime import datetime


def expires(days: int = 7) -> datetime:
    return datetime.now() + timedelta(days=days)
