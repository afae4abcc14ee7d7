"""A small depot."""
