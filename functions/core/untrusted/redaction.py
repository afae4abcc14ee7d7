"""Masks secrets and personal data in text, before anything is stored, logged or sent to a model.

A masked value becomes a placeholder such as `[redacted email 3fa2]`. The four hex digits are a truncated
hash of the value: equal values stay equal, in one text and between texts, so that a log and the source that
produced it can still be read together; 16 bits do not give the value back.

Secrets are recognised by the token shapes of detect-secrets (offline: nothing is ever verified against a
service), by those of `secret_shapes` where it has gaps or costs quadratic time on hostile text, and by the
names that values are assigned to; personal data as `personal_data` says. The entropy detector for hex is left
out on purpose: commit ids, request ids and hashes in tracebacks are not secrets.

Line breaks are never removed: a redacted file has the same line numbers as the original.
"""

from __future__ import annotations

import bisect
import hashlib
import math
import re
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

from functions.core.untrusted.personal_data import personal
from functions.core.untrusted.secret_shapes import Span, found_by_shape, is_template, looks_random

PLACEHOLDER = re.compile(r"\[redacted [a-z][a-z ]{0,39} [0-9a-f]{4}\]")

# The word for a password in the languages that Wikipedia has most articles in, where it is another.
_ABROAD = (
    r"passwort|kennwort|mot[ _]de[ _]passe|contrase(?:ñ|n)a|senha|parola[ _]d'ordine|wachtwoord|has(?:ł|l)o"
    r"|l(?:ö|o)senord|пароль|密码|パスワード|비밀번호"
)
_KEYS = (
    rf"passwords?|passwd|pwd|passphrase|pass_?code|{_ABROAD}|(?<![a-z])(?:pass|pat)(?=[\"':= \t\\])"
    r"|secrets?(?:[_-]?(?:access[_-]?)?key)?|tokens?|credentials?"
    r"|(?:api|access|account|auth|client|encryption|licen[cs]e|private|service|shared|shared[_-]?access|signing)[_-]?keys?"
    r"|client[_-]?secret|signature|authorization|session[_-]?id"
)
_ASSIGNMENT = re.compile(
    rf"(?i)(?P<key>{_KEYS})\d{{0,3}}\\{{0,2}}[\"']?\]?(?P<gap>[ \t]{{0,3}})(?P<sign>=>|:=|={{1,2}}|:)"
    r"(?P<space>[ \t]{0,3})[bru]?"
    r"(?:(?P<quote>\\{0,2}[\"'])(?P<quoted>[^\"'\r\n\\]{1,500})(?=\\{0,2}[\"'])"
    r"|(?P<bare>[<{]?(?:[^\s\"'<>,;&(){}\[\]\\]|&(?!\w{1,40}=)){4,500}))"
)
_CHOSEN_BY_PEOPLE = re.compile(rf"(?i)pass(?!$)|pwd|secret|client|{_ABROAD}")
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z_0-9]*(?:\.[A-Za-z_][A-Za-z_0-9]*)*\.?")
_NAMES_A_SECRET = re.compile(rf"(?i)[a-z_. -]{{0,80}}(?:{_KEYS})[a-z_. -]{{0,80}}")
_WORDS = re.compile(r"[a-z_. -]+|[A-Z_. -]+")
_NUMBER = re.compile(r"0x[0-9a-fA-F]{1,16}|\d+\.\d+")
_COUNT = re.compile(r"\d{1,11}|\d{1,3}(?:_\d{3}){1,3}")

_QUOTED_BLOB = re.compile(r"[\"']([A-Za-z0-9+/_-]{32,500}={0,2})[\"']")


def redact(text: str) -> str:
    """`text` with secrets and personal data replaced by placeholders; a second pass changes nothing more."""
    secrets = list(_secrets(text))
    taken = sorted(secrets)
    spans = secrets + [span for span in personal(text) if not _touches(taken, span)]
    spans += _repeats(text, spans)
    if not spans:
        return text
    pieces: list[str] = []
    position = 0
    for start, end, kind in _without_placeholders(text, _merged(spans)):
        value = text[start:end]
        pieces += (text[position:start], _placeholder(kind, value), "\n" * value.count("\n"))
        position = end
    return "".join((*pieces, text[position:]))


def redact_values(value: Any) -> Any:
    """The same JSON value with every string in it redacted, object keys excepted."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {key: redact_values(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [redact_values(item) for item in value]
    return value


def _placeholder(kind: str, value: str) -> str:
    digest = hashlib.sha256(value.encode(errors="surrogatepass")).hexdigest()
    return f"[redacted {kind} {digest[:4]}]"


def _secrets(text: str) -> Iterator[Span]:
    yield from found_by_shape(text)
    for kind, pattern in _detectors():
        for match in pattern.finditer(text):
            yield from _token(text, kind, match)
    for match in _ASSIGNMENT.finditer(text):
        yield from _assigned(text, match)
    for match in _QUOTED_BLOB.finditer(text):
        if _is_random(match[1]):
            yield (*match.span(1), "secret")


def _touches(taken: list[Span], span: Span) -> bool:
    """Whether a span overlaps one of the sorted ones: `secret@host` in a connection string is no address."""
    index = bisect.bisect_left(taken, (span[1],))
    return any(end > span[0] for _, end, _ in taken[max(0, index - 3) : index])


def _token(text: str, kind: str, match: re.Match[str]) -> Iterator[Span]:
    """The secret within a detector's match: its long group if it has one, without surrounding punctuation."""
    group = next((i for i, value in enumerate(match.groups(), 1) if value and len(value) >= 16), 0)
    value = match[group]
    start = match.start(group) + len(value) - len(value.lstrip("\"'=: \t\r\n"))
    end = match.end(group) - (len(value) - len(value.rstrip("\"' \t\r\n")))
    alone = not (text[start - 1 : start].isalnum() or text[end : end + 1].isalnum())
    if alone and any(c.isdigit() for c in value):
        yield start, end, kind


def _assigned(text: str, match: re.Match[str]) -> Iterator[Span]:
    """The value in `password=…`, `"token": "…"` and the like, unless it reads as code, not as a value."""
    group = "quoted" if match["quoted"] else "bare"
    value: str = match[group]
    if is_template(value) or _NAMES_A_SECRET.fullmatch(value):
        return
    chosen_by_people = _CHOSEN_BY_PEOPLE.match(match["key"]) is not None
    if len(value) < 3 and not (chosen_by_people and value.isalnum()):
        return
    # A template that was not closed within the value: `<token>`, `{token}`.
    if text[match.end() : match.end() + 1] == {"<": ">", "{": "}"}.get(value[0], "none"):
        return
    if _NUMBER.fullmatch(value) or (_COUNT.fullmatch(value) and not chosen_by_people):
        return
    if group == "quoted":
        a_word = not chosen_by_people and _WORDS.fullmatch(value)
        a_comparison = match["sign"] == "==" and _WORDS.fullmatch(value)
        if a_word or a_comparison or value[0] in ",)" or (" " in value and not chosen_by_people):
            return
    elif not _reads_as_value(text, match, value):
        return
    yield (*match.span(group), "secret")


def _reads_as_value(text: str, match: re.Match[str], value: str) -> bool:
    """Whether an unquoted right side is a literal, as in a log or an ini file, and not an expression."""
    if match["sign"] == "==" or not any(c.isalnum() for c in value):
        return False
    if not _IDENTIFIER.fullmatch(value):
        return True
    after = text[match.end() : match.end() + 1]
    if ("." in value and not looks_random(value)) or after in ("(", "[", ",", ")"):
        return False
    tight = match["sign"] == "=" and not match["gap"] and not match["space"]
    return tight or any(c.isdigit() for c in value)


def _is_random(value: str) -> bool:
    classes = (str.isdigit, str.isupper, str.islower)
    return all(any(test(c) for c in value) for test in classes) and _entropy(value) > 4.5


def _entropy(value: str) -> float:
    """Shannon entropy in bits per character; 4.5 is detect-secrets' own limit for base64 strings."""
    counts = [value.count(c) / len(value) for c in set(value)]
    return -sum(p * math.log2(p) for p in counts)


@cache
def _detectors() -> tuple[tuple[str, re.Pattern[str]], ...]:
    """The token shapes of detect-secrets, imported on first use (0.2 s).

    Left out, because a rule above stands in: entropy and keyword detectors (too many false hits on code),
    those whose patterns take quadratic time on hostile text (OpenAI, npm, basic auth), those that cover a
    token only in part (JWT, private key), and those that are key=value forms.
    """
    from detect_secrets.plugins.artifactory import ArtifactoryDetector
    from detect_secrets.plugins.aws import AWSKeyDetector
    from detect_secrets.plugins.azure_storage_key import AzureStorageKeyDetector
    from detect_secrets.plugins.discord import DiscordBotTokenDetector
    from detect_secrets.plugins.github_token import GitHubTokenDetector
    from detect_secrets.plugins.gitlab_token import GitLabTokenDetector
    from detect_secrets.plugins.mailchimp import MailchimpDetector
    from detect_secrets.plugins.pypi_token import PypiTokenDetector
    from detect_secrets.plugins.sendgrid import SendGridDetector
    from detect_secrets.plugins.slack import SlackDetector
    from detect_secrets.plugins.square_oauth import SquareOAuthDetector
    from detect_secrets.plugins.stripe import StripeDetector
    from detect_secrets.plugins.telegram_token import TelegramBotTokenDetector
    from detect_secrets.plugins.twilio import TwilioKeyDetector

    detectors = (
        ("artifactory key", ArtifactoryDetector),
        ("aws key", AWSKeyDetector),
        ("azure key", AzureStorageKeyDetector),
        ("discord token", DiscordBotTokenDetector),
        ("github token", GitHubTokenDetector),
        ("gitlab token", GitLabTokenDetector),
        ("mailchimp key", MailchimpDetector),
        ("pypi token", PypiTokenDetector),
        ("sendgrid key", SendGridDetector),
        ("slack token", SlackDetector),
        ("square secret", SquareOAuthDetector),
        ("stripe key", StripeDetector),
        ("telegram token", TelegramBotTokenDetector),
        ("twilio key", TwilioKeyDetector),
    )
    return tuple((kind, pattern) for kind, detector in detectors for pattern in detector.denylist)


_MOST_REPEATS = 200
_SHORTEST_REPEAT = 8


def _repeats(text: str, spans: Iterable[Span]) -> Iterator[Span]:
    """Other places of a value that was recognised once: a password in a message, say, and again in a repr."""
    values = {text[start:end]: kind for start, end, kind in spans}
    known = [v for v in values if len(v) >= _SHORTEST_REPEAT and not v.isalpha() and "\n" not in v]
    if not known:
        return
    known = sorted(known, key=len, reverse=True)[:_MOST_REPEATS]
    pattern = re.compile(r"(?<!\w)(?:" + "|".join(map(re.escape, known)) + r")(?!\w)")
    for match in pattern.finditer(text):
        yield (*match.span(), values[match[0]])


def _merged(spans: list[Span]) -> Iterator[Span]:
    """Spans in order, overlapping ones joined under the kind of the one that starts first (or is longest)."""
    spans.sort(key=lambda span: (span[0], -span[1]))
    current: Span | None = None
    for start, end, kind in spans:
        if current and start < current[1]:
            current = (current[0], max(current[1], end), current[2])
            continue
        if current:
            yield current
        current = (start, end, kind)
    if current:
        yield current


def _without_placeholders(text: str, spans: Iterable[Span]) -> Iterator[Span]:
    """The spans minus what is a placeholder already."""
    done = [match.span() for match in PLACEHOLDER.finditer(text)]
    index = 0
    for start, end, kind in spans:
        while index < len(done) and done[index][1] <= start:
            index += 1
        position, following = start, index
        while following < len(done) and done[following][0] < end:
            if done[following][0] > position:
                yield position, done[following][0], kind
            position = max(position, done[following][1])
            following += 1
        if position < end:
            yield position, end, kind
