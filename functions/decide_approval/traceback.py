"""The traceback as people read one: the app's frames open, runs of library frames folded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from markupsafe import Markup

from functions.core.incidents.incident import Frame
from functions.core.untrusted.hidden import spelled_out
from functions.decide_approval import highlight


@dataclass(frozen=True, slots=True)
class ShownFrame:
    """A frame with its source line as coloured HTML."""

    frame: Frame
    code: Markup
    culprit: bool = False
    """The innermost frame of the app's own code: where to look first."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Neighbouring frames that are all the app's own, or all not."""

    in_app: bool
    frames: tuple[ShownFrame, ...]


def stretches(frames: Sequence[Frame], qualified: str = "") -> tuple[Stretch, ...]:
    """Frames, innermost last, in alternating stretches. qualified: the name of the culprit's function in the
    source, which tells it apart from another class's."""
    culprit = max((i for i, frame in enumerate(frames) if frame.in_app), default=-1)
    if qualified and culprit >= 0:
        frames = list(frames)
        frames[culprit] = replace(frames[culprit], function=qualified)
    shown = [
        ShownFrame(frame, highlight.lines(spelled_out(frame.code), "x.py")[0], culprit=index == culprit)
        for index, frame in enumerate(frames)
    ]
    return tuple(
        Stretch(in_app, tuple(group)) for in_app, group in groupby(shown, key=lambda each: each.frame.in_app)
    )
