"""report_failure: marks an incident FAILED when its execution failed, timed out or was aborted."""
