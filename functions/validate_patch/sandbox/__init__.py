"""The sandbox: runs code that strangers wrote, with nothing to take and nowhere to go.

    Sandbox (sandbox.py)          in the step's process; starts the server, asks for runs, reads their pipes
      └─ server (server.py)       a Python with pytest imported and a scrubbed environment; forks per run
           └─ supervisor          one per run; wall clock, kills the whole tree, tells the exit status
                └─ worker         isolated (isolation.py); the only process that runs strangers' code

Forking a server that has pytest imported already costs 10 ms per run; starting an interpreter and importing
pytest costs 300 ms. What is reported from inside is never believed alone: see `validate_patch/outcomes.py`.
"""
