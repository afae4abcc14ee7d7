"""Fixtures of `tests/wheels.py`."""

from tests.wheels import index, make_wheel

__all__ = ("index", "make_wheel")
