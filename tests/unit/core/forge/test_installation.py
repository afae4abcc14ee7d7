"""A GitHub App instead of a token: the key is kept, each run gets a token of its own."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import boto3
import pytest
from aws_lambda_powertools.utilities.parameters import SSMProvider
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from functions.core.apps.registry import Registry, bound
from functions.core.forge.connect import connect
from functions.core.forge.installation import Installation, token_of
from functions.core.workflow.errors import ForgeAccessDenied, ForgeUnavailable
from tests.fakes.forge import Outage
from tests.fakes.github import RegisteredApp

if TYPE_CHECKING:
    from tests.unit.conftest import Hosted


def key() -> tuple[str, str]:
    """A private and a public key, PEM."""
    made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = made.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    public = made.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return private.decode(), public.decode()


PRIVATE, PUBLIC = key()
INSTALLATION = Installation(7, 42, PRIVATE)


@pytest.fixture
def installed(hosted: Hosted) -> Hosted:
    hosted.forge.register_app(RegisteredApp(7, PUBLIC), 42)
    return hosted


def test_what_is_kept_is_read_again_and_a_token_is_none() -> None:
    assert Installation.from_text(INSTALLATION.to_text()) == Installation(7, 42, PRIVATE)
    for token in ("ghp_abc", "app=7 installation=42", "app=x installation=1\nkey", ""):
        assert Installation.from_text(token) is None
    assert "PRIVATE" not in repr(INSTALLATION)


def test_the_registry_hands_out_a_token_that_the_forge_takes(installed: Hosted, aws: None) -> None:
    app = installed.app
    value = bound(INSTALLATION.to_text(), app.host)
    registry = Registry("/self-heal/apps", SSMProvider())
    name = registry.credentials_parameter(app.name)
    boto3.client("ssm").put_parameter(Name=name, Value=value, Type="SecureString")
    token = token_of(registry, app)
    assert PRIVATE.splitlines()[1] not in token
    assert connect(app, token).compare("main", "main").ahead == 0


@pytest.mark.parametrize(
    "wrong", [Installation(8, 42, PRIVATE), Installation(7, 43, PRIVATE), Installation(7, 42, key()[0])]
)
def test_another_app_s_proof_is_refused_and_named(installed: Hosted, wrong: Installation) -> None:
    with pytest.raises(ForgeAccessDenied, match=f"App {wrong.app_id}, installation {wrong.installation_id}"):
        wrong.mint(installed.app)


def test_a_key_that_is_none_is_said_with_what_to_do(installed: Hosted) -> None:
    with pytest.raises(ForgeAccessDenied, match="--github-app 7:42 --token-file"):
        Installation(7, 42, "-----BEGIN RSA PRIVATE KEY-----\nnonsense\n-----END RSA PRIVATE KEY-----").mint(
            installed.app
        )


def test_a_repository_that_it_is_not_installed_for_is_named(installed: Hosted) -> None:
    elsewhere = replace(installed.app, repository=f"{installed.forge.url}/shop/payroll.git")
    with pytest.raises(ForgeAccessDenied, match="no token for shop/payroll"):
        INSTALLATION.mint(elsewhere)


def test_a_forge_in_trouble_is_worth_a_retry(installed: Hosted) -> None:
    installed.forge.outage = Outage(503)
    with pytest.raises(ForgeUnavailable, match="503"):
        INSTALLATION.mint(installed.app)
    installed.forge.stop()
    with pytest.raises(ForgeUnavailable, match="not reachable"):
        INSTALLATION.mint(installed.app)
