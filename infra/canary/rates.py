"""What the canary finds broken every day. Leave it so: push this file to a repository of its own."""

from __future__ import annotations

SURCHARGES = {"island": 1.5, "default": 0.0}
RATES = {"DE": 4.9, "default": 19.5}


def surcharge(place: str) -> float:
    """Euro per kilogram, on top."""
    return SURCHARGES.get(place, SURCHARGES["default"])


def rate(country: str) -> float:
    """Euro per kilogram."""
    return RATES[country]
