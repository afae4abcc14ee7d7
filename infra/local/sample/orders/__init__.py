"""Quotes, labels and reports for a small shop."""
