"""take_decision: takes decisions from the command line, from whoever AWS says that they are."""
