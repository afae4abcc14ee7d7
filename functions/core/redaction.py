"""Masks secrets and personal data in text, before anything is stored, logged or sent to a model.

A masked value becomes a placeholder such as `[redacted email 3fa2]`. The four hex digits are a truncated
hash of the value: equal values stay equal, in one text and between texts, so that a log and the source that
produced it can still be read together; 16 bits do not give the value back.

Secrets are recognised by the token shapes of detect-secrets (offline: nothing is ever verified against a
service) and, where those have gaps or cost quadratic time on hostile text, by the rules below. Its entropy
detector for hex is left out on purpose: commit ids, request ids and hashes in tracebacks are not secrets.

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

Span = tuple[int, int, str]
"""Start, end and kind of something to mask."""

PLACEHOLDER = re.compile(r"\[redacted [a-z][a-z ]{0,39} [0-9a-f]{4}\]")

# Every pattern below is linear in the text or backtracks over a bounded length only.
_CONNECTION = re.compile(
    r"[A-Za-z][A-Za-z0-9+.-]{1,20}://[^\s:/@'\"<>]{0,100}:([^\s/'\"<>]{1,200})@(?=[\w\[.-])"
)
_JWT = re.compile(
    r"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_=-]{8,8000}\.[A-Za-z0-9_=-]{4,8000}(?:\.[A-Za-z0-9_=-]{0,8000})?"
)
_KEY_BLOCK = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|PuTTY-User-Key-File-\d")
# What follows a header whose end was cut off: lines of base64, with real or escaped line breaks.
_KEY_BODY = re.compile(r"(?:(?:\\[nr]|[ \t\r\n]){1,4}[A-Za-z0-9+/=]{8,100}(?=[\s\\\"',]|$)){0,400}")
_KEY_BLOCK_LIMIT = 20_000
_AUTH_SCHEME = re.compile(
    r"(?i)(?P<header>authorization\\{0,2}[\"']?[ \t]{0,3}[:=][ \t]{0,3}\\{0,2}[\"']?)?"
    r"\b(?:bearer|basic|token|apikey|negotiate)[ \t]{1,3}(?:token[= ]{1,2})?[\"']?"
    r"(?P<value>[A-Za-z0-9._~+/=-]{6,4000})"
)
# Not a word of prose or an identifier of code: it has a digit and is no plain name, or it is very long.
_CREDENTIAL = re.compile(r"(?=[^\d]*\d)(?![A-Za-z_]\w{0,15}$).+|.{41,}")
_COOKIE = re.compile(r"(?i)\b(?:set-)?cookie[\"']?[ \t]{0,3}[:=](?!=)[ \t]{0,3}[\"']?([^\"'\r\n]{4,4000})")

# Prefixes that services give their tokens so that scanners can find them, where detect-secrets 1.5 knows no
# or only an older form. Sources: the services' own pages on token formats (GitHub, Anthropic, OpenAI, Google,
# npm, Hugging Face, Slack, Stripe, DigitalOcean, Shopify, Databricks).
_TOKEN_SHAPES = re.compile(
    r"(?<![A-Za-z0-9])(?:github_pat_[A-Za-z0-9_]{22,255}|sk-(?:ant-|proj-)?[A-Za-z0-9_-]{20,255}"
    r"|AIza[A-Za-z0-9_-]{35}|ya29\.[A-Za-z0-9_-]{20,255}|npm_[A-Za-z0-9]{36}|hf_[A-Za-z0-9]{30,60}"
    r"|xapp-[0-9A-Za-z-]{20,255}|(?:sk|rk|pk)_test_[A-Za-z0-9]{16,255}|whsec_[A-Za-z0-9+/=]{20,255}"
    r"|dop_v1_[a-f0-9]{64}|shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}|dapi[a-f0-9]{32})"
)

_KEYS = (
    r"passwords?|passwd|pwd|passphrase|pass_?code|secrets?(?:[_-]?(?:access[_-]?)?key)?|tokens?|credentials?"
    r"|(?:api|access|account|auth|client|encryption|private|service|shared|shared[_-]?access|signing)[_-]?keys?"
    r"|client[_-]?secret|signature|authorization|session[_-]?id"
)
_ASSIGNMENT = re.compile(
    rf"(?i)(?P<key>{_KEYS})\d{{0,3}}\\{{0,2}}[\"']?\]?(?P<gap>[ \t]{{0,3}})(?P<sign>=>|:=|={{1,2}}|:)"
    r"(?P<space>[ \t]{0,3})[bru]?"
    r"(?:(?P<quote>\\{0,2}[\"'])(?P<quoted>[^\"'\r\n\\]{3,500})(?=\\{0,2}[\"'])"
    r"|(?P<bare>[^\s\"'<>,;&(){}\[\]\\]{4,500}))"
)
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z_0-9]*(?:\.[A-Za-z_][A-Za-z_0-9]*)*\.?")
_NAMES_A_SECRET = re.compile(rf"(?i)[a-z_. -]{{0,80}}(?:{_KEYS})[a-z_. -]{{0,80}}")
_WORDS = re.compile(r"[a-z_. -]+|[A-Z_. -]+")
_NUMBER = re.compile(r"0x[0-9a-fA-F]{1,16}|\d+\.\d+")
_COUNT = re.compile(r"\d{1,11}|\d{1,3}(?:_\d{3}){1,3}")
_TEMPLATE = re.compile(r"[{$%<*.]|(?i:x{3,}|null$|none$|true$|false$|string$|required$)")

_EMAIL = re.compile(
    r"(?<![A-Za-z0-9._%+-])(?!git@)[A-Za-z0-9._%+-]{1,100}@(?:[A-Za-z0-9-]{1,63}\.){1,6}[A-Za-z]{2,24}(?![A-Za-z0-9-])"
)
_PHONE = re.compile(
    r"(?<![\w.+-])(?:\+[1-9]\d{0,2}[ .-]?(?:\(\d{1,4}\)[ .-]?)?\d{1,4}(?:[ .-]?\d{2,4}){1,4}"
    r"|\(\d{3}\) ?\d{3}[-. ]\d{4}|\d{3}([-.])\d{3}\1\d{4})(?![\w-]|\.\d)"
)
_PHONE_FIELD = re.compile(
    r"(?i)(?:phone|mobile|telephone|msisdn|fax)(?:_?(?:number|no|nr))?\\{0,2}[\"']?[ \t]{0,3}[=:][ \t]{0,3}"
    r"\\{0,2}[\"']?(\+?\d[\d ()./-]{5,20}\d)"
)
_CARD = re.compile(r"(?<![\w.-])[2-6](?:[ -]?\d){12,18}(?![\w-])")
# Issuer ranges of the card schemes (ISO/IEC 7812, as the schemes publish them): Visa, Mastercard, American
# Express, Discover, Diners, JCB, Maestro. Without them one in ten 16-digit ids would look like a card.
_CARD_ISSUER = re.compile(
    r"4\d{12}(?:\d{3}){0,2}|(?:5[1-5]|2[2-7])\d{14}|3[47]\d{13}|6(?:011|5\d\d|4[4-9]\d)\d{12}|3(?:0[0-5]|[68]\d)\d{11}"
    r"|35\d{14}|(?:5018|5020|5038|6304|6759|676[1-3])\d{8,15}"
)
_QUOTED_BLOB = re.compile(r"[\"']([A-Za-z0-9+/_-]{32,500}={0,2})[\"']")
_PHONE_DIGITS = range(8, 16)
"""A subscriber number in E.164 has at most 15 digits; below 8 it is more likely something else."""


def redact(text: str) -> str:
    """`text` with secrets and personal data replaced by placeholders; a second pass changes nothing more."""
    secrets = list(_secrets(text))
    taken = sorted(secrets)
    spans = secrets + [span for span in _personal(text) if not _touches(taken, span)]
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
    yield from _key_blocks(text)
    for kind, pattern in _detectors():
        for match in pattern.finditer(text):
            yield from _token(text, kind, match)
    for match in _TOKEN_SHAPES.finditer(text):
        yield (*match.span(), "token")
    for match in _JWT.finditer(text):
        yield (*match.span(), "jwt")
    for match in _CONNECTION.finditer(text):
        if not _TEMPLATE.match(match[1]):
            yield (*match.span(1), "password")
    for match in _AUTH_SCHEME.finditer(text):
        if match["header"] or _CREDENTIAL.fullmatch(match["value"]):
            yield (*match.span("value"), "token")
    for match in _COOKIE.finditer(text):
        if "=" in match[1] and not _TEMPLATE.match(match[1]):
            yield (*match.span(1), "cookie")
    for match in _ASSIGNMENT.finditer(text):
        yield from _assigned(text, match)
    for match in _QUOTED_BLOB.finditer(text):
        if _is_random(match[1]):
            yield (*match.span(1), "secret")


def _touches(taken: list[Span], span: Span) -> bool:
    """Whether a span overlaps one of the sorted ones: `secret@host` in a connection string is no address."""
    index = bisect.bisect_left(taken, (span[1],))
    return any(end > span[0] for _, end, _ in taken[max(0, index - 3) : index])


def _key_blocks(text: str) -> Iterator[Span]:
    start = _KEY_BLOCK.search(text)
    while start:
        closing = text.find("-----END", start.end(), start.end() + _KEY_BLOCK_LIMIT)
        end = text.find("-----", closing + 8, closing + 80) + 5 if closing >= 0 else -1
        if end < 5:
            body = _KEY_BODY.match(text, start.end())
            end = body.end() if body else start.end()
        yield start.start(), end, "private key"
        start = _KEY_BLOCK.search(text, end)


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
    if _TEMPLATE.match(value) or _NAMES_A_SECRET.fullmatch(value):
        return
    chosen_by_people = match["key"].lower().startswith(("pass", "pwd", "secret", "client"))
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
    if "." in value or after in ("(", "[", ",", ")"):
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


def _personal(text: str) -> Iterator[Span]:
    for match in _EMAIL.finditer(text):
        yield (*match.span(), "email")
    for match in _PHONE.finditer(text):
        if sum(c.isdigit() for c in match[0]) in _PHONE_DIGITS:
            yield (*match.span(), "phone")
    for match in _PHONE_FIELD.finditer(text):
        if sum(c.isdigit() for c in match[1]) in _PHONE_DIGITS:
            yield (*match.span(1), "phone")
    for match in _CARD.finditer(text):
        digits = re.sub(r"\D", "", match[0])
        if _CARD_ISSUER.fullmatch(digits) and _luhn(digits):
            yield (*match.span(), "card")


def _luhn(digits: str) -> bool:
    """The check digit rule of ISO/IEC 7812-1, annex B."""
    doubled = (2 * int(d) if i % 2 else int(d) for i, d in enumerate(reversed(digits)))
    return sum(n - 9 if n > 9 else n for n in doubled) % 10 == 0


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
