"""Property tests try the same examples in every run; `make fuzz` tries new ones, and many more."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("same", derandomize=True, deadline=None)
settings.register_profile("new", max_examples=2_500, deadline=None, print_blob=True)
settings.load_profile("same")
