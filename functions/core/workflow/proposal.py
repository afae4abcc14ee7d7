"""The model's answer: a proposal of edits, or an abstention, as data checked against a schema."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any, Self

ABSTENTION_CLASSES = ("infrastructure", "dependency", "configuration", "data", "not_enough_context")

_TEXT = {"type": "string", "minLength": 1, "maxLength": 8000}

PROPOSE_SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["root_cause", "title", "explanation", "edits", "confidence"],
    "properties": {
        "root_cause": {**_TEXT, "description": "What is wrong in the code, in one or two sentences."},
        "title": {
            **_TEXT,
            "maxLength": 72,
            "description": "Imperative summary of the fix, as a commit subject.",
        },
        "explanation": {**_TEXT, "description": "Why the edits mend the cause and what they leave alone."},
        "edits": {
            "type": "array",
            "minItems": 1,
            "maxItems": 20,
            "description": "Search-and-replace blocks. Each search text must occur exactly once in its file.",
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["path", "search", "replace"],
                "properties": {
                    "path": {
                        **_TEXT,
                        "maxLength": 400,
                        "description": "Repository path with forward slashes.",
                    },
                    "search": {
                        "type": "string",
                        "maxLength": 20000,
                        "description": "Exact text, indentation included; empty only to create a new file.",
                    },
                    "replace": {"type": "string", "maxLength": 20000},
                },
            },
        },
        "regression_test": {
            "type": "object",
            "additionalProperties": False,
            "required": ["path", "code"],
            "description": "A pytest file: fails with the reported exception before the fix, passes after.",
            "properties": {
                "path": {**_TEXT, "maxLength": 400},
                "code": {**_TEXT, "maxLength": 20000},
            },
        },
        "confidence": {"type": "number", "minimum": 0, "maximum": 1},
        "justifications": {
            "type": "array",
            "maxItems": 5,
            "description": "Only in answer to a question about an earlier patch: lines of the repository"
            " as it is that state what the patched code gives.",
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["path", "line", "says"],
                "properties": {
                    "path": {**_TEXT, "maxLength": 400},
                    "line": {"type": "integer", "minimum": 1},
                    "says": {**_TEXT, "maxLength": 400, "description": "The words at that line, exactly."},
                },
            },
        },
    },
}

ABSTAIN_SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["class", "reason", "files_looked_at", "next_action"],
    "properties": {
        "class": {"type": "string", "enum": list(ABSTENTION_CLASSES)},
        "reason": _TEXT,
        "files_looked_at": {"type": "array", "items": {"type": "string"}, "maxItems": 50},
        "next_action": {**_TEXT, "description": "What a human should do next."},
    },
}

PROPOSE_TOOL = "propose_patch"
ABSTAIN_TOOL = "abstain"


@dataclass(frozen=True, slots=True)
class Edit:
    """Replace the one occurrence of `search` in the file at `path`; an empty `search` creates the file."""

    path: str
    search: str
    replace: str


@dataclass(frozen=True, slots=True)
class RegressionTest:
    """A pytest file that reproduces the error."""

    path: str
    code: str


def whole(text: str) -> str:
    """Text that can be written: half of a character, which JSON can hold, becomes a question mark."""
    return text.encode("utf-8", "replace").decode("utf-8")


@dataclass(frozen=True, slots=True)
class Justification:
    """A place of the repository that, so the model says, states what the patched code gives."""

    path: str
    line: int
    says: str
    """The words that stand there."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """What the model proposes. `confidence` is the model's own claim, 0 to 1."""

    root_cause: str
    title: str
    explanation: str
    edits: tuple[Edit, ...]
    confidence: float
    regression_test: RegressionTest | None = None
    justifications: tuple[Justification, ...] = ()

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Build from an object that satisfies PROPOSE_SCHEMA."""
        test = data.get("regression_test")
        return cls(
            root_cause=whole(data["root_cause"]),
            title=" ".join(whole(data["title"]).split()),
            explanation=whole(data["explanation"]),
            edits=tuple(Edit(**edit) for edit in data["edits"]),
            confidence=float(data["confidence"]),
            regression_test=RegressionTest(**test) if test else None,
            justifications=tuple(Justification(**row) for row in data.get("justifications", ())),
        )

    def to_json(self) -> dict[str, Any]:
        data: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        if data["regression_test"] is None:
            del data["regression_test"]
        if not data["justifications"]:
            del data["justifications"]
        return data


@dataclass(frozen=True, slots=True)
class Abstention:
    """The model, or the system itself, declines, and says what a human should do."""

    abstention_class: str
    reason: str
    files_looked_at: tuple[str, ...]
    next_action: str

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Build from an object that satisfies ABSTAIN_SCHEMA."""
        return cls(data["class"], data["reason"], tuple(data["files_looked_at"]), data["next_action"])

    def to_json(self) -> dict[str, Any]:
        return {
            "class": self.abstention_class,
            "reason": self.reason,
            "files_looked_at": list(self.files_looked_at),
            "next_action": self.next_action,
        }
