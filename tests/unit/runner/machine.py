"""A MicroVM from its start to its end, behind the wall: this program plays the platform, and S3.

    python machine.py < job.zip     with HOOKS, a JSON list of [path, body] that the platform posts, in turn

Prints JSON: `statuses` of the hooks; `exit`, the program's own; `report` as text, null where it left none;
`requests` to S3.
"""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys

from tests.fakes.bucket import serve

STORE, HOOKS = 18080, 19000
JOB, REPORT = f"http://127.0.0.1:{STORE}/job.zip", f"http://127.0.0.1:{STORE}/report.json"


def post(path: str, body: str) -> int:
    """The status that the platform gets."""
    connection = http.client.HTTPConnection("127.0.0.1", HOOKS, timeout=30)
    connection.request("POST", path, body.encode())
    return connection.getresponse().status


def main() -> None:
    with serve(STORE) as bucket:
        if data := sys.stdin.buffer.read():
            bucket.objects["/job.zip"] = data
        command = [sys.executable, "-s", "-P", "-m", "functions.runner.microvm"]
        command += ["--host", "127.0.0.1", "--port", str(HOOKS)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as machine:
            assert machine.stdout is not None
            machine.stdout.readline()  # it listens
            statuses = [post(*hook) for hook in json.loads(os.environ["HOOKS"])]
            code = machine.wait(120)
        report = bucket.objects.get("/report.json")
        told = {"statuses": statuses, "exit": code, "report": report.decode() if report else None}
        print(json.dumps({**told, "requests": bucket.requests}))


if __name__ == "__main__":
    main()
