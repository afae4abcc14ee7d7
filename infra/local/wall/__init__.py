"""The wall around processes of the embedded run: what AWS's platform does from outside, done by this kernel.

    kernel.py    the system calls that Python lacks
    refusals.py  the calls that Lambda's guest refuses, as a seccomp filter
    root.py      a root of its own: read-only but `/tmp`
    limits.py    ceilings per process
    inside.py    all of it put around a process, in the right order
    program.py   a program behind the wall, run to its end

Linux only. Works as root, and as an ordinary user where the kernel grants user namespaces.
"""
