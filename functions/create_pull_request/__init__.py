"""CreatePullRequest: opens the pull request of a heal, or finds the one an earlier run opened."""
