"""Questions to people: who may decide, by which link, and what was decided."""
