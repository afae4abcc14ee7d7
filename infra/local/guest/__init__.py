"""What runs inside an execution environment of Lambda, here a process behind the wall.

    fork_server.py  forks environments: a wall, process 1 in it, and the runtime
    bootstrap.py  the runtime: asks the runtime API for invocations and runs the handler

Started apart from the emulator, whose modules, variables and credentials it never sees.
"""
