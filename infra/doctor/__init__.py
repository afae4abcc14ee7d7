"""What may be wrong with a deployment or an app, one small check each, and the command that mends it.

`seen.py` looks, through the caller's own rights, and changes nothing; `stack.py`, `app.py` and `forge.py`
judge what was seen.
"""
