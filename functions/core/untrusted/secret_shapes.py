"""Secrets that their own shape or their place in a text gives away.

Token shapes are facts that services publish so that scanners find their tokens; gitleaks and detect-secrets
keep lists of them. Here stand those where detect-secrets 1.5 has none, only an older form, or one that takes
quadratic time. A prefix alone is enough where it is rare; where it is not, what follows must look random.

Every pattern is linear in the text, or goes back over a bounded length only.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache
from itertools import pairwise

Span = tuple[int, int, str]
"""Start, end and kind of something to mask."""

# Prefix → what follows it. Sources: the services' pages on their token formats.
_PREFIXED = {
    r"gh[opusr]_": r"[A-Za-z0-9]{36,255}",
    r"github_pat_": r"\w{22,255}",
    r"gl(?:pat|rt|dt|ft|oas|ptt|imt|soat|cbt|agent|ffct)-": r"[\w-]{20,255}(?:\.\d\d\.[a-z0-9]{9})?",
    r"hv[sbr]\.": r"[\w-]{20,300}",
    r"sk-(?:ant-|proj-|svcacct-)?": r"[\w-]{20,255}",
    r"(?:gsk|r8|hf)_": r"[A-Za-z0-9]{30,255}",
    r"(?:xai|pplx)-": r"[A-Za-z0-9]{40,255}",
    r"AIza": r"[\w-]{35}",
    r"ya29\.": r"[\w-]{20,255}",
    r"GOCSPX-": r"[\w-]{20,100}",
    r"1//0": r"[\w-]{40,255}",
    r"npm_": r"[A-Za-z0-9]{36}",
    r"dckr_[a-z]{3}_": r"[\w-]{20,100}",
    r"rubygems_": r"[a-f0-9]{48}",
    r"[A-Za-z0-9]{14}\.atlasv1\.": r"[\w-]{50,100}",
    r"dp\.(?:pt|st|ct|sa|scim|audit)\.": r"[\w.]{40,100}",
    r"pul-": r"[a-f0-9]{40}",
    r"lin_(?:api|oauth)_": r"[A-Za-z0-9]{32,100}",
    r"ntn_": r"[A-Za-z0-9]{40,60}",
    r"secret_": r"[A-Za-z0-9]{43}",
    r"A[TC](?:ATT3x|CTT3x|BB)": r"[\w=-]{28,400}",
    r"fig[dour]{1,2}_": r"[\w-]{40,100}",
    r"gl(?:sa|c)_": r"[\w+/=-]{30,400}",
    r"NR(?:AK|II|IQ|JS|RA)-": r"[A-Za-z0-9_-]{19,60}",
    r"[a-f0-9]{36}(?=NRAL)": r"NRAL",
    r"sntry[sua]_": r"[\w+/=-]{40,500}",
    r"EAA[A-Z]": r"[A-Za-z0-9_-]{50,300}",
    r"access_token\$(?:production|sandbox)\$": r"[a-z0-9]{16}\$[a-f0-9]{32}",
    r"sbp_": r"[a-f0-9]{40}",
    r"pscale_[a-z]{2,6}_": r"[\w.=-]{30,100}",
    r"tskey-[a-z]{2,10}-": r"[A-Za-z0-9-]{20,100}",
    r"ops_eyJ": r"[\w=-]{50,2000}",
    r"AGE-SECRET-KEY-1": r"[A-Z0-9]{50,70}",
    r"key-": r"[a-f0-9]{32}",
    r"xapp-": r"[0-9A-Za-z-]{20,255}",
    r"xoxe(?:\.xox[bp])?-": r"[0-9A-Za-z-]{20,300}",
    r"(?:sk|rk|pk)_(?:test|live)_": r"[A-Za-z0-9]{16,255}",
    r"whsec_": r"[A-Za-z0-9+/=]{20,255}",
    r"dop_v1_": r"[a-f0-9]{64}",
    r"shp(?:at|ca|pa|ss)_": r"[a-fA-F0-9]{32}",
    r"dapi": r"[a-f0-9]{32}",
    r"dt0[a-z]\d\d\.": r"[A-Z0-9]{24}\.[A-Z0-9]{64}",
    r"PMAK-": r"[a-f0-9]{24}-[a-f0-9]{34}",
    r"rdme_": r"[a-z0-9]{70}",
    r"(?:pcsk|sb_secret|tvly|vercel_blob_rw)[_-]": r"[\w-]{16,100}",
    r"npg_": r"[A-Za-z0-9]{12,100}",
    r"ABSK": r"[A-Za-z0-9+/]{100,300}={0,2}",
    r"lsv2_[ps][tk]_": r"[a-f0-9]{32}_[a-f0-9]{10}",
    r"xkeysib-": r"[a-f0-9]{64}-[A-Za-z0-9]{16}",
    r"pk_\d{4,12}_": r"[A-Z0-9]{32}",
    r"pat[A-Za-z0-9]{14}\.": r"[a-f0-9]{64}",
    r"(?:csk-|napi_|hca[a-z]k_)": r"[a-z0-9]{40,80}",
    r"(?:fc-|e2b_|sk_|bk[uc]a_|key_)": r"[a-f0-9]{32,64}",
    r"bedrock-api-key-": r"[A-Za-z0-9+/=]{40,3000}",
    r"AQ\.": r"[A-Z][\w-]{30,120}",
    r"[A-Za-z0-9]{52}JQQJ99": r"[A-Za-z0-9]{20,30}",
    r"st\.[a-f0-9-]{36}\.": r"[a-f0-9]{32}\.[a-f0-9]{32}",
    r"cio": r"[A-Za-z0-9]{32}",
    r"cmVmdGtu": r"[A-Za-z0-9+/=]{40,100}",
    r"(?:access|public)-(?:production|development|sandbox)-": r"[a-f0-9-]{36}",
    r"(?<![/+])AQE[A-Za-z]": r"[A-Za-z0-9+/]{40,200}={0,2}(?:-[A-Za-z0-9+/=]{16,60}){1,2}",
    r"sl\.(?:u\.)?": r"[\w-]{100,2000}",
    r"CCIP(?:AT|RJ)_": r"[A-Za-z0-9]{20,24}_[a-f0-9]{40}",
    r"v1\.0-[a-f0-9]{24}-": r"[a-f0-9]{146}",
    r"HRKU-": r"[\w-]{30,100}",
    r"[12]/\d{13,19}/\d{13,19}:": r"[a-f0-9]{32}",
    r"[MNO][\w-]{23,27}\.[\w-]{6}\.": r"[\w-]{27,40}",
    r"(?:tfp_|CFPAT-|nvapi-)": r"[\w-]{40,100}",
    r"fm[12][ar]?_": r"[A-Za-z0-9+/=,]{40,3000}",
    r"AAAA[\w-]{7}:": r"[\w-]{140}",
    r"rpa_": r"[A-Za-z0-9]{40,60}",
    r"(?:(?:sdk|mob)|pat-(?:na|eu)\d)-": r"[a-f0-9]{8}-[a-f0-9-]{27}",
    r"sq[upa]_": r"[a-f0-9]{40}",
    r"live_": r"[\w-]{38,60}",
    r"APP_USR-\d{8,20}-": r"[\w-]{32,80}",
    # What a PEM file is in base64, unless it is a certificate.
    r"LS0tLS1CRUdJTi(?!BDRVJUSUZJQ0FURS)": r"[A-Za-z0-9+/]{40,8000}={0,2}",
}
_TOKEN = re.compile(
    r"(?<![A-Za-z0-9])(?:" + "|".join(f"{before}{body}" for before, body in _PREFIXED.items()) + ")"
)
# Microsoft Entra's client secrets: three characters, a digit, `Q~`, and the rest.
_ENTRA = re.compile(r"(?<![\w.~-])[\w.~-]{3}\dQ~[\w.~-]{31,34}(?![\w.~-])")
# A short word, an underscore or hyphen, and a run that nobody would type: how most services make tokens.
_LABELLED = re.compile(
    r"(?<![\w.-])[A-Za-z][A-Za-z0-9]{1,11}(?:[_-][A-Za-z0-9]{2,16}){0,2}[_-](?P<run>[A-Za-z0-9]{20,255})(?!\w)"
)
# What is kept in place of a password, by the names of crypt(3), PHC and Django: it can be guessed at home.
_HASHED = re.compile(
    r"\$(?:2[abxy]|[156y]|apr1|argon2(?:id|i|d)|scrypt|pbkdf2(?:-\w{3,8})?)\$[\w./$,=+-]{20,300}"
    r"|\bpbkdf2_\w{3,8}\$\d{1,9}\$[\w./$=+-]{20,300}"
)
_TELEGRAM = re.compile(r"(?<!\d)\d{8,10}:[A-Za-z0-9_-]{35}(?![A-Za-z0-9_-])")
_JWT = re.compile(r"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{8,8000}={0,2}(?:\.[A-Za-z0-9_-]{0,8000}={0,2}){1,4}")

# Whoever has the address may post. Microsoft Teams, Discord, Slack, as they show them where they are made.
_WEBHOOK = re.compile(
    r"https?://(?:[\w-]{1,63}\.webhook\.office\.com/webhookb2|(?:\w{1,20}\.)?discord(?:app)?\.com/api/webhooks"
    r"|hooks\.slack\.com/(?:services|workflows|triggers))/[^\s\"'<>]{20,400}"
)
_QUERY = re.compile(
    r"(?i)(?:[?&;](?:[a-z]{1,10}[_-]){0,3}(?:sig|signature|code|key|token|secret|password)"
    # Of forms: OAuth's (RFC 7521, RFC 7636) and SAML's.
    r"|(?<![\w%-])(?:(?:client_)?assertion|code_verifier|SAML(?:Request|Response)))"
    r"=(?P<value>[^&;\s\"'<>]{20,8000})"
)
# Whoever has the address is let in: what is sent to those who have lost their password, or have none.
_LETS_IN = re.compile(
    r"(?i)/(?:(?:reset|change|set|forgot)-?password|password-?reset|password/reset(?:/confirm)?"
    r"|magic-?(?:link|login)|activate|invite|verify-?email|hooks/catch|webhooks?|with/key|receiver/v\d/http)"
    r"/(?P<value>[^/\s\"'<>?#][^\s\"'<>?#]{15,400})"
)
# An ODBC string within a URL: `…%3BPWD%3D…%3B`.
_ENCODED = re.compile(r"(?i)(?:pwd|password)%3D(?P<value>[^%&\s\"']{3,200})")
# SMTP's user and password (RFC 4954); Docker's and npm's configuration: the same, in base64.
_SMTP = re.compile(r"\bAUTH (?:PLAIN|LOGIN)[ \t]{1,3}(?P<value>[A-Za-z0-9+/]{8,400}={0,2})")
_AUTH = re.compile(
    r"\b_?auth\\{0,2}[\"']?[ \t]{0,3}[:=][ \t]{0,3}\\{0,2}[\"']?(?P<value>[A-Za-z0-9+/]{12,400}={0,2})"
)
# A line of PostgreSQL's password file. https://www.postgresql.org/docs/current/libpq-pgpass.html
_PGPASS = re.compile(
    r"(?m)(?<![^\s'\"])[\w.*-]{1,100}:(?:\d{4,5}|\*):[\w.*-]{1,64}:[\w.*-]{1,64}:"
    r"(?P<value>[^\s:'\"]{3,200})(?=['\"]|$)"
)
# A key as money is kept by: 64 hexadecimal digits are a hash elsewhere.
_WALLET = re.compile(
    r"(?i)\b(?:private|secret|signing)[ _-]?key\W{1,4}(?P<value>(?:0x)?[a-f0-9]{64})(?![a-z0-9])"
)
_MNEMONIC = re.compile(
    r"(?i)\b(?:mnemonic|(?:seed|recovery)[ _-]?(?:phrase|words))\W{1,4}"
    r"(?P<value>(?:[a-z]{3,8}[ ,]{1,2}){11,23}[a-z]{3,8})\b"
)
# The first `@` behind which a host ends; one before it belongs to the password, as a slash may.
_CONNECTION = re.compile(
    r"[A-Za-z][A-Za-z0-9+.-]{1,20}://[^\s:/@'\"<>]{0,100}:(?!\d{1,5}[/?#])(?P<value>[^\s'\"<>]{1,200}?)"
    r"@(?=[\w.-]{1,255}(?:[:/?,\s'\")\]]|$)|\[)"
)

_KEY_BLOCK = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|PuTTY-User-Key-File-\d")
# What follows a header whose end was cut off: lines of base64, with real or escaped line breaks.
_KEY_BODY = re.compile(r"(?:(?:\\[nr]|[ \t\r\n]){1,4}[A-Za-z0-9+/=]{8,100}(?=[\s\\\"',]|$)){0,400}")
_KEY_BLOCK_LIMIT = 20_000

_AUTH_SCHEME = re.compile(
    r"(?i)(?P<header>authorization\\{0,2}[\"']?[ \t]{0,3}[:=][ \t]{0,3}\\{0,2}[\"']?)?"
    r"\b(?P<scheme>bearer|basic|token|apikey|negotiate|ssws|hawk|(?<=authorization: )[a-z-]{3,20})"
    r"[ \t]{1,3}(?:token[= ]{1,2})?[\"']?"
    r"(?P<value>[A-Za-z0-9._~+/=!-]{6,4000})"
)
# Schemes of which parameters follow: the proof is one of them.
_AUTH_PARAMETER = re.compile(r"(?i)\b(?:response|signature|mac)=\"?(?P<value>[A-Za-z0-9+/=]{16,200})")
# Not a word of prose or an identifier of code: it has a digit and is no plain name, or it is very long.
_CREDENTIAL = re.compile(r"(?=[^\d]{0,4000}\d)(?![A-Za-z_]\w{0,15}$).+|.{41,}")
_COOKIE = re.compile(
    r"(?i)\b(?:set-)?cookie[\"']?[ \t]{0,3}[:=](?!=)[ \t]{0,3}[\"']?(?P<value>[^\"'\r\n]{4,4000})"
)
_SIGNATURE_HEADER = re.compile(
    r"(?i)(?<![\w-])(?:[a-z0-9]{1,20}-){1,4}signature(?:-\d{1,3})?\\{0,2}[\"']?[ \t]{0,3}[:=][ \t]{0,3}"
    r"\\{0,2}[\"']?(?P<value>[\w=,.+/:-]{20,500})"
)

_NAMED = r"(?:password|passwd|passphrase|passcode|pass|pwd|secret|token|api-?key|access-?key|credentials?)"
_OPTION = re.compile(
    rf"(?i)(?<![\w-])--(?:[a-z0-9]{{1,20}}-){{0,3}}{_NAMED}(?:[ \t]{{1,3}}|=)[\"']?"
    r"(?P<value>[^\s\"'$<{%-][^\s\"'<>]{2,200})"
)
_USER_OPTION = re.compile(
    r"(?<![\w-])(?:-u|--user)[ \t=]{1,3}[\"']?[^\s:\"'/]{1,60}:(?P<value>[^\s\"'$]{3,200})"
)
_SHORT_OPTION = re.compile(
    r"\b(?:(?:mysql|mariadb)\w{0,8}[^\n]{0,99}?[ \t]-p|(?:sshpass|docker login)[^\n]{0,99}?[ \t]-p[ \t]{1,3}"
    r"|redis-cli[^\n]{0,99}?[ \t]-a[ \t]{1,3}|(?:zip|ipmitool)[ \t][^\n]{0,99}?-P[ \t]{1,3}"
    r"|psexec[^\n]{0,99}?[ \t]-p[ \t]{1,3}|snmp[a-z]{2,8}[ \t][^\n]{0,99}?-c[ \t]{1,3}"
    r"|ldap[a-z]{3,10}[ \t][^\n]{0,99}?[ \t]-w[ \t]{1,3})"
    r"(?P<value>[^\s\"'$-][^\s\"']{3,100})"
)
# Oracle's tools, and its driver, take the user, a slash, the password, and where.
_ORACLE = re.compile(
    r"(?:\b(?:sqlplus|sqlldr|expdp|impdp)[ \t]{1,3}(?:-\w{1,10}[ \t]{1,3}){0,3}[\"']?"
    r"|jdbc:oracle:[a-z]{3,5}:)\w{1,60}/(?P<value>[^\s@\"'$]{3,100})@"
)
_ELEMENT = re.compile(
    rf"(?i)<(?:[\w.-]{{1,20}}:)?[\w.-]{{0,20}}{_NAMED}[\w.-]{{0,10}}(?:\s[^<>]{{0,200}})?>"
    r"(?P<value>[^<>\s][^<>\r\n]{1,500})</"
)
# SQL that sets or gives one: MySQL, Oracle, PostgreSQL, SQL Server.
_STATEMENT = re.compile(
    r"(?i)\b(?:identified(?:[ \t]{1,3}with[ \t]{1,3}\w{1,40})?[ \t]{1,3}(?:by|as)"
    r"|(?:encrypted|with|set|user \w{1,60})[ \t]{1,3}password)[ \t=]{1,3}"
    r"(?P<quote>['\"])(?P<value>[^'\"\r\n]{3,200})(?P=quote)"
)
# `… with password hunter2-x`, `the secret is …`: what follows must look as nobody writes words.
_SAID = re.compile(
    rf"(?i)\b{_NAMED.replace('-', '[ -]')}[ \t]{{1,3}}(?:(?:is|was)[ \t:]{{1,3}})?[\"'`]?"
    r"(?P<value>[^\s\"'`,;]{8,200})"
)


def found_by_shape(text: str) -> Iterator[Span]:
    """Secrets in a text; the spans may overlap."""
    yield from _key_blocks(text)
    for kind, pattern, is_one in _shapes():
        part = "value" if "value" in pattern.groupindex else 0
        for match in pattern.finditer(text):
            if is_one(match[part]):
                yield (*match.span(part), kind)
    for match in _LABELLED.finditer(text):
        if looks_random(match["run"]):
            yield (*match.span(), "token")
    for match in _AUTH_SCHEME.finditer(text):
        if match["header"] or _CREDENTIAL.fullmatch(match["value"]):
            yield (*match.span("value"), "token")


@cache
def _shapes() -> tuple[tuple[str, re.Pattern[str], Callable[[str], bool]], ...]:
    """Kind, pattern, and what else must be true of its `value`, or of all that it matches."""

    def given(value: str) -> bool:
        return not is_template(value)

    def has_digit(value: str) -> bool:
        return any(c.isdigit() for c in value)

    return (
        *(("token", pattern, bool) for pattern in (_TOKEN, _ENTRA, _TELEGRAM)),
        ("jwt", _JWT, bool),
        ("hash", _HASHED, bool),
        ("webhook", _WEBHOOK, bool),
        *(("secret", pattern, bool) for pattern in (_WALLET, _MNEMONIC)),
        *(("secret", pattern, has_digit) for pattern in (_QUERY, _LETS_IN)),
        ("secret", _SAID, looks_random),
        *(("signature", pattern, has_digit) for pattern in (_AUTH_PARAMETER, _SIGNATURE_HEADER)),
        ("cookie", _COOKIE, lambda value: "=" in value and given(value)),
        *(("password", pattern, given) for pattern in (_CONNECTION, _ELEMENT, _STATEMENT, _ENCODED)),
        # `--password PASSWORD`: how usage texts name a value.
        ("password", _OPTION, lambda value: not value.isupper()),
        *(
            ("password", pattern, lambda value: not value.isdigit())
            for pattern in (_USER_OPTION, _SHORT_OPTION, _ORACLE)
        ),
        ("password", _PGPASS, lambda value: not value.isalpha() and not value.isdigit()),
        ("password", _AUTH, looks_random),
        ("password", _SMTP, has_digit),
    )


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


def looks_random(value: str) -> bool:
    """Whether a run changes between digits, small and capital letters as words and identifiers do not.

    Of random letters and digits two neighbours are of different kinds in 6 of 10 pairs; in `OAuth2Token` or
    `base64Encoded` it is below 4 of 10. Hexadecimal ids, which are no secrets, have one kind of letters.
    """
    kinds = ["0" if c.isdigit() else "A" if c.isupper() else "a" if c.islower() else "" for c in value]
    pairs = [(one, other) for one, other in pairwise(kinds) if one and other]
    changes = sum(one != other for one, other in pairs)
    return {"0", "A", "a"} <= set(kinds) and changes >= 0.4 * len(pairs) and len(pairs) >= 6


_TEMPLATE = re.compile(
    r"\$[{(]|\$[A-Z_]{1,60}$|\$[a-z_]{1,60}$|\{[\w.!:-]{0,60}\}|<[^<>]{0,60}>|%[({sd]|[*.]"
    r"|(?i:x{3,}|null$|none$|true$|false$|string$|required$)"
)


def is_template(value: str) -> bool:
    """Whether a value only stands for one: `${TOKEN}`, `{token}`, `<token>`, `***`, `None`."""
    return _TEMPLATE.match(value) is not None
