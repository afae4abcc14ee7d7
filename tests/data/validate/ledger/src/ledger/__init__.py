"""Books for small associations."""
