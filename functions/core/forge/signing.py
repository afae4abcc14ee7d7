"""Signatures of commits by an SSH key, as git makes and forges verify them.

Made here, and not by `ssh-keygen`, which the functions' image has not got and which wants the key in a file.
https://github.com/openssh/openssh-portable/blob/master/PROTOCOL.sshsig
"""

from __future__ import annotations

import base64
import hashlib
import struct
import textwrap
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_MAGIC, _VERSION, _NAMESPACE, _HASH = b"SSHSIG", 1, b"git", b"sha512"
_KIND = b"ssh-ed25519"


class NoSigningKey(ValueError):
    """A text is no key to sign by; the message says what would be one, and nothing of the text."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """An Ed25519 key: its signatures are the same each time, so that a commit that is made again has the same
    id. Those of ECDSA are not.
    """

    _key: Ed25519PrivateKey = field(repr=False)

    @classmethod
    def from_text(cls, text: str) -> SigningKey:
        """The private key as `ssh-keygen -t ed25519 -N ''` writes it. Raises NoSigningKey."""
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import load_ssh_private_key

        try:
            # The last line's end is part of the format, and is lost where texts are stripped.
            key = load_ssh_private_key(text.strip().encode() + b"\n", password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise NoSigningKey(
                "no private key that can be read, or one with a passphrase; make one:"
                " ssh-keygen -t ed25519 -N '' -f signing_key"
            ) from error
        if not isinstance(key, Ed25519PrivateKey):
            raise NoSigningKey("a key of another kind; make one: ssh-keygen -t ed25519 -N '' -f signing_key")
        return cls(key)

    @property
    def public(self) -> str:
        """What the forge must know of it, as one line of `authorized_keys`."""
        return f"{_KIND.decode()} {base64.b64encode(self._blob).decode()}"

    @property
    def _blob(self) -> bytes:
        return _string(_KIND) + _string(self._key.public_key().public_bytes_raw())

    def sign(self, message: bytes) -> str:
        """The armoured signature, without a last end of line."""
        digest = hashlib.new(_HASH.decode(), message).digest()
        reserved = b""
        signed = _MAGIC + b"".join(map(_string, (_NAMESPACE, reserved, _HASH, digest)))
        signature = _string(_KIND) + _string(self._key.sign(signed))
        blob = _MAGIC + struct.pack(">I", _VERSION)
        blob += b"".join(map(_string, (self._blob, _NAMESPACE, reserved, _HASH, signature)))
        text = "\n".join(textwrap.wrap(base64.b64encode(blob).decode(), 70))
        return f"-----BEGIN SSH SIGNATURE-----\n{text}\n-----END SSH SIGNATURE-----"

    def signed(self, commit: bytes) -> bytes:
        """A commit object with its signature: the last of its headers, further lines indented."""
        head, end, message = commit.partition(b"\n\n")
        return head + b"\ngpgsig " + self.sign(commit).replace("\n", "\n ").encode() + end + message


def _string(data: bytes) -> bytes:
    """As SSH writes it: its length before it (RFC 4251, 5)."""
    return struct.pack(">I", len(data)) + data
