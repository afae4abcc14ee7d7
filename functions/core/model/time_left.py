"""How long a call of a model may take: one that hangs leaves those behind it their time, and the step its
end."""

from __future__ import annotations

import math
import time

LONGEST = 800.0
"""Seconds that an answer is waited for at the most. The SDK's own minute would give up on answers that are
paid for all the same."""

LEAST = 30.0
"""Seconds: less is not worth a call."""

_TO_END = 15.0
"""Seconds that a step needs to write what it has, once it was answered."""


class TimeLeft:
    """What is left of an invocation. `models`: how many may still be asked, with the one whose turn it is."""

    def __init__(self, seconds: float = math.inf) -> None:
        self._ends = time.monotonic() + seconds - _TO_END
        self.models = 1

    def for_a_call(self) -> float:
        """Seconds that the next call may take: an equal share for each model that may still be asked."""
        return min((self._ends - time.monotonic()) / self.models, LONGEST)
