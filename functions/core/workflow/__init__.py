"""What travels between the workflow's steps, and the vocabulary in which they fail."""
