"""The bounded search for inputs that make unpatched code fail as the incident did."""
