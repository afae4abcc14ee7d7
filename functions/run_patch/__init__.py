"""RunPatch: has a patch run where code of strangers may run, in a world of its own, and waits for the end."""
