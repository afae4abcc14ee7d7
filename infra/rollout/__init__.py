"""Putting the stack into an account and taking it out again: what `selfheal deploy` and `destroy` do."""
