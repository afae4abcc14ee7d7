"""Access by an SSH deploy key: git's alone. Pull requests, checks and comments take a token as ever."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from functions.core.forge.host_keys import host_keys

if TYPE_CHECKING:
    from functions.core.apps.app import App

_HERE = Path(__file__).parent
# As `ssh_transport.py` has them, which is a program of its own and imports nothing of ours.
SETTING = "SELF_HEAL_SSH"
NOT_VERIFIED = "the server's key is none of those that are pinned"
REFUSED = "the server does not take the deploy key"


class NoDeployKey(ValueError):
    """A text is no deploy key; the message says what would be one, and nothing of the text."""


@dataclass(frozen=True, slots=True)
class DeployKey:
    """A private key, and the server that it is for, which has to show one of the host keys.

    url: `ssh://git@HOST:PORT/OWNER/NAME.git`.
    """

    url: str
    host_keys: tuple[str, ...]
    _key: str = field(repr=False)

    @classmethod
    def of(cls, app: App, text: str) -> DeployKey:
        """For the app's repository. Raises NoDeployKey."""
        public_of(text)
        host = urlsplit(app.repository).hostname
        return cls(f"ssh://git@{host}:{app.ssh_port}/{app.slug}.git", host_keys(app), text.strip() + "\n")

    def environment(self) -> Mapping[str, str]:
        """What git needs in its own to use it."""
        url = urlsplit(self.url)
        told = {"host": url.hostname, "port": url.port, "key": self._key, "host_keys": self.host_keys}
        return {
            "GIT_SSH_COMMAND": shlex.join([sys.executable, "-I", str(_HERE / "ssh_transport.py")]),
            "GIT_SSH_VARIANT": "ssh",
            SETTING: json.dumps(told),
        }


def public_of(text: str) -> str:
    """The private key's public one, as the forge is told it. Raises NoDeployKey."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_ssh_private_key

    try:
        key = load_ssh_private_key(text.strip().encode() + b"\n", password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise NoDeployKey(
            "no private key that can be read, or one with a passphrase; make one:"
            " ssh-keygen -t ed25519 -N '' -f deploy_key"
        ) from error
    return key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
