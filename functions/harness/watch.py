"""One run as the driver sees it: its pipes, its end, and when it is to be stopped."""

from __future__ import annotations

import os
import selectors
import socket
import time
from collections.abc import Callable

from functions.harness.outcome import OUTPUT_LIMIT, OUTPUT_TAIL, REPORT_LIMIT, RunOutcome
from functions.harness.report import READY

_GRACE_SECONDS = 5.0
"""How long a run may take to end once it is killed."""

_GATHERED_SECONDS = 0.002
"""For how long a worker's lines gather before they are read: waking a reader takes longer than a call."""


class Broken(Exception):
    """The harness itself does not work here, and why: nothing about a patch follows from that."""


class Watch:
    """Reads a run's pipes until it has ended, or stops it."""

    def __init__(
        self, control: socket.socket, output: int, report: int, seconds: float, kill: Callable[[], None]
    ) -> None:
        self._control, self._output, self._report = control, output, report
        self._kept = {output: bytearray(), report: bytearray()}
        self._read = {output: 0, report: 0}
        self._limits = {output: OUTPUT_LIMIT, report: REPORT_LIMIT}
        self._kill = kill
        self._seconds = seconds
        self._answer = b""

    def outcome(self) -> RunOutcome:
        """Raises Broken when the server does not answer."""
        started = time.monotonic()
        stopped = ""
        with selectors.DefaultSelector() as selector:
            for source in (self._control.fileno(), self._output, self._report):
                selector.register(source, selectors.EVENT_READ)
            while b"end " not in self._answer:
                left = started + self._seconds - time.monotonic()
                if not stopped and left <= 0:
                    stopped = "time"
                if any(self._read[fd] > self._limits[fd] for fd in self._read):
                    stopped = stopped or "output"
                if stopped:
                    self._kill()
                    if left < -self._seconds - _GRACE_SECONDS:
                        raise Broken("a run could not be stopped")
                taken = self._take(selector, max(0.0, left) if not stopped else 0.05)
                if taken and b"end " not in self._answer:
                    time.sleep(_GATHERED_SECONDS)
            seconds = time.monotonic() - started
            self._kill()  # what it left behind holds the pipes open
            while self._take(selector, 0.0):
                pass
        return self._outcome(stopped, seconds)

    def _take(self, selector: selectors.BaseSelector, wait: float) -> bool:
        """Read what is there; whether there was anything."""
        events = selector.select(wait) if selector.get_map() else []
        for key, _ in events:
            chunk = os.read(key.fd, 65536)
            if not chunk:
                selector.unregister(key.fd)
                if key.fd == self._control.fileno() and b"end " not in self._answer:
                    raise Broken("the fork server ended")
            elif key.fd == self._control.fileno():
                self._answer += chunk
            elif self._read[key.fd] <= self._limits[key.fd]:
                self._read[key.fd] += len(chunk)
                self._kept[key.fd] += chunk
                if key.fd == self._output:
                    del self._kept[key.fd][:-OUTPUT_TAIL]
        return bool(events)

    def _outcome(self, stopped: str, seconds: float) -> RunOutcome:
        code = int(self._answer.rpartition(b"end ")[2])
        output = self._kept[self._output].decode("utf-8", "replace")
        report = bytes(self._kept[self._report])
        if not report.startswith(READY):
            if stopped:
                report = READY  # it had no time to begin
            else:
                raise Broken(f"a run could not be set up: {output[-500:]}")
        text = report[len(READY) :][: REPORT_LIMIT // 2].decode("utf-8", "replace")
        return RunOutcome(None if stopped else code, stopped, round(seconds, 3), output, text)
