"""`selfheal try`: the steps' own code on a local repository, without AWS."""
