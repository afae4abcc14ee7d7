"""Signatures that OpenSSH itself verifies."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from functions.core.forge.signing import NoSigningKey, SigningKey
from tests.fakes.ssh import new_key


def _verifies(
    key: SigningKey, message: bytes, signature: str, directory: Path, namespace: str = "git"
) -> bool:
    (directory / "signers").write_text(f"bot@shop.example {key.public}\n")
    (directory / "signature").write_text(signature)
    asked = ["ssh-keygen", "-Y", "verify", "-f", "signers", "-I", "bot@shop.example", "-n", namespace]
    done = subprocess.run(
        [*asked, "-s", "signature"], input=message, cwd=directory, capture_output=True, check=False
    )
    return done.returncode == 0


@pytest.mark.parametrize("message", [b"", b"tree 1\n\nFix\n", bytes(range(256)) * 400])
def test_openssh_verifies_what_was_signed_and_nothing_else(message: bytes, tmp_path: Path) -> None:
    key = SigningKey.from_text(new_key())
    signature = key.sign(message)
    assert _verifies(key, message, signature, tmp_path)
    assert not _verifies(key, message + b"x", signature, tmp_path)
    assert not _verifies(key, message, signature, tmp_path, namespace="file")
    assert not _verifies(SigningKey.from_text(new_key()), message, signature, tmp_path)


def test_a_signature_is_the_same_each_time_and_the_key_is_not_shown() -> None:
    text = new_key()
    key, again = SigningKey.from_text(text), SigningKey.from_text(text.strip())
    assert key.sign(b"x") == again.sign(b"x")
    assert repr(key) == "SigningKey()"


@pytest.mark.parametrize("kind", ["rsa", "ecdsa"])
def test_keys_of_other_kinds_are_refused(kind: str) -> None:
    with pytest.raises(NoSigningKey, match="another kind; make one: ssh-keygen -t ed25519"):
        SigningKey.from_text(new_key(kind))


_CUT = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl"


@pytest.mark.parametrize("text", ["", "ghp_token", _CUT, "-----BEGIN RSA PRIVATE KEY-----"])
def test_what_is_no_key_is_refused_without_a_word_of_it(text: str) -> None:
    with pytest.raises(NoSigningKey) as refused:
        SigningKey.from_text(text)
    assert not text or text not in str(refused.value)


def test_a_key_with_a_passphrase_is_refused() -> None:
    with pytest.raises(NoSigningKey, match="passphrase"):
        SigningKey.from_text(new_key(passphrase="secret"))
