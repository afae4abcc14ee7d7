"""Tracks open pull requests on a schedule: merged ones resolve their incident, closed ones reject it."""
