"""Text that counts what is done with it: characters that its methods look at, in place of seconds."""

from __future__ import annotations

from typing import Any


class Counted(str):
    """Behaves as text does; what is cut from it counts into the same tally."""

    tally: list[int]

    def __new__(cls, text: str, tally: list[int] | None = None) -> Counted:
        made = super().__new__(cls, text)
        made.tally = [0] if tally is None else tally
        return made

    def _of(self, value: Any) -> Any:
        if type(value) is str:
            return Counted(value, self.tally)
        if isinstance(value, list | tuple):
            return type(value)(map(self._of, value))
        return value

    def __getitem__(self, key: Any) -> Any:
        found = super().__getitem__(key)
        self.tally[0] += len(found)
        return self._of(found)

    def _searched(self, found: int, low: int, high: int, *, backwards: bool) -> int:
        ended = found if found >= 0 else (low if backwards else high)
        self.tally[0] += max(0, high - ended if backwards else ended - low) + 1
        return found

    def find(self, sub: str, start: Any = 0, end: Any = None) -> int:
        found = super().find(sub, start, end)
        return self._searched(found, start or 0, len(self) if end is None else end, backwards=False)

    def rfind(self, sub: str, start: Any = 0, end: Any = None) -> int:
        found = super().rfind(sub, start, end)
        return self._searched(found, start or 0, len(self) if end is None else end, backwards=True)


def _whole(name: str) -> Any:
    plain = getattr(str, name)

    def method(self: Counted, *given: Any, **named: Any) -> Any:
        self.tally[0] += len(self)
        return self._of(plain(self, *given, **named))

    return method


for _name in (
    *("partition", "rpartition", "split", "rsplit", "splitlines", "replace", "join", "count", "translate"),
    *("strip", "lstrip", "rstrip", "lower", "upper", "isidentifier", "isascii", "isdigit", "removeprefix"),
    *("__contains__", "__add__", "__hash__", "encode", "expandtabs", "removesuffix"),
):
    setattr(Counted, _name, _whole(_name))
