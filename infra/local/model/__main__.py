"""`python -m infra.local.model --port 8089`: serve the repair model until interrupted."""

from __future__ import annotations

import argparse
import signal
import sys

from infra.local.model.endpoint import RepairModel


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m infra.local.model", description=__doc__)
    parser.add_argument("--port", type=int, default=8089, help="port on 127.0.0.1; 0 takes a free one")
    model = RepairModel(parser.parse_args().port)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    print(f"repair model listening on {model.url}", flush=True)
    try:
        model.serve_forever()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
