"""The models that a trial can ask: the rule-based one, Bedrock, or an OpenAI-compatible server.

Whatever is asked speaks Converse here, so that the step's own request and checks are the ones in use.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from functions.core.model.adapted import Adapted
from functions.core.model.bedrock import Bedrock
from functions.core.model.chat import Chat, ChatRefused
from functions.core.model.models import default_model
from functions.core.model.server import ChatServer
from infra.cli.connect import region
from infra.errors import UserError
from infra.local.model.completion import MODEL_ID, complete


def connect(name: str) -> tuple[Adapted, str]:
    """The model and its id. `name`: `embedded`, `bedrock`, `bedrock:MODEL_ID`, or the server's address.

    Raises UserError (exit code 2) for anything else, and for Bedrock without a region or a default model
    there.
    """
    if name == "embedded":
        return Adapted(Chat(complete)), MODEL_ID
    kind, _, model = name.partition(":")
    if kind == "bedrock":
        import boto3

        session = boto3.Session(region_name=region())
        here = session.region_name
        if not here:
            raise UserError("--model bedrock: no AWS region is set", "set AWS_REGION", exit_code=2)
        if not (model or default_model(here)):
            raise UserError(
                f"--model bedrock: region {here} has no default model that keeps code in its geography",
                "name one: --model bedrock:MODEL_ID",
                exit_code=2,
            )
        bedrock = Bedrock(lambda config: session.client("bedrock-runtime", config=config))
        return Adapted(bedrock), model or default_model(here)
    url = urlsplit(name)
    if url.scheme in ("http", "https") and url.hostname:
        server = ChatServer(name)
        return Adapted(Chat(server.complete)), _first_of(server)
    raise UserError(
        f"--model {name!r} is unknown",
        "use embedded, bedrock, bedrock:MODEL_ID, or a server's http(s) URL",
        exit_code=2,
    )


def _first_of(server: ChatServer) -> str:
    """The first model that a server lists; servers that serve one take any name. What is wrong with a server
    shows when it is asked."""
    try:
        return next(iter(server.models()), "default")
    except ChatRefused:
        return "default"
