"""The secrets with which Slack signs its requests: a SecureString per app."""

from __future__ import annotations

from aws_lambda_powertools.utilities import parameters
from aws_lambda_powertools.utilities.parameters.exceptions import GetParameterError

from functions.core.aws.names import entry_of

# A secret that was regenerated is seen within five minutes without a call per click.
_MAX_AGE_SECONDS = 300


class SigningSecrets:
    """Reads what `selfheal configure` wrote. `provider` is Powertools' SSM provider, injected by tests."""

    def __init__(self, path: str, provider: parameters.SSMProvider | None = None) -> None:
        self._path = path.rstrip("/")
        self._provider = provider or parameters.SSMProvider()

    def of(self, app: str) -> bytes | None:
        """The app's secret; None if it has none. Raises what AWS raises otherwise."""
        try:
            text = self._provider.get(f"{self._path}/{entry_of(app)}", decrypt=True, max_age=_MAX_AGE_SECONDS)
        except GetParameterError as error:
            if "ParameterNotFound" not in str(error):
                raise
            return None
        return str(text).strip().encode() or None
