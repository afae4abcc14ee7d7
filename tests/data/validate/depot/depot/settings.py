"""What the depot is set to."""

FALLBACK_BIN = "hall"
MAX_WEIGHT = 30.0
STANDARD_FACTOR = 1.0
