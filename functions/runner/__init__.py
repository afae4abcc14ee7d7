"""The runner: the one function in which code of strangers runs. Its role may do nothing."""
