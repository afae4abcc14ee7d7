"""The harness: all that runs strangers' code. Standard library only, for Python 3.9 to 3.14.

It imports nothing else of this project, because a copy of it runs where that is not.
"""
