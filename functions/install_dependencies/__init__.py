"""InstallDependencies: what the repository's tests import, as wheels only, so that nothing of it runs."""
