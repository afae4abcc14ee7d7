"""What strangers wrote, delimited in a prompt: data that can neither leave its section nor hide in it."""

from __future__ import annotations

import hashlib
import html
import re
from dataclasses import dataclass

from functions.core.model.requests import estimate_tokens
from functions.core.notify.counts import counted

# Escape sequences and characters that change how text is read without being seen: terminal codes, control
# characters, bidirectional and zero-width marks, and the tag characters that can carry hidden text.
_INVISIBLE = re.compile(
    r"\x1b\[[0-9;?]*[ -/]*[@-~]|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f]"
    r"|[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e007f]"
)


@dataclass(frozen=True, slots=True)
class PromptSection:
    """One delimited part of the user message. `part` says for humans what it holds."""

    text: str
    part: str
    tokens: int


def nonce_of(heal_id: str) -> str:
    """What delimits the sections of a heal's prompts."""
    return hashlib.sha256(heal_id.encode()).hexdigest()[:8]


def section(nonce: str, name: str, body: str, attributes: dict[str, str] | None = None) -> PromptSection:
    """A delimited part; nothing in `body` or in the attributes' values can close it."""
    values = {key: _clean(nonce, one_line(value)) for key, value in (attributes or {}).items()}
    head = "".join(f' {key}="{html.escape(value)}"' for key, value in values.items())
    text = f"<{name}-{nonce}{head}>\n{_clean(nonce, body)}\n</{name}-{nonce}>"
    part = " ".join((name, *values.values()))
    return PromptSection(text, part, estimate_tokens(text))


def _clean(nonce: str, text: str) -> str:
    """Data without the nonce, in whatever case, and without what is not seen."""
    text = _INVISIBLE.sub("", text)
    return re.sub(nonce, "[delimiter]", text, flags=re.IGNORECASE)


def one_line(text: str) -> str:
    return " ".join(text.split())


def middle_cut(text: str, limit: int) -> str:
    """The beginning and, mostly, the end: where the exception is."""
    if len(text) <= limit:
        return text
    head = limit // 4
    return f"{text[:head]}\n[… {counted(len(text) - limit, 'character')} left out …]\n{text[head - limit :]}"
