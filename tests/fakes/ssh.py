"""SSH keys that a test makes for itself, and a server that lets one of them in."""

from __future__ import annotations

import asyncio
import os
import shlex
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncssh


def new_key(kind: str = "ed25519", passphrase: str = "") -> str:
    """A new private key, as OpenSSH writes it."""
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory, "key")
        made = ["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", "test", "-f", str(file)]
        subprocess.run(made, check=True, capture_output=True)
        return file.read_text()


class SshServer:
    """An SSH server as a forge's: it lets one key in, and runs git's own programs on what is below `root`.

    read_only: whether the key may not push.
    """

    def __init__(self, root: Path, client_key: str, *, read_only: bool = False) -> None:
        self._root, self._read_only = root, read_only
        self._host_key = asyncssh.generate_private_key("ssh-ed25519")
        self._client_key = asyncssh.import_private_key(client_key).convert_to_public()
        self.commands: list[str] = []
        self.tried: list[str] = []
        """Users as which somebody tried to get in."""
        self.host_key = self._host_key.export_public_key().decode().strip()
        self.port = 0

    @contextmanager
    def running(self) -> Iterator[SshServer]:
        loop = asyncio.new_event_loop()
        acceptor = loop.run_until_complete(self._listen())
        self.port = acceptor.get_port()
        thread = threading.Thread(target=loop.run_forever)
        thread.start()

        async def stop() -> None:
            acceptor.close()
            await acceptor.wait_closed()
            loop.stop()

        try:
            yield self
        finally:
            asyncio.run_coroutine_threadsafe(stop(), loop)
            thread.join()
            loop.close()

    async def _listen(self) -> asyncssh.SSHAcceptor:
        outer = self

        class Gate(asyncssh.SSHServer):
            def begin_auth(self, username: str) -> bool:
                outer.tried.append(username)
                return True

            def public_key_auth_supported(self) -> bool:
                return True

            def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
                return username == "git" and key == outer._client_key

        return await asyncssh.create_server(
            Gate,
            "127.0.0.1",
            0,
            server_host_keys=[self._host_key],
            process_factory=self._serve,
            encoding=None,
            allow_pty=False,
        )

    async def _serve(self, process: asyncssh.SSHServerProcess[bytes]) -> None:
        self.commands.append(process.command or "")
        program, path = shlex.split(process.command or "")
        if self._read_only and program == "git-receive-pack":
            process.stderr.write(
                b"ERROR: The key you are authenticating with has been marked as read only.\n"
            )
            process.exit(1)
            return
        folder = self._root / path.lstrip("/")
        if program not in ("git-upload-pack", "git-receive-pack") or not folder.is_dir():
            process.stderr.write(b"ERROR: Repository not found.\n")
            process.exit(1)
            return
        pipe = asyncio.subprocess.PIPE
        git = await asyncio.create_subprocess_exec(
            program, str(folder), stdin=pipe, stdout=pipe, stderr=pipe, env={**os.environ, **process.env}
        )
        await process.redirect(git.stdin, git.stdout, git.stderr)
        process.exit(await git.wait())
        await process.wait_closed()
