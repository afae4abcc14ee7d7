"""The app registry: one Parameter Store entry per app below a common path, encrypted.

Below `discovered/` there lies, for each app that was discovered, what its function's tags said: a String, as
tags are no secret.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from aws_lambda_powertools.utilities import parameters
from aws_lambda_powertools.utilities.parameters.exceptions import GetParameterError

from functions.core.apps.app import App
from functions.core.apps.discovery import Tagged
from functions.core.apps.entries import BESIDE, Entries, noted
from functions.core.aws.names import entry_of
from functions.core.workflow.errors import AppInvalid, AppNotRegistered, PermanentError

# For what is asked per log batch. Steps always read afresh: a mended entry must count for the redrive.
_MAX_AGE_SECONDS = 60
_DISCOVERED = "discovered"


def bound(secret: str, host: str) -> str:
    """A secret as it is stored: with the only host that it may be sent to."""
    return f"{host} {secret}"


class Registry:
    """Reads apps and their secrets. `provider` is Powertools' SSM provider, and `clock` the seconds, which
    never go back; both are injected by tests."""

    def __init__(
        self,
        path: str,
        provider: parameters.SSMProvider | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._looked = float("-inf")
        self._path = path.rstrip("/")
        self._credentials = self._path.rpartition("/")[0] + "/credentials"
        self._provider = provider or parameters.SSMProvider()
        self._entries = Entries(self._provider.client, self._path, clock)

    def app(self, name: str) -> App:
        """The app that has or had this name. Raises AppNotRegistered, or AppInvalid for a broken entry."""
        entry = entry_of(name)
        text = self.text(entry)
        if text and (now := noted(text)):
            entry, name, text = now, now, self.text(now)
        if text is None:
            raise AppNotRegistered(
                f"no app named {entry!r} in the registry; add it with: selfheal configure {entry}"
            )
        app = self._parse(entry, text)
        if entry == name:
            return app
        tagged = self.discovered(name)
        if tagged is None:
            raise AppNotRegistered(f"app {name!r} was discovered, and has been removed since")
        return tagged.app(app)

    def text(self, entry: str) -> str | None:
        """An entry as it is written; None where there is none."""
        # Once more, as it may have come back between the two looks.
        return self._text(entry) or self._text(entry + BESIDE) or self._text(entry)

    def _text(self, name: str) -> str | None:
        try:
            return str(self._provider.get(f"{self._path}/{name}", decrypt=True, force_fetch=True))
        except GetParameterError as error:
            if "ParameterNotFound" not in str(error):
                raise
        return None

    def app_of_log_group(self, log_group: str, *, rest: float = 0.0) -> App | None:
        """The app that registered this log group, or None.

        Entries are kept for a minute, but a group that is not among them is looked for afresh: it may have
        been registered since, and what it delivers now is not delivered again. rest: seconds between such
        looks, where most of what is delivered is nobody's.
        """
        found = self._claiming(log_group, fresh=False)
        if found is None and self._clock() - self._looked >= rest:
            self._looked = self._clock()
            found = self._claiming(log_group, fresh=True)
        return found

    def _claiming(self, log_group: str, fresh: bool) -> App | None:
        return next((app for app in self.registered(fresh=fresh) if log_group in app.log_groups), None)

    def registered(self, *, fresh: bool = True) -> list[App]:
        """The apps whose valid entry is their own, by name: services and families. fresh: else as they were
        within the last minute."""
        texts = self._entries.texts(0 if fresh else _MAX_AGE_SECONDS)
        return [app for app in self._parsed(texts).values() if isinstance(app, App)]

    def apps(self) -> list[App]:
        """All apps that are valid, by name, those that were discovered included."""
        # A broken entry must not take the other apps down with it; `selfheal apps list` shows it.
        return [app for app in self.entries().values() if isinstance(app, App)]

    def renamed(self, max_age: float = 0) -> dict[str, str]:
        """Former name → the one that the app has now, as of at most `max_age` seconds ago."""
        found = {name: noted(text) for name, text in self._entries.texts(max_age).items()}
        return {name: now for name, now in found.items() if now}

    def entries(self) -> dict[str, App | AppInvalid]:
        """Every app by name, or what is wrong with it; those that were discovered included."""
        return self._parsed(self._entries.texts(recursive=True))

    def _parsed(self, texts: Mapping[str, Any]) -> dict[str, App | AppInvalid]:
        found: dict[str, App | AppInvalid] = {}
        # The entries come before what is of their families.
        for path, text in sorted(texts.items(), key=lambda item: ("/" in item[0], item[0])):
            _, below, name = path.rpartition("/")
            if noted(str(text)):
                continue
            try:
                found[name] = (
                    self._of_family(found, name, str(text)) if below else self._parse(name, str(text))
                )
            except AppInvalid as error:
                found[name] = error
        return dict(sorted(found.items()))

    def _of_family(self, entries: dict[str, App | AppInvalid], name: str, text: str) -> App:
        family = entries.get(entry_of(name))
        if not isinstance(family, App):
            raise AppInvalid(f"app {name!r}: its family {entry_of(name)!r} has no valid entry")
        return Tagged.from_text(name, text).app(family)

    def discovered_parameter(self, name: str) -> str:
        """Where it lies what the tags of a discovered app's function said."""
        return f"{self._path}/{_DISCOVERED}/{name}"

    def discovered(self, name: str) -> Tagged | None:
        """What the tags of a discovered app's function said. Raises AppInvalid."""
        text = self._text(f"{_DISCOVERED}/{name}")
        return None if text is None else Tagged.from_text(name, text)

    def keep_discovered(self, tagged: Tagged) -> None:
        """Keep it, so that every step knows the app; the same again changes nothing."""
        self._provider.set(
            self.discovered_parameter(tagged.name), tagged.to_text(), parameter_type="String", overwrite=True
        )

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
        again = f"selfheal configure {app.entry} --signing-key-file FILE"
        name = self.signing_parameter(app.entry)
        return self._kept(app, name, "the key for its commits", again)

    def deploy_key_parameter(self, name: str) -> str:
        """Where the deploy key lies by which git reads and pushes."""
        return f"{self._credentials}/deploy/{name}"

    def deploy_key(self, app: App) -> str:
        """The app's private deploy key; "" where it has none. Raises PermanentError if it is gone, or is for
        another host than the entry says now."""
        if not app.deploy_key:
            return ""
        name = self.deploy_key_parameter(app.entry)
        again = f"selfheal configure {app.entry} --deploy-key-file FILE"
        return self._kept(app, name, "its deploy key", again, app.host)

    def model_key_parameter(self, name: str) -> str:
        """Where the key lies that an app's own model server is sent."""
        return f"{self._credentials}/model/{name}"

    def model_key(self, app: App) -> str:
        """The key for the server at the app's `model_url`; "" where it wants none. Raises PermanentError if
        it is gone, or is for another host than the entry says now."""
        if not app.model_key:
            return ""
        name = self.model_key_parameter(app.entry)
        again = f"selfheal configure {app.entry} --model-key-file FILE"
        return self._kept(app, name, "its model server's key", again, app.model_host)

    def credentials(self, app: App) -> str:
        """What is kept to speak to the app's forge by; "" for an app without credentials.

        Raises PermanentError if it is gone, or is for another host than the entry says now.
        """
        if not app.credentials:
            return ""
        name = self.credentials_parameter(app.entry)
        again = f"selfheal configure {app.entry} --token-file FILE"
        return self._kept(app, name, "its forge credentials", again, app.host)

    def _kept(self, app: App, name: str, what: str, again: str, host: str = "") -> str:
        """A secret of the app's. again: the command that gives it anew; host: the only one that it may be
        sent to now, "" where it is sent to none. Raises PermanentError."""
        try:
            value = str(self._provider.get(name, decrypt=True, force_fetch=True))
        except GetParameterError as error:
            if "ParameterNotFound" not in str(error):
                raise  # AWS is busy, or the key is disabled: giving the secret again would not help
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
        if entry_of(name) != name:
            raise AppInvalid(f"app name {name!r}: only what was discovered has a dot in its name")
        try:
            data = json.loads(text)
        except ValueError as error:
            raise AppInvalid(f"app {name!r}: the registry entry is not JSON ({error})") from error
        return App.from_json(name, data)
