"""What several steps share: the incident model, settings, errors, and the adapters to AWS services."""
