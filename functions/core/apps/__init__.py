"""Registered services: their entries, how far their heals may go, and the revision that they run."""
