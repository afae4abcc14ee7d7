"""Run the forge in its own process: `python -m infra.local.forge --directory D --port P --token-file F`.

Prints `forge: URL` when it listens, and ends cleanly on SIGTERM and SIGINT.
"""

from __future__ import annotations

import argparse
import logging
import signal
import threading
from collections.abc import Sequence
from pathlib import Path

from infra.local.forge import ForgeServer
from infra.local.forge.webhooks import ToEventBridge


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until a signal asks to end."""
    parser = argparse.ArgumentParser(
        prog="python -m infra.local.forge", description="A git host on this machine."
    )
    parser.add_argument("--directory", type=Path, required=True, help="where repositories are kept")
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; 0 takes a free one")
    parser.add_argument("--token-file", type=Path, required=True, help="file that holds the access token")
    parser.add_argument("--events", help="AWS endpoint whose event bus is told what becomes of pull requests")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")

    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    token = options.token_file.read_text(encoding="utf-8").strip()
    webhooks = ToEventBridge(options.events) if options.events else None
    forge = ForgeServer(options.directory, token, options.port, *filter(None, [webhooks]))
    forge.start()
    print(f"forge: {forge.url}", flush=True)
    ended.wait()
    forge.stop()
    if webhooks:
        webhooks.end()


if __name__ == "__main__":
    main()
