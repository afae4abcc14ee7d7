"""The repositories below are material for tests, not tests of this project."""

collect_ignore_glob = ["*"]
