"""What git speaks SSH by: a program in the place of OpenSSH's client, which needs an account that Lambda's
functions run under without (`No user exists for uid ...`), and a file for the key.

    python -I ssh_transport.py [-p PORT] [-o SendEnv=GIT_PROTOCOL] USER@HOST COMMAND

git calls it so (GIT_SSH_VARIANT=ssh). The environment says the rest, as JSON in SELF_HEAL_SSH: `{"host",
"port", "key", "host_keys"}`. It connects to that host alone, and only if that shows one of these keys. Ends
as the command did, or with 255 as OpenSSH does.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys

import asyncssh

SETTING = "SELF_HEAL_SSH"
NOT_VERIFIED = "the server's key is none of those that are pinned"
REFUSED = "the server does not take the deploy key"
_COMMANDS = ("git-upload-pack ", "git-receive-pack ")
_SECONDS = 30


async def _run(where: str, command: str) -> int:
    told = json.loads(os.environ[SETTING])
    user, _, host = where.rpartition("@")
    if host != told["host"] or not command.startswith(_COMMANDS):
        sys.stderr.write(f"{command!r} at {host} is not what the key is for\n")
        return 255
    protocol = {name: os.environ[name] for name in ("GIT_PROTOCOL",) if name in os.environ}
    try:
        connection = await asyncssh.connect(
            host,
            told["port"],
            username=user,
            # What this machine's user has set up does not count: no configuration, no agent, no other key.
            config=None,
            agent_path=None,
            client_keys=[asyncssh.import_private_key(told["key"])],
            known_hosts=([asyncssh.import_public_key(key) for key in told["host_keys"]], [], []),
            preferred_auth="publickey",
            connect_timeout=_SECONDS,
            login_timeout=_SECONDS,
            keepalive_interval=_SECONDS,
        )
    except asyncssh.HostKeyNotVerifiable:
        sys.stderr.write(f"{NOT_VERIFIED}\n")
        return 255
    except asyncssh.PermissionDenied:
        sys.stderr.write(f"{REFUSED}\n")
        return 255
    except (OSError, asyncssh.Error, TimeoutError) as error:
        sys.stderr.write(f"no connection to {host} port {told['port']}: {error or type(error).__name__}\n")
        return 255
    async with connection:
        process = await connection.create_process(
            command,
            # Not 0, which would stand for no redirection.
            stdin=sys.stdin.buffer,
            stdout=sys.stdout.buffer,
            stderr=sys.stderr.buffer,
            encoding=None,
            env=protocol,
        )
        await process.wait_closed()
    return 255 if process.exit_status is None else process.exit_status


if __name__ == "__main__":
    sys.exit(asyncio.run(_run(*sys.argv[-2:])))
