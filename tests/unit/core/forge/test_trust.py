"""A forge behind TLS whose certificate comes from an authority of its own."""

from __future__ import annotations

import datetime
import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from functions.core.apps.app import App
from functions.core.forge.connect import connect
from functions.core.forge.git_remote import Remote
from functions.core.workflow.errors import ForgeUnavailable

if TYPE_CHECKING:
    from tests.unit.conftest import Hosted


def _authority(file: Path) -> str:
    """A certificate for 127.0.0.1 that is its own authority, written to a file with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Shop's authority")])
    now = datetime.datetime.now(datetime.UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = made.public_bytes(serialization.Encoding.PEM).decode()
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_text(pem + secret.decode())
    return pem


def _pipe(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65_536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)


def _relay(plain: socket.socket, context: ssl.SSLContext, port: int) -> None:
    with (
        suppress(OSError),  # whoever does not trust the certificate hangs up
        plain,
        context.wrap_socket(plain, server_side=True) as outer,
        socket.create_connection(("127.0.0.1", port)) as inner,
    ):
        back = threading.Thread(target=_pipe, args=(inner, outer))
        back.start()
        _pipe(outer, inner)
        back.join()


def _serve(listening: socket.socket, context: ssl.SSLContext, port: int) -> None:
    relays = []
    with suppress(OSError):
        while True:
            relays.append(threading.Thread(target=_relay, args=(listening.accept()[0], context, port)))
            relays[-1].start()
    for relay in relays:
        relay.join()


@pytest.fixture(params=["GitHub", "GitLab"])
def secure(hosted: Hosted, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[App]:
    """The app as it is reached by TLS, with the forge's authority."""
    file = tmp_path / "certificate.pem"
    authority = _authority(file)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        port = urlsplit(hosted.forge.url).port or 0
        serving = threading.Thread(target=_serve, args=(listening, context, port))
        serving.start()
        there = f"https://127.0.0.1:{listening.getsockname()[1]}"
        api = hosted.forge.api_url if request.param == "GitHub" else hosted.forge.gitlab_api_url
        yield replace(
            hosted.app,
            repository=f"{there}/shop/orders.git",
            forge_api=there + urlsplit(api).path,
            certificate_authority=authority,
        )
        hosted.forge.stop()  # ends the connections that clients keep
        listening.shutdown(socket.SHUT_RDWR)
        serving.join()


def test_the_api_and_git_trust_the_app_s_own_authority(hosted: Hosted, secure: App) -> None:
    assert connect(secure, hosted.token).find("none", "main") is None
    remote = Remote.of(secure, hosted.token)
    with remote.repository() as repo:
        assert remote.fetch(repo, "refs/heads/main") == hosted.base_sha


def test_nobody_else_s_connections_do(hosted: Hosted, secure: App) -> None:
    stranger = replace(secure, certificate_authority="")
    with pytest.raises(ForgeUnavailable, match="not reachable"):
        connect(stranger, hosted.token).find("none", "main")
    remote = Remote.of(stranger, hosted.token)
    with remote.repository() as repo, pytest.raises(ForgeUnavailable, match="certificate"):
        remote.fetch(repo, "refs/heads/main")
