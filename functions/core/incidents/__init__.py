"""Incidents: one distinct error of one app each, and the table of them."""
