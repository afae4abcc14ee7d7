"""Fixtures of `tests/fakes/wheels.py`."""

from tests.fakes.wheels import index, make_wheel

__all__ = ("index", "make_wheel")
