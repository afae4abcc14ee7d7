from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Settings:
    url: str
    retries: int = 3
    secret: str | None = None

    @classmethod
    def load(cls, raw: Mapping[str, Any]) -> Settings:
        return cls(url=raw["url"], retries=int(raw["retries"]), secret=raw.get("secret"))
