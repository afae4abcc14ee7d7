"""The canary: whether a known error of a test app is healed, every day."""
