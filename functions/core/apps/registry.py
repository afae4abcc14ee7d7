"""The app registry: one Parameter Store entry per app below a common path."""

from __future__ import annotations

import json

from aws_lambda_powertools.utilities import parameters
from aws_lambda_powertools.utilities.parameters.exceptions import GetParameterError

from functions.core.apps.app import App
from functions.core.workflow.errors import AppInvalid, AppNotRegistered, PermanentError

# For what is asked per log batch. Steps always read afresh: a mended entry must count for the redrive.
_MAX_AGE_SECONDS = 60


def bound(secret: str, host: str) -> str:
    """A secret as it is stored: with the only host that it may be sent to."""
    return f"{host} {secret}"


class Registry:
    """Reads apps and their secrets. `provider` is Powertools' SSM provider, injected by tests."""

    def __init__(self, path: str, provider: parameters.SSMProvider | None = None) -> None:
        self._path = path.rstrip("/")
        self._credentials = self._path.rpartition("/")[0] + "/credentials"
        self._provider = provider or parameters.SSMProvider()

    def app(self, name: str) -> App:
        """The app with this name. Raises AppNotRegistered, or AppInvalid for a broken entry."""
        try:
            text = self._provider.get(f"{self._path}/{name}", force_fetch=True)
        except GetParameterError as error:
            if "ParameterNotFound" not in str(error):
                raise
            raise AppNotRegistered(
                f"no app named {name!r} in the registry; add it with: selfheal configure {name}"
            ) from error
        return self._parse(name, str(text))

    def app_of_log_group(self, log_group: str) -> App | None:
        """The app that registered this log group, or None.

        Entries are kept for a minute, but a group that is not among them is looked for afresh: it may have
        been registered since, and what it delivers now is not delivered again.
        """
        for fresh in (False, True):
            for app in self.apps(fresh=fresh):
                if log_group in app.log_groups:
                    return app
        return None

    def apps(self, *, fresh: bool = True) -> list[App]:
        """All apps whose entry is valid, by name."""
        # A broken entry must not take the other apps down with it; `selfheal apps list` shows it.
        return [app for app in self.entries(fresh=fresh).values() if isinstance(app, App)]

    def entries(self, *, fresh: bool = True) -> dict[str, App | AppInvalid]:
        """Every entry by name: the app, or what is wrong with its entry."""
        texts = self._provider.get_multiple(self._path, max_age=_MAX_AGE_SECONDS, force_fetch=fresh) or {}
        found: dict[str, App | AppInvalid] = {}
        for name, text in sorted(texts.items()):
            try:
                found[name] = self._parse(name, str(text))
            except AppInvalid as error:
                found[name] = error
        return found

    def credentials_parameter(self, name: str) -> str:
        """Where an app's token lies: nobody who writes an entry can name another app's."""
        return f"{self._credentials}/{name}"

    def signing_parameter(self, name: str) -> str:
        """Where the key lies by which an app's commits are signed."""
        return f"{self._credentials}/signing/{name}"

    def signing_key(self, app: App) -> str:
        """The private key by which the app's commits are signed; "" where they are not. Raises PermanentError
        if it is gone."""
        if not app.signed_commits:
            return ""
        again = f"selfheal configure {app.name} --signing-key-file FILE"
        name = self.signing_parameter(app.name)
        return self._kept(app, name, "the key for its commits", again)

    def deploy_key_parameter(self, name: str) -> str:
        """Where the deploy key lies by which git reads and pushes."""
        return f"{self._credentials}/deploy/{name}"

    def deploy_key(self, app: App) -> str:
        """The app's private deploy key; "" where it has none. Raises PermanentError if it is gone, or is for
        another host than the entry says now."""
        if not app.deploy_key:
            return ""
        name = self.deploy_key_parameter(app.name)
        again = f"selfheal configure {app.name} --deploy-key-file FILE"
        return self._kept(app, name, "its deploy key", again, app.host)

    def model_key_parameter(self, name: str) -> str:
        """Where the key lies that an app's own model server is sent."""
        return f"{self._credentials}/model/{name}"

    def model_key(self, app: App) -> str:
        """The key for the server at the app's `model_url`; "" where it wants none. Raises PermanentError if
        it is gone, or is for another host than the entry says now."""
        if not app.model_key:
            return ""
        name = self.model_key_parameter(app.name)
        again = f"selfheal configure {app.name} --model-key-file FILE"
        return self._kept(app, name, "its model server's key", again, app.model_host)

    def credentials(self, app: App) -> str:
        """What is kept to speak to the app's forge by; "" for an app without credentials.

        Raises PermanentError if it is gone, or is for another host than the entry says now.
        """
        if not app.credentials:
            return ""
        name = self.credentials_parameter(app.name)
        again = f"selfheal configure {app.name} --token-file FILE"
        return self._kept(app, name, "its forge credentials", again, app.host)

    def _kept(self, app: App, name: str, what: str, again: str, host: str = "") -> str:
        """A secret of the app's. again: the command that gives it anew; host: the only one that it may be
        sent to now, "" where it is sent to none. Raises PermanentError."""
        try:
            value = str(self._provider.get(name, decrypt=True, force_fetch=True))
        except GetParameterError as error:
            raise PermanentError(
                f"app {app.name!r}: cannot read {what} from parameter {name!r}; give it again: {again}, then"
                " redrive"
            ) from error
        if not host:
            return value
        own, _, secret = value.partition(" ")
        if own != host or not secret:
            said = f"for {own}" if secret else "for no host"
            raise PermanentError(
                f"app {app.name!r}: {what}, in {name!r}, is {said}, not for {host}, so it is not sent there;"
                f" give it again: {again}"
            )
        return secret

    def _parse(self, name: str, text: str) -> App:
        try:
            data = json.loads(text)
        except ValueError as error:
            raise AppInvalid(f"app {name!r}: the registry entry is not JSON ({error})") from error
        return App.from_json(name, data)
