"""pip in a process that can start no other: it is run as a file, in a child of the function.

pip builds, and so runs, what is no wheel; an option in a requirements file or an address in a package's own
metadata is enough. Every build, every git and every hook of theirs is a process, so none is started here,
whatever pip was talked into.
"""

import runpy
import sys

# PEP 578; https://docs.python.org/3/library/audit_events.html
_STARTS = (
    "os.exec",
    "os.fork",
    "os.forkpty",
    "os.posix_spawn",
    "os.spawn",
    "os.system",
    "pty.spawn",
    "subprocess.Popen",
)


def _refuse(event: str, arguments: tuple[object, ...]) -> None:
    if event in _STARTS:
        # pip asks lsb_release and rustc, where there are any, what they are, and does without.
        raise PermissionError("it is no wheel: it would have to be built, which runs its code")


if __name__ == "__main__":
    sys.addaudithook(_refuse)
    runpy.run_module("pip", run_name="__main__", alter_sys=True)
