"""The shapes of what commands print with `--json`, as JSON Schema (draft 7); `selfheal schema` prints them.

A name ends in its version, which is raised when a field goes or changes its meaning. Fields may be added
within a version, so readers ignore those that they do not know.
"""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
NUMBER: Schema = {"type": "number"}
COUNT: Schema = {"type": "integer", "minimum": 0}
FLAG: Schema = {"type": "boolean"}
ANY: Schema = {"type": "object"}
BY_STATUS: Schema = {"type": "object", "additionalProperties": COUNT, "description": "incidents per status"}


def several(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def maybe(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def record(description: str = "", **fields: Schema) -> Schema:
    """An object that has at least these fields."""
    found: Schema = {"type": "object", "required": sorted(fields), "properties": fields}
    return found | ({"description": description} if description else {})


LISTED = record(
    incident_id=TEXT,
    app=TEXT,
    status=TEXT,
    error_class=TEXT,
    error_type=TEXT,
    title=TEXT,
    place={**TEXT, "description": "file and function of the app's innermost frame"},
    occurrences=COUNT,
    first_seen={**TEXT, "description": "ISO 8601 in UTC"},
    last_seen=TEXT,
    generation=COUNT,
    execution_arn=TEXT,
    attempts=COUNT,
    cost_usd=NUMBER,
    pull_request_url=TEXT,
    reason=TEXT,
    next_action=TEXT,
)
INCIDENT: Schema = LISTED | {
    "properties": LISTED["properties"]
    | {"sample": {**TEXT, "description": "log text of one occurrence, redacted"}, "frames": several(ANY)},
    "required": [*LISTED["required"], "frames", "sample"],
}
ANSWER = record(
    "model: as it was asked for; answered_by: what really answered; cost_usd: what that cost",
    model=TEXT,
    answered_by=TEXT,
    note=TEXT,
    cost_usd=NUMBER,
    list_price_usd=NUMBER,
)
CHANGED = record(incident_id=TEXT, status=TEXT, generation=COUNT)
STARTED_OVER: dict[str, Schema] = {
    "dry_run": FLAG,
    "chosen": several(TEXT),
    "changed": several(CHANGED),
    "missed": {**several(TEXT), "description": "ids that changed in the meantime and were left alone"},
}
APP = record(
    app=TEXT,
    family={**TEXT, "description": "by whose entry one is healed that was discovered, empty for others"},
    broken={**TEXT, "description": "what is wrong with its entry, empty where nothing is"},
    mode=TEXT,
    paused=FLAG,
    repository=TEXT,
    log_groups=several(TEXT),
    open=COUNT,
    incidents=COUNT,
)
FINDING = record(
    check={**TEXT, "description": "what is to hold"},
    passed=FLAG,
    detail={**TEXT, "description": "what is wrong"},
    mend={**TEXT, "description": "the command that mends it"},
    app=TEXT,
)

REACHED: Schema = {"type": "object", "additionalProperties": COUNT, "description": "heals that came so far"}
GROUPS: Schema = {"type": "object", "additionalProperties": REACHED}

SHAPES: dict[str, dict[str, Schema]] = {
    "stats/1": {
        "incidents": COUNT,
        "counts": REACHED,
        "abstained": {"type": "object", "additionalProperties": COUNT, "description": "per reason"},
        "median_hours": {
            "type": "object",
            "additionalProperties": maybe(NUMBER),
            "description": "from the first line of an error",
        },
        "usd": NUMBER,
        "usd_per_merged_fix": maybe(NUMBER),
        "by_app": GROUPS,
        "by_class": GROUPS,
        "by_confidence": GROUPS,
    },
    "incidents/1": {
        "total": {**COUNT, "description": "how many match"},
        "shown": {**COUNT, "description": "how many of them are in `incidents`"},
        "by_status": BY_STATUS,
        "incidents": several(LISTED),
    },
    "show/1": {
        "incident": INCIDENT,
        "source": maybe(ANY),
        "answer": maybe(ANSWER),
        "link": {**TEXT, "description": "the approval page, where the caller may have it"},
        "next": several(record(why=TEXT, command=TEXT)),
        "proposal": maybe(ANY),
        "patch": maybe(TEXT),
        "evidence": maybe(ANY),
        "attempts": several(record(number=COUNT, title=TEXT, findings=several(TEXT))),
        "decisions": several(ANY),
    },
    "history/1": {
        "execution_arn": TEXT,
        "status": TEXT,
        "redrive_count": COUNT,
        "started": TEXT,
        "stopped": maybe(TEXT),
        "states": several(ANY),
    },
    "decision/1": {"standing": TEXT, "approval": maybe(ANY)},
    "redrive/1": {
        "dry_run": FLAG,
        "heals": several(
            record(incident_id=TEXT, execution_arn=TEXT, state=TEXT, error=TEXT, redriven=FLAG, why_not=TEXT)
        ),
    },
    "retry/1": STARTED_OVER,
    "clear/1": STARTED_OVER,
    "requeue/1": {
        "detections": COUNT,
        "heals": COUNT,
        "failure_reports": COUNT,
        "failed_again": several(TEXT),
    },
    "prompt/1": {
        "attempt": COUNT,
        "model": TEXT,
        "tokens": COUNT,
        "parts": several(ANY),
        "system": TEXT,
        "user": TEXT,
        "sent_later": several(ANY),
    },
    "apps/1": {"apps": several(APP)},
    "app/1": {"app": TEXT, "entry": {**ANY, "description": "as in Parameter Store"}, "by_status": BY_STATUS},
    "paused/1": {"app": TEXT, "paused": FLAG},
    "encrypted/1": {"encrypted": several(TEXT)},
    "renamed/1": {"app": TEXT, "was": TEXT, "incidents": COUNT},
    "removed/1": {"app": TEXT, "removed": several(TEXT)},
    "stopped/1": {"stopped": FLAG, "under_way": several(TEXT)},
    "started/1": {
        "was_stopped": FLAG,
        "resumed": several(TEXT),
        "ended": several(TEXT),
        "held": several(TEXT),
    },
    "cost/1": {
        "region": TEXT,
        "prices_read": {**TEXT, "description": "date of the list prices"},
        "measured": {**TEXT, "description": "date on which the use was measured"},
        "usd": NUMBER,
        "models_usd": NUMBER,
        "rotation_usd": {**NUMBER, "description": "a month more after each of two yearly rotations"},
        "usd_from_third_year": {**NUMBER, "description": "usd, and what both rotations add"},
        "lines": several(
            record(service=TEXT, what=TEXT, quantity=NUMBER, unit=TEXT, price=NUMBER, usd=NUMBER)
        ),
    },
    "doctor/2": {"app": maybe(TEXT), "findings": several(FINDING)},
    "smoke/1": {"checks": several(record(name=TEXT, passed=FLAG, detail=TEXT))},
    "status/1": {
        "target": maybe(
            record(
                "kind: aws or embedded; stopped: why all healing is stopped, empty while it is on",
                kind=TEXT,
                account=TEXT,
                region=TEXT,
                stack=TEXT,
                you=TEXT,
                stopped=TEXT,
                apps=several(TEXT),
                paused=several(TEXT),
                by_status=BY_STATUS,
            )
        ),
        "problem": {**TEXT, "description": "why there is no target"},
        "embedded": maybe(
            record("parts: whether each runs", home=TEXT, forge=TEXT, model=TEXT, endpoint=TEXT, parts=ANY)
        ),
    },
    "inbox/1": {
        "mails": several(record(sent=TEXT, subject=TEXT, text=TEXT)),
        "held": several(
            record(
                "a question of which people are told when quiet hours end",
                incident_id=TEXT,
                title=TEXT,
                until={**TEXT, "description": "ISO 8601 in UTC"},
            )
        ),
    },
    "explain/1": {"errors": several(ANY)},
    "replay/1": {
        "errors": several(
            record(
                "trial: as try/1; comparison: of two fixes by what calls come to",
                fingerprint=TEXT,
                title=TEXT,
                place=TEXT,
                occurrences=COUNT,
                healed=FLAG,
                cost_usd=NUMBER,
                fixed_by=maybe(record(commit=TEXT, said=TEXT, diff=TEXT)),
                comparison=maybe(record(alike=COUNT, calls=COUNT, differing=several(ANY))),
                trial=ANY,
            )
        ),
        "left_out": COUNT,
    },
    "try/1": {
        "outcome": TEXT,
        "reason": TEXT,
        "frames": several(ANY),
        "diff": TEXT,
        "evidence": several(ANY),
    },
}
"""Name → fields beside `schema`, which every document has and which is its name."""


def schema(name: str) -> Schema:
    """The JSON Schema of a document. Raises KeyError."""
    fields: dict[str, Schema] = {"schema": {"const": name}, **SHAPES[name]}
    found = record()
    found["required"], found["properties"] = sorted(fields), fields
    return {"$schema": "http://json-schema.org/draft-07/schema#", "title": name, **found}
