"""formats.toml, read once: layers, printers, platforms' lines, names in records, patterns, packages."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

FORMATS: dict[str, Any] = tomllib.loads(Path(__file__).with_name("formats.toml").read_text(encoding="utf-8"))


def pattern(name: str, flags: int = 0) -> re.Pattern[str]:
    """The alternatives that formats.toml lists under this name."""
    return re.compile("|".join(FORMATS["pattern"][name]), flags)
