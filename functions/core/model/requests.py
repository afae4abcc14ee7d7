"""Converse requests, as each model takes them and an app has them set."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from functions.core.apps.app import App
from functions.core.model.models import model_of
from functions.core.workflow.heal import Heal

EFFORT = "medium"
"""How hard a model that thinks is told to, unless the app says otherwise. Most makers' own default is `high`,
which mostly costs: what is asked here is one small change with all of its source at hand."""

# Source: RequestMetadata in the Converse API reference, which lists the characters.
_METADATA = re.compile(r"[^a-zA-Z0-9\s:_@$#=/+,.-]")
_METADATA_LENGTH = 256

# What not every endpoint takes in a schema; it is checked here anyway. Sources: Anthropic, "Structured
# outputs", JSON Schema limitations (tools that are `strict`); llama.cpp makes a grammar of it, with at
# most 2,000 repetitions (MAX_REPETITION_THRESHOLD in llama-grammar.cpp): at more, its Python server dies.
_BOUNDS = frozenset({"minLength", "maxLength", "minimum", "maximum", "maxItems"})

Tools = Mapping[str, tuple[str, dict[str, Any]]]
"""Name → description and schema."""


@dataclass(frozen=True, slots=True)
class RequestOptions:
    """What an app has set of its requests. temperature: not sent below 0; effort: "" for the default;
    guardrail: `ID` or `ID:VERSION`, "" for none; an_hour: whether attempts are further apart than a cache
    lives by itself; metadata: marks the call in the invocation log."""

    temperature: float = -1.0
    effort: str = ""
    guardrail: str = ""
    an_hour: bool = False
    metadata: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, app: App, heal: Heal | None = None) -> RequestOptions:
        marks = {"app": heal.app, "incident": heal.incident_id, "heal": heal.heal_id} if heal else {}
        return cls(
            temperature=app.temperature,
            effort=app.effort,
            guardrail=app.guardrail,
            # A sandbox takes seconds to minutes, a build up to hours.
            an_hour=bool(app.codebuild_project),
            metadata={key: _METADATA.sub("_", value)[:_METADATA_LENGTH] for key, value in marks.items()},
        )


DEFAULTS = RequestOptions()
"""What is sent where an app has set nothing."""


def request_of(
    model: str,
    system: str,
    texts: tuple[str, str],
    tools: Tools,
    options: RequestOptions,
    answer_tokens: int,
) -> dict[str, Any]:
    """A first request: system text, one message in two halves, tools of which none is forced.

    texts: what later requests of the heal share, and the rest, which may be empty.
    """
    known = model_of(model)
    shared, rest = texts
    blocks: list[dict[str, Any]] = [{"text": system}]
    content: list[dict[str, Any]] = [{"text": "\n".join(filter(None, texts))}]
    if known and known.cache:
        # The first covers the tools too, which come before it, and serves all heals. The second covers the
        # source: each look into the repository and each later attempt sends all of that again.
        hour = {"ttl": "1h"} if options.an_hour and known.hour else {}
        point = {"cachePoint": {"type": "default", **hour}}
        blocks.append(point)
        content = [{"text": shared}, point, *([{"text": rest}] if rest else [])]
    strict = bool(known and known.strict)
    inference = {"maxTokens": answer_tokens}
    request: dict[str, Any] = {
        "modelId": model,
        "system": blocks,
        "messages": [{"role": "user", "content": content}],
        # Forcing a tool is refused by several current models; the local check makes up for it.
        "toolConfig": {
            "tools": [_tool(name, *said, strict=strict) for name, said in tools.items()],
            "toolChoice": {"auto": {}},
        },
        "inferenceConfig": inference
        | ({"temperature": options.temperature} if options.temperature >= 0 else {}),
    }
    if effort := _effort(model, options.effort):
        request["additionalModelRequestFields"] = {"output_config": {"effort": effort}}
    if options.guardrail:
        identifier, _, version = options.guardrail.partition(":")
        request["guardrailConfig"] = {
            "guardrailIdentifier": identifier,
            "guardrailVersion": version or "DRAFT",
        }
    if options.metadata:
        request["requestMetadata"] = dict(options.metadata)
    return request


def request_tokens(request: dict[str, Any]) -> int:
    """Input tokens of a request, estimated."""
    return estimate_tokens(str((request["system"], request["messages"], request["toolConfig"])))


def estimate_tokens(text: str) -> int:
    """Tokens of a text, estimated on the high side: 3.3 characters of code each, but one of other scripts."""
    ascii_only = len(text.encode("ascii", "ignore"))
    return int(ascii_only / 3.3) + len(text) - ascii_only + 1


def keeps_for_an_hour(request: dict[str, Any]) -> bool:
    """Whether what a request writes to the cache is kept, and paid for, for an hour."""
    return any("ttl" in block.get("cachePoint", {}) for block in request["system"])


def _effort(model: str, wanted: str) -> str:
    """The effort to send; "" for none. A model that nothing is known of is sent what the app wants."""
    known = model_of(model)
    if known is None:
        return wanted
    if not wanted:
        return EFFORT if known.thinks else ""
    if not known.effort or wanted in known.effort:
        return wanted if known.effort else ""
    return "high"


def _tool(name: str, description: str, schema: dict[str, Any], *, strict: bool) -> dict[str, Any]:
    spec: dict[str, Any] = {"name": name, "description": description}
    if strict:
        return {"toolSpec": {**spec, "inputSchema": {"json": loosened(schema)}, "strict": True}}
    return {"toolSpec": {**spec, "inputSchema": {"json": schema}}}


def loosened(schema: Any) -> Any:
    """A schema without bounds of length and count; names of properties are no keywords."""
    if not isinstance(schema, dict):
        return schema
    loose: dict[str, Any] = {}
    for key, value in schema.items():
        if key in _BOUNDS:
            continue
        if key == "properties":
            loose[key] = {name: loosened(inner) for name, inner in value.items()}
        else:
            loose[key] = loosened(value)
    return loose
