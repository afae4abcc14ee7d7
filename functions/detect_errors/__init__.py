"""Reads errors out of log text, tells one error from another, and records each as one incident."""
