"""Bedrock's runtime, as it refuses: the rules of each model id as published, in
tests/data/bedrock_models.toml.

It answers boto3 on the wire. Whoever asks must take each turn as Converse does: a model first looks, then
answers wrongly, then rightly, and what it thought must come back as it was. The sentences of refusals are
Bedrock's own, from the trackers and pages that the table names.
"""

from __future__ import annotations

import base64
import json
import re
import threading
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self
from urllib.parse import unquote

from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from tests.fakes.web import answered_by, as_json

_TABLE = Path(__file__).parents[1] / "data/bedrock_models.toml"
_GEOGRAPHIES = {
    "us": ("us-east-1", "us-east-2", "us-west-2"),
    "eu": ("eu-central-1", "eu-west-1", "eu-west-3"),
    "jp": ("ap-northeast-1", "ap-northeast-3"),
    "au": ("ap-southeast-2",),
    "apac": ("ap-south-1", "ap-southeast-1", "ap-northeast-2"),
}
_METADATA = re.compile(r"[a-zA-Z0-9\s:_@$#=/+,-.]{1,256}")
_NOT_STRICT = {"minLength", "maxLength", "minimum", "maximum", "maxItems"}
_MOST_OPTIONAL = 24
"""Of all strict tools together (elie222/inbox-zero#2662)."""
# Tokens that a model thinks before it answers, by effort. Stand-ins: makers publish the order only.
_THOUGHTS = {"low": 500, "medium": 3_000, "high": 10_000, "xhigh": 25_000, "max": 60_000}
_ANSWER = 1_000

PROPOSAL = {
    "root_cause": "No rate for NZ.",
    "title": "Charge a default rate",
    "explanation": "Uses a default.",
    "edits": [{"path": "orders/rates.py", "search": "RATES[country]", "replace": "RATES.get(country, 9)"}],
    "confidence": 0.8,
}


CUT_OFF: list[dict[str, Any]] = [{"text": "First, "}]
"""In a script: an answer that its limit ended."""


class Refused(Exception):
    """`args`: HTTP status, error code, and what Bedrock says, or the body."""


def invalid(said: str) -> Refused:
    return Refused(400, "ValidationException", said)


NO_TOOL_CALL = Refused(
    424,
    "ModelErrorException",
    "Model produced invalid sequence as part of ToolUse. Please refer to the model tool use troubleshooting"
    " guide.",
)
"""What Nova says instead of an answer where its tool call is none (langchain-ai/langchain-aws#567)."""


@dataclass(frozen=True)
class Rules:
    """One row of the table."""

    name: str
    source: str
    state: str
    reach: tuple[str, ...]
    output: int
    window: int
    sampling: bool = False
    forced: bool = False
    effort: tuple[str, ...] = ()
    thinks: bool = False
    cache: tuple[int, ...] = ()
    strict: bool = False
    status: bool = False
    counts: bool = False
    tools: bool = True
    sealed: bool = False
    text_input: bool = False

    @property
    def claude(self) -> bool:
        return self.name.startswith("anthropic.")

    @property
    def answers(self) -> bool:
        """Whether it can give an answer here at all: it is there, and uses tools."""
        return self.state == "active" and self.tools


def table() -> dict[str, Rules]:
    rows: dict[str, dict[str, Any]] = tomllib.loads(_TABLE.read_text())
    return {name: _rules(name, row) for name, row in rows.items()}


def _rules(name: str, row: dict[str, Any]) -> Rules:
    values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in row.items()}
    return Rules(name, **values)


MODELS = table()


@dataclass
class BedrockDouble:
    """Serves one region. Profiles of the account lead to models."""

    region: str = "us-east-1"
    profiles: dict[str, str] = field(default_factory=dict)
    """ARN of a thing of the account's, such as an application inference profile → model id."""
    not_enabled: set[str] = field(default_factory=set)
    without_form: bool = False
    requests: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    hangs: set[str] = field(default_factory=set)
    """Ids of models that never answer."""
    url: str = ""
    _ended: threading.Event = field(default_factory=threading.Event)
    _script: list[list[dict[str, Any]] | Refused] = field(default_factory=list)

    @classmethod
    def at(cls, server: HTTPServer) -> Self:
        double = cls()
        double.url = answered_by(server, double._answer, "/model/.*")
        return double

    def end(self) -> None:
        """Let the models go that never answer."""
        self._ended.set()

    def _answer(self, request: Request) -> Response:
        model_id, _, action = unquote(request.path).removeprefix("/model/").rpartition("/")
        serve = {"converse": self.converse, "count-tokens": self.count}[action]
        try:
            return as_json(serve(model_id, request.json))
        except Refused as refused:
            status, code, said = refused.args
            if action == "converse":
                self.refusals.append(said)
            body = said if isinstance(said, dict) else {"message": said}
            return as_json(body, status, {"x-amzn-ErrorType": code} if code else {})

    def converse(self, model_id: str, request: dict[str, Any]) -> dict[str, Any]:
        rules = self._reached(model_id)
        if model_id in self.hangs:
            self._ended.wait()
        for check in _CHECKS if self._script else (*_CHECKS, _check_thoughts):
            check(rules, request)
        self.requests.append((model_id, request))
        if not self._script:
            return _answer(rules, request)
        said = self._script.pop(0)
        if isinstance(said, Refused):
            raise said
        stop = "tool_use" if any("toolUse" in block for block in said) else "end_turn"
        return _said(said, "max_tokens" if said is CUT_OFF else stop, request)

    def script(self, said: Sequence[list[dict[str, Any]] | Refused]) -> None:
        """What is said next, turn by turn, in place of the model's own: content, or a refusal."""
        self._script = list(said)

    def count(self, model_id: str, request: dict[str, Any]) -> dict[str, Any]:
        rules = MODELS.get(model_id)
        if rules is None or not rules.counts:
            raise invalid("The provided model doesn't support counting tokens.")
        return {"inputTokens": _tokens(request["input"]["converse"])}

    def _reached(self, model_id: str) -> Rules:
        name = self.profiles.get(model_id, model_id)
        prefix, _, rest = name.partition(".")
        geography = prefix if prefix in (*_GEOGRAPHIES, "global") else ""
        rules = MODELS.get(rest if geography else name)
        if rules is None:
            raise invalid("The provided model identifier is invalid.")
        if geography and (geography not in rules.reach or not self._lies_in(geography)):
            raise invalid("The provided model identifier is invalid.")
        if rules.state == "ended":
            raise Refused(
                404,
                "ResourceNotFoundException",
                "This model version has reached the end of its life. Please refer to the AWS documentation"
                " for more details.",
            )
        if rules.state == "legacy":
            raise Refused(
                404,
                "ResourceNotFoundException",
                "Access denied. This Model is marked by provider as Legacy and you have not been actively"
                " using the model in the last 30 days. Please upgrade to an active model on Amazon Bedrock",
            )
        if not geography and "" not in rules.reach:
            raise invalid(
                f"Invocation of model ID {name} with on-demand throughput isn’t supported. Retry your request"
                " with the ID or ARN of an inference profile that contains this model."
            )
        if rules.name in self.not_enabled:
            raise Refused(
                403,
                "AccessDeniedException",
                "You don't have access to the model with the specified model ID.",
            )
        if rules.claude and self.without_form:
            raise Refused(
                404,
                "ResourceNotFoundException",
                "Model use case details have not been submitted for this account. Fill out the Anthropic use"
                " case details form before using the model. If you have already filled out the form, try"
                " again in 15 minutes.",
            )
        return rules

    def _lies_in(self, geography: str) -> bool:
        return geography == "global" or self.region in _GEOGRAPHIES[geography]


def _check_tools(rules: Rules, request: dict[str, Any]) -> None:
    if not rules.tools and "toolConfig" in request:
        raise invalid("This model doesn't support tool use.")
    names = [tool["toolSpec"]["name"] for tool in request.get("toolConfig", {}).get("tools", ())]
    if rules.name.startswith("amazon.nova") and any("-" in name for name in names):
        raise NO_TOOL_CALL  # SEMOSS/Semoss#2892
    choice = request.get("toolConfig", {}).get("toolChoice", {"auto": {}})
    if not rules.forced and "auto" not in choice:
        if rules.claude:
            raise invalid('tool_choice: type "tool" and "any" are not supported for this model.')
        raise invalid(
            "This model doesn't support the toolConfig.toolChoice.any field. Remove it and try again."
        )


def _check_sampling(rules: Rules, request: dict[str, Any]) -> None:
    given = {"temperature", "topP"} & set(request["inferenceConfig"])
    if given and not rules.sampling:
        raise invalid("The model returned the following errors: `temperature` is deprecated for this model.")
    if len(given) == 2 and rules.claude:
        raise invalid(
            "The model returned the following errors: `temperature` and `top_p` cannot both be specified"
        )


def _check_output(rules: Rules, request: dict[str, Any]) -> None:
    wanted = request["inferenceConfig"].get("maxTokens", rules.output)
    if wanted > rules.output:
        raise invalid(
            f"The maximum tokens you requested exceeds the model limit of {rules.output}. Try again with a"
            f" maximum tokens value that is lower than {rules.output}."
        )
    read = _tokens(request)
    if read + wanted > rules.window:
        if rules.claude:
            raise invalid(
                f"input length and `max_tokens` exceed context limit: {read} + {wanted} > {rules.window}"
            )
        raise invalid("Input is too long for requested model.")


def _check_thinking(rules: Rules, request: dict[str, Any]) -> None:
    fields = request.get("additionalModelRequestFields", {})
    if fields and not rules.claude:
        raise invalid(
            f"Malformed input request: #: extraneous key [{next(iter(fields))}] is not permitted, please"
            " reformat your input and try again."
        )
    if unknown := sorted(set(fields) - {"output_config", "thinking"}):
        raise invalid(f"{unknown[0]}: Extra inputs are not permitted")
    if fields.get("thinking", {}).get("type") in ("enabled", "disabled") and rules.thinks:
        raise invalid(
            '"thinking.type.disabled" is not supported for this model. Use "thinking.type.adaptive" and'
            ' "output_config.effort" to control thinking behavior.'
        )
    effort = fields.get("output_config", {}).get("effort")
    if effort and not rules.effort:
        raise invalid("This model does not support the effort parameter.")
    if effort and effort not in rules.effort:
        listed = "', '".join(rules.effort)
        raise invalid(f"output_config.effort: Input should be '{listed}'")


def _check_cache(rules: Rules, request: dict[str, Any]) -> None:
    places = (request["system"], *(message["content"] for message in request["messages"]))
    points = [block["cachePoint"] for blocks in places for block in blocks if "cachePoint" in block]
    if points and not rules.cache:
        raise Refused(
            403,
            "AccessDeniedException",
            "You invoked an unsupported model or your request did not allow prompt caching. See the"
            " documentation for more information.",
        )
    if any(point.get("ttl") == "1h" for point in points) and 3600 not in rules.cache:
        raise invalid("The ttl 1h of a cache point is not supported by this model.")
    if len(points) > 4:
        raise invalid("A maximum of 4 blocks with cache_control may be provided.")


def _check_strict(rules: Rules, request: dict[str, Any]) -> None:
    optional = 0
    for number, tool in enumerate(request.get("toolConfig", {}).get("tools", ())):
        spec = tool["toolSpec"]
        if "strict" not in spec:
            continue
        if not rules.strict:
            raise invalid(f"tools.{number}.custom.strict: Extra inputs are not permitted")
        for keyword in _keywords(spec["inputSchema"]["json"]):
            if keyword in _NOT_STRICT:
                kind = "array" if keyword == "maxItems" else "string"  # BerriAI/litellm#39115
                said = f"For '{kind}' type, property '{keyword}' is not supported"
                raise invalid(f"The model returned the following errors: tools.{number}.custom: {said}")
            if keyword == "oneOf":  # strands-agents/harness-sdk#2664
                raise invalid(f"tools.{number}.custom: Schema type 'oneOf' is not supported")
        optional += sum(_optional(spec["inputSchema"]["json"]))
    if optional > _MOST_OPTIONAL:
        raise invalid(
            f"Schemas contains too many optional parameters ({optional}), which would make grammar"
            f" compilation inefficient. Reduce the number of optional parameters in your tool schemas (limit:"
            f" {_MOST_OPTIONAL})."
        )


def _optional(schema: Any) -> Iterator[int]:
    """How many properties of each object in a schema may be left out."""
    if isinstance(schema, dict):
        if "properties" in schema:
            yield len(set(schema["properties"]) - set(schema.get("required", ())))
        for inner in (*schema.get("properties", {}).values(), schema.get("items")):
            yield from _optional(inner)


def _keywords(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        for key, value in schema.items():
            if key == "properties":
                for inner in value.values():
                    yield from _keywords(inner)
            else:
                yield key
                yield from _keywords(value)


def _check_turns(rules: Rules, request: dict[str, Any]) -> None:
    messages = request["messages"]
    if [message["role"] for message in messages] != (["user", "assistant"] * len(messages))[: len(messages)]:
        raise invalid("A conversation must alternate between user and assistant roles.")
    if messages[-1]["role"] != "user":
        raise invalid("This model does not support assistant message prefill.")
    for asked, answered in zip(messages[1::2], messages[2::2], strict=False):
        # NousResearch/hermes-agent#105780: whatever stands behind it.
        if rules.thinks and all("reasoningContent" in block for block in asked["content"]):
            raise invalid("This model does not support assistant message prefill.")
        used = [block["toolUse"] for block in asked["content"] if "toolUse" in block]
        # ToolUseId and ToolName in the API's model.
        if not all(re.fullmatch(r"[a-zA-Z0-9_.:-]{1,64}", call["toolUseId"]) for call in used):
            raise invalid("toolUse.toolUseId failed to satisfy constraint: [a-zA-Z0-9_.:-]+")
        if not all(re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", call["name"]) for call in used):
            raise invalid("toolUse.name failed to satisfy constraint: [a-zA-Z0-9_-]+")
        calls = {block["toolUse"]["toolUseId"] for block in asked["content"] if "toolUse" in block}
        results = [block["toolResult"] for block in answered["content"] if "toolResult" in block]
        if {result["toolUseId"] for result in results} != calls:
            raise invalid("Expected toolResult blocks at messages for the following Ids.")
        if any("status" in result for result in results) and not rules.status:
            raise invalid("This model doesn't support the status field. Remove status and try again.")
    for message in messages:
        if not message["content"] or any(not block.get("text", "x").strip() for block in message["content"]):
            raise invalid("The text field in the ContentBlock object is blank.")


def _check_blocks(rules: Rules, request: dict[str, Any]) -> None:
    for message in request["messages"]:
        mixed = {"toolResult" in block for block in message["content"] if "cachePoint" not in block}
        if len(mixed) == 2 and rules.name.startswith(("meta.", "mistral.")):  # browser-use/browser-use#710
            raise invalid("Conversation blocks and tool result blocks cannot be provided in the same turn.")
        thoughts = [block["reasoningContent"] for block in message["content"] if "reasoningContent" in block]
        unsigned = [t for t in thoughts if not t.get("reasoningText", {"signature": "."}).get("signature")]
        if unsigned and rules.claude:  # can1357/oh-my-pi#10486
            raise invalid("messages.1.content.0.thinking.signature: Field required")


def _check_thoughts(rules: Rules, request: dict[str, Any]) -> None:
    for asked in request["messages"][1::2]:
        thoughts = [block for block in asked["content"] if "reasoningContent" in block]
        if rules.thinks and thoughts != _thoughts(rules):
            raise invalid(
                "`thinking` or `redacted_thinking` blocks in the latest assistant message cannot be modified."
            )


def _check_metadata(rules: Rules, request: dict[str, Any]) -> None:
    for pair in request.get("requestMetadata", {}).items():
        if not all(map(_METADATA.fullmatch, pair)):
            raise invalid("Value at 'requestMetadata' failed to satisfy constraint")


_CHECKS = (
    _check_tools,
    _check_sampling,
    _check_output,
    _check_thinking,
    _check_cache,
    _check_strict,
    _check_turns,
    _check_blocks,
    _check_metadata,
)
"""What is refused whatever was said before; of its own thoughts a model also takes no others back."""


def _thoughts(rules: Rules) -> list[dict[str, Any]]:
    if not rules.thinks:
        return []
    sealed = {"redactedContent": base64.b64encode(b"\x00sealed\xff").decode()}
    text = {"reasoningText": {"text": "The table lacks NZ.", "signature": "Q2xhdWRlIHNpZ25lZCB0aGlz" * 4}}
    return [{"reasoningContent": sealed if rules.sealed else text}]


def _answer(rules: Rules, request: dict[str, Any]) -> dict[str, Any]:
    """Looks first, then answers wrongly, then rightly; cut off where thinking leaves no room."""
    effort = request.get("additionalModelRequestFields", {}).get("output_config", {}).get("effort", "high")
    spent = (_THOUGHTS[effort] if rules.thinks else 0) + _ANSWER
    limit = request["inferenceConfig"].get("maxTokens", rules.output)
    content, stop = _thoughts(rules), "max_tokens"
    if spent <= limit:
        turn = len(request["messages"]) // 2
        look = {"path": "orders/rates.py", "first": 1, "last": 3}
        name, given = [("read_file", look), ("propose_patch", {}), ("propose_patch", PROPOSAL)][min(turn, 2)]
        called = json.dumps(given) if rules.text_input else given
        content.append(
            {"toolUse": {"toolUseId": f"tooluse_kZJMlvQmRJ6eAyJE5GIl7{turn}", "name": name, "input": called}}
        )
        stop = "tool_use"
    return _said(content, stop, request, min(spent, limit))


def _said(
    content: list[dict[str, Any]], stop: str, request: dict[str, Any], output: int = _ANSWER
) -> dict[str, Any]:
    usage = {"inputTokens": _tokens(request), "outputTokens": output}
    usage["totalTokens"] = sum(usage.values())
    message = {"role": "assistant", "content": content}
    return {"output": {"message": message}, "stopReason": stop, "usage": usage, "metrics": {"latencyMs": 1}}


def _tokens(request: dict[str, Any]) -> int:
    said = [request.get("system", []), request["messages"], request.get("toolConfig", {})]
    return len(json.dumps(said)) // 4
