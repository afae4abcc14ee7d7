"""CommitPatch: commits exactly the approved bytes, on exactly the approved base, to the heal's own branch."""
