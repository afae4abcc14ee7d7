"""What encrypts and decrypts a parameter is asked of its key, too, on behalf of whoever asks; and a parameter
keeps its type. MiniStack asks for neither.

A standard parameter is encrypted by the key itself (`kms:Encrypt`), a larger one by a data key
(`kms:GenerateDataKey`); the account's own key for Parameter Store may be used by all of the account.
https://docs.aws.amazon.com/systems-manager/latest/userguide/secure-string-parameter-kms-encryption.html
https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

from infra.local.gaps.patching import answer_error, replace, service

_ASKED: ContextVar[tuple[str, dict[str, Any]]] = ContextVar("asked", default=("", {}))
_STANDARD = 4096
"""Bytes."""


def fill() -> None:
    ssm, actions, evaluator = (
        service("services.ssm"),
        service("core.iam_actions"),
        service("core.iam_evaluator"),
    )
    extract, enforce, put = actions.extract_iam_action, evaluator.enforce, ssm._put_parameter

    def extract_iam_action(name: str, method: str, path: str, headers: Any, body: bytes, *rest: Any) -> Any:
        action = extract(name, method, path, headers, body, *rest)
        _ASKED.set((action, json.loads(body or b"{}")) if name == "ssm" else ("", {}))
        return action

    def _enforce(key: str, action: str, name: str, region: str, *rest: Any, **named: Any) -> Any:
        refused = enforce(key, action, name, region, *rest, **named)
        asked, given = _ASKED.get()
        if refused is not None or name != "ssm" or action != asked:
            return refused
        via = {"kms:ViaService": f"ssm.{region}.amazonaws.com"}
        # The account's own key is named by an alias.
        used = {each for each in _keys_used(ssm, action, given) if each[1].startswith("arn:")}
        for needed, arn in sorted(used):
            if (refused := enforce(key, needed, "kms", region, arn, via)) is not None:
                return refused
        return None

    def _put_parameter(data: dict[str, Any]) -> Any:
        known, kind = ssm._parameters.get(data.get("Name")), data.get("Type")
        if known and kind and kind != known["Type"] and data.get("Overwrite"):
            return answer_error("HierarchyTypeMismatchException", f"{data['Name']} is a {known['Type']}")
        return put(data)

    replace(actions, extract_iam_action=extract_iam_action)
    replace(evaluator, enforce=_enforce)
    replace(ssm, _put_parameter=_put_parameter)


def _keys_used(ssm: Any, action: str, given: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What a request asks of keys: the action, and the key's ARN."""
    if action == "ssm:PutParameter":
        known = ssm._parameters.get(given.get("Name")) or {}
        if given.get("Type", known.get("Type")) == "SecureString":
            large = len(str(given.get("Value")).encode()) > _STANDARD
            # Without one, the account's own.
            yield "kms:GenerateDataKey" if large else "kms:Encrypt", given.get("KeyId", "")
    elif given.get("WithDecryption"):
        path = given.get("Path", "").rstrip("/") + "/"
        names = {given.get("Name"), *given.get("Names", ())}
        for name, row in ssm._parameters.items():
            below = "Path" in given and name.startswith(path)
            if name in names or (below and (given.get("Recursive") or "/" not in name.removeprefix(path))):
                yield "kms:Decrypt", row["KeyId"]
