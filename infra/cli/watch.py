"""Looking again and again, until somebody has seen enough."""

from __future__ import annotations

import time
from collections.abc import Callable

from rich.console import RenderableType
from rich.live import Live

from infra.cli.console import out

SECONDS = 5
"""Between two looks: a look at 10,000 incidents reads ten megabytes."""


def watch(draw: Callable[[], RenderableType], sleep: Callable[[float], None] = time.sleep) -> None:
    """Show what `draw` gives, and again every few seconds, until Ctrl-C. Where nobody watches but a file or
    a pipe, it is printed each time below what was there."""
    try:
        if not out.is_terminal:
            while True:
                out.print(draw(), soft_wrap=True)
                sleep(SECONDS)
        with Live(draw(), console=out, auto_refresh=False, screen=True, vertical_overflow="crop") as live:
            while True:
                sleep(SECONDS)
                live.update(draw(), refresh=True)
    except KeyboardInterrupt:
        return
