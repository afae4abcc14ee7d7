"""formats.toml, read once: layers, printers, platforms' lines, names in records, well-known packages."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

FORMATS: dict[str, Any] = tomllib.loads(Path(__file__).with_name("formats.toml").read_text(encoding="utf-8"))
