"""A decision from the command line, as it travels to the function that takes it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, fields
from typing import Any, Self

from functions.core.approval.approvals import Verdict
from functions.core.approval.decisions import Decision


@dataclass(frozen=True, slots=True)
class Order:
    """What somebody decides about which bytes; `reason` is a key of REJECT_REASONS."""

    approval_id: str
    patch_sha256: str
    """Of the patch that they were shown."""
    verdict: Verdict
    comment: str = ""
    reason: str = ""

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """Raises ValueError for anything but an order; further fields are ignored."""
        texts = {field.name: value.get(field.name, "") for field in fields(cls)}
        if not all(isinstance(text, str) for text in texts.values()) or not texts["approval_id"]:
            raise ValueError("an order consists of texts, and names what is decided")
        return cls(**texts | {"verdict": Verdict(texts["verdict"])})

    def to_json(self) -> dict[str, str]:
        return {field.name: str(getattr(self, field.name)) for field in fields(self)}

    @property
    def purpose(self) -> str:
        """What the caller's signature is for: this order, and no other."""
        return hashlib.sha256(json.dumps(self.to_json(), sort_keys=True).encode()).hexdigest()

    def by(self, caller: str) -> Decision:
        """The decision of whoever signed it."""
        return Decision(self.verdict, caller, self.comment, self.reason, via="iam")
