"""ProposePatch: shows a model what an engineer would look at, and takes an answer that can be checked."""
