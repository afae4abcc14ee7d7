"""How the parts of the state are read and written: by their fields, each of which says what it takes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import Field, dataclass, field, fields
from typing import Any, Self

from functions.core.source.python import Python

REFERENCE, SHORT, PROSE = 1200, 500, 2000
"""Bytes at most: of a reference (an S3 key has 1,024 bytes), of one line, of a few sentences."""


def text_field(most: int = SHORT, *, name: str = "", secret: bool = False) -> Any:
    """A field of text. name: in the JSON, where it is another; secret: kept out of representations."""
    return field(default="", repr=not secret, metadata={"most": most, "name": name})


def text_fields(items: int, most: int) -> Any:
    return field(default=(), metadata={"items": items, "most": most})


@dataclass(frozen=True, slots=True)
class StatePart:
    """Read and written by the fields: a default tells the type, `metadata` what else there is to know."""

    @classmethod
    def from_json(cls, data: Mapping[str, Any] | None) -> Self:
        told = data or {}
        given = {f.name: _read(f, told[_name(f)]) for f in fields(cls) if told.get(_name(f)) is not None}
        return cls(**given)

    @classmethod
    def each(cls, rows: Iterable[Mapping[str, Any]]) -> tuple[Self, ...]:
        return tuple(map(cls.from_json, rows))

    def to_state(self) -> dict[str, Any]:
        """As JSON; what is None is left out."""
        values = ((_name(f), _written(f, getattr(self, f.name))) for f in fields(self))
        return {name: value for name, value in values if value is not None}


def _name(f: Field[Any]) -> str:
    return f.metadata.get("name") or f.name


def _read(f: Field[Any], value: Any) -> Any:
    if "read" in f.metadata:
        return f.metadata["read"](value)
    made: Any = f.default_factory
    if isinstance(made, type) and issubclass(made, StatePart):
        return made.from_json(value)
    if isinstance(f.default, bool):
        return value is True  # whatever else it is, nothing is allowed by it
    # JSONata makes floats of whole numbers.
    kind: Any = type(f.default)
    return kind(value)


def _written(f: Field[Any], value: Any) -> Any:
    if isinstance(value, StatePart):
        return value.to_state()
    if isinstance(value, tuple):
        return [_written(f, one) for one in value[: f.metadata.get("items")]]
    if isinstance(value, str):
        return value.encode(errors="replace")[: f.metadata.get("most")].decode(errors="ignore")
    return value.to_json() if isinstance(value, Python) else value
