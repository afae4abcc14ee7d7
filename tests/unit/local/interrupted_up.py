"""`selfheal up` and `down` on the real parts, with a stack of one table, which stop where a test wants it.

Run: python -m tests.unit.local.interrupted_up HOME up|down STAGE. There it prints `at STAGE`, and waits.
"""

from __future__ import annotations

import dataclasses
import signal
import sys
import time
from pathlib import Path
from unittest import mock

from infra.local import run
from infra.local.emulator import Emulator
from infra.local.processes import Started

TABLE = "incidents"


def main() -> None:
    # As in a terminal: what a shell starts in the background ignores Ctrl-C, and all that it starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    home, what, stage = Path(sys.argv[1]), sys.argv[2], sys.argv[3]

    def reached(name: str) -> None:
        if name == stage:
            print(f"at {name}", flush=True)
            time.sleep(600)

    started, saved, stopped = run._start, run.EmbeddedRun.save, Started.stop

    def start(of: run.EmbeddedRun, part: str, scale: float) -> Started:
        found = started(of, part, scale)
        reached(f"{part} runs")
        return found

    def save(of: run.EmbeddedRun) -> None:
        saved(of)
        reached("registered" if of.ready else "deployed" if of.outputs else f"{len(of.processes)} noted")

    def stop(of: Started) -> None:
        stopped(of)
        reached("one ended")

    def deploy(_template: object, _name: str, aws: Emulator) -> dict[str, str]:
        tables = aws.session().client("dynamodb")
        if TABLE not in tables.list_tables()["TableNames"]:
            tables.create_table(
                TableName=TABLE,
                KeySchema=[{"AttributeName": "incident_id", "KeyType": "HASH"}],
                AttributeDefinitions=[{"AttributeName": "incident_id", "AttributeType": "S"}],
                BillingMode="PAY_PER_REQUEST",
            )
        return {"IncidentsTable": TABLE, "TopicArn": "", "PersonalTopicArn": ""}

    with (
        mock.patch.object(run, "synthesise", lambda **_: home),
        mock.patch.object(run, "deploy", deploy),
        mock.patch.object(run, "Inbox", mock.Mock()),
        mock.patch.object(run, "_deploy_sample", lambda *_: None),
        mock.patch.object(run, "_start", start),
        mock.patch.object(run.EmbeddedRun, "save", save),
        mock.patch.object(Started, "stop", stop),
    ):
        if what == "up":
            print(dataclasses.asdict(run.start(home, keep=True))["id"])
        elif found := run.EmbeddedRun.load(home):
            found.stop()


if __name__ == "__main__":
    main()
