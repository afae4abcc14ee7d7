"""SSH keys that a test makes for itself."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path


def new_key(kind: str = "ed25519", passphrase: str = "") -> str:
    """A new private key, as OpenSSH writes it."""
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory, "key")
        made = ["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", "test", "-f", str(file)]
        subprocess.run(made, check=True, capture_output=True)
        return file.read_text()
