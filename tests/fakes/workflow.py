"""Step Functions, as far as decisions are handed to it."""

from __future__ import annotations

import json
import threading
from typing import Any

from botocore.exceptions import ClientError

from functions.core.workflow.history import Visit
from tests.removal import REMOVAL


class Workflow:
    """Step Functions as the decider meets it: tokens that wait, once, and a history of what they received.

    moto accepts every token for ever, so this keeps the rules of SendTaskSuccess instead.
    """

    def __init__(self) -> None:
        self.waiting: set[str] = set()
        self.visits: list[Visit] = []
        """What the page sees of the execution."""
        self.received: list[dict[str, Any]] = []
        self.fail_next: list[str] = []
        """Error codes that the next calls answer, before anything happens."""
        self.die_after_next = False
        """The next call arrives, but its answer does not."""
        self._lock = threading.Lock()
        self._known: set[str] = set()

    def wait(self, token: str) -> str:
        self.waiting.add(token)
        self._known.add(token)
        return token

    def send_task_success(self, *, taskToken: str, output: str) -> dict[str, Any]:  # noqa: N803 - AWS's name
        REMOVAL.check("SendTaskSuccess", ("states:SendTaskSuccess", ""))
        with self._lock:
            if self.fail_next:
                raise self._error(self.fail_next.pop(0))
            if taskToken not in self.waiting:
                raise self._error("TaskTimedOut" if taskToken in self._known else "TaskDoesNotExist")
            self.waiting.remove(taskToken)
            self.received.append(json.loads(output))
            if self.die_after_next:
                self.die_after_next = False
                raise self._error("InternalError")
            return {}

    def get_paginator(self, name: str) -> Workflow:
        assert name == "get_execution_history"
        return self

    def paginate(self, **_: Any) -> list[dict[str, Any]]:
        REMOVAL.check("GetExecutionHistory", ("states:GetExecutionHistory", ""))
        outputs = [{"taskSucceededEventDetails": {"output": json.dumps(out)}} for out in self.received]
        return [{"events": [{"type": "TaskStateExited"}, *reversed(outputs)]}]

    @staticmethod
    def _error(code: str) -> ClientError:
        return ClientError({"Error": {"Code": code, "Message": code}}, "SendTaskSuccess")
