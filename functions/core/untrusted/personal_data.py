"""Personal data: by check digits where there are some, else by shape and the word that it follows."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator
from functools import cache

from functions.core.untrusted.secret_shapes import Span

_EMAIL = re.compile(
    r"(?<![\w.%+-])(?!git@)[\w.%+-][\w.%+'-]{0,99}@(?:[\w-]{1,63}\.){1,6}[A-Za-z]{2,24}(?![A-Za-z0-9-])"
)
_PHONE = re.compile(
    r"(?<![\w.+-])(?:\+[1-9]\d{0,2}[ .-]?(?:\(\d{1,4}\)[ .-]?)?\d{1,4}(?:[ .-]?\d{2,4}){1,4}"
    r"|\(\d{3}\) ?\d{3}[-. ]\d{4}|\d{3}([-.])\d{3}\1\d{4})(?![\w-]|\.\d)"
)
_PHONE_FIELD = re.compile(
    r"(?i)(?:\b(?:call(?: \w{1,5}){0,2}|tel\.?|mobil|ring|dial)[ :]{1,3}(?=\+|0)"
    r"|(?:phone|mobile|telephone|msisdn|fax)(?:_?(?:number|no|nr))?\\{0,2}[\"']?[ \t]{0,3}[=:][ \t]{0,3}"
    r"\\{0,2}[\"']?)(\+?\d[\d ()./-]{5,20}\d)"
)
_PHONE_DIGITS = range(8, 16)
"""A subscriber number in E.164 has at most 15 digits; below 8 it is more likely something else."""

_CARD = re.compile(r"(?<![\w.-])[2-6](?:[ -]?\d){12,18}(?![\w-])")
# Issuer ranges of the card schemes (ISO/IEC 7812, as the schemes publish them): Visa, Mastercard, American
# Express, Discover, Diners, JCB, Maestro. Without them one in ten 16-digit ids would look like a card.
_CARD_ISSUER = re.compile(
    r"4\d{12}(?:\d{3}){0,2}|(?:5[1-5]|2[2-7])\d{14}|3[47]\d{13}|6(?:011|5\d\d|4[4-9]\d)\d{12}|3(?:0[0-5]|[68]\d)\d{11}"
    r"|35\d{14}|(?:5018|5020|5038|6304|6759|676[1-3])\d{8,15}"
)
_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?![A-Za-z0-9])")
# AHV number, by its EAN-13: Switzerland's country code of GS1 begins it.
_AHV = re.compile(r"(?<![\w.])756\.?\d{4}\.?\d{4}\.?\d{2}(?![\w.])")
# Numbers that were never issued are left out: https://www.ssa.gov/employer/randomization.html
_SSN = re.compile(r"(?<![\w.-])(?!000|666|9\d\d)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\w-])")
# Brazil's CPF as it is written, Spain's DNI and NIE, Italy's codice fiscale.
_CPF = re.compile(r"(?<![\w.-])\d{3}\.\d{3}\.\d{3}-\d{2}(?![\w-])")
_DNI = re.compile(r"(?<![\w.-])(?:\d|[XYZ])\d{7}-?[A-HJ-NP-TV-Z](?![\w-])")
_CODICE = re.compile(r"(?<![\w-])[A-Z]{6}\d{2}[A-EHLMPR-T]\d{2}[A-Z]\d{3}[A-Z](?![\w-])")
# The United Kingdom's National Insurance number, with the prefixes that are given out (HMRC, NIM39110), and
# QQ, which stands for one in forms; its NHS number.
_NINO = re.compile(
    r"(?<![\w-])(?!BG|GB|NK|KN|TN|NT|ZZ)(?:[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z]|QQ)"
    r" ?(?:\d\d ?){3}[A-D](?![\w-])"
)
_NHS = re.compile(r"(?<![\w.+-])\d{3} \d{3} \d{4}(?![\w-]|\.\d)")
# France's NIR; Sweden's, Finland's and South Korea's numbers, which begin with a date of birth.
_NIR = re.compile(r"(?<![\w.-])[12]\d\d(?:0[1-9]|1[0-2])(?:\d\d|2[AB])\d{8}(?![\w-]|\.\d)")
_DAY = r"(?:0[1-9]|[12]\d|3[01])"
_MONTH = r"(?:0[1-9]|1[0-2])"
_PERSONNUMMER = re.compile(rf"(?<![\w.-])\d\d{_MONTH}{_DAY}[-+]\d{{4}}(?![\w-]|\.\d)")
_HETU = re.compile(rf"(?<![\w.-]){_DAY}{_MONTH}\d\d[-+A-FU-Y]\d{{3}}[\dA-FHJ-NPR-Y](?![\w-])")
_RRN = re.compile(rf"(?<![\w.-])\d\d{_MONTH}{_DAY}-[1-4]\d{{6}}(?![\w-]|\.\d)")
# Belgium's, Mexico's and Chile's, each as it is written.
_NISS = re.compile(rf"(?<![\w.-])\d\d\.{_MONTH}\.{_DAY}-\d{{3}}\.\d\d(?![\w-]|\.\d)")
_CURP = re.compile(rf"(?<![\w-])[A-Z]{{4}}\d\d{_MONTH}{_DAY}[HMX][A-Z]{{5}}[0-9A-Z]\d(?![\w-])")
_RUT = re.compile(r"(?<![\w.-])\d{1,2}\.\d{3}\.\d{3}-[\dkK](?![\w-])")
# The lines of a passport that machines read: ICAO Doc 9303-4, 4.2.
_MRZ = re.compile(
    r"(?<![\w<])P[A-Z<][A-Z]{3}[A-Z]{1,35}<[A-Z<]{2,36}(?![\w<])"
    r"|(?<![\w<])[A-Z0-9<]{9}\d[A-Z]{3}\d{7}[MF<]\d{7}[A-Z0-9<]{14}[\d<]\d"
)
_IPV4 = re.compile(r"(?<![\w.-])(?:\d{1,3}\.){3}\d{1,3}(?![\w.-])")
_BEFORE_ADDRESS = re.compile(
    r"(?i)(?:from|client|remote|peer|user|forwarded|ip|addr(?:ess)?)\W{1,4}(?:for\W{1,3})?$|^$"
)

# A word that says what follows, and its value; digits where the value alone could be any number.
_GAP = r"\\{0,2}[\"']?[ \t]{0,3}(?:[:=][ \t]{0,3}|[ \t])\\{0,2}[\"']?"
_FIELDS = (
    ("number", re.compile(rf"(?i)\b(?:ssn|social[ _]security(?:[ _]number)?){_GAP}(?P<value>\d{{9}})(?!\d)")),
    (
        "number",
        re.compile(
            r"(?i)\b(?:aadhaar|bsn|cpf|dni|nino|nhs|pesel|sin|tfn|nric|idnr|steuer-?(?:id|nummer)"
            r"|cpr|fødselsnummer|nif|pps|itin|cuit|tckn|マイナンバー"
            r"|(?:national|citizen|tax|personal)[ _]?(?:id|insurance|file))(?:[ _]?(?:number|no|nr))?"
            rf"{_GAP}(?P<value>(?:[A-Z]{{0,2}}\d{{6,12}}|\d{{2,4}}(?:[ .-]\d{{2,4}}){{2,3}})-?[A-Z]?)(?!\w)"
        ),
    ),
    # India's PAN, with the kind of its holder in the fourth place; the number of a phone itself.
    ("number", re.compile(rf"\b[Pp][Aa][Nn]{_GAP}(?P<value>[A-Z]{{3}}[ABCFGHJLPT][A-Z]\d{{4}}[A-Z])(?!\w)")),
    ("number", re.compile(rf"(?i)\bimei{_GAP}(?P<value>\d{{15}})(?!\d)")),
    (
        "number",
        re.compile(
            rf"(?i)\bpassport(?:[ _]?(?:number|no|nr)\.?)?{_GAP}"
            r"(?P<value>(?=[A-Z]{0,9}\d)[A-Z0-9]{6,9})(?!\w)"
        ),
    ),
    (
        "date",
        re.compile(
            r"(?i)\b(?:dob|date[ _]?of[ _]?birth|birth[ _]?(?:day|date)|born|geburtsdatum)"
            rf"{_GAP}(?P<value>\d{{4}}-\d\d-\d\d|\d{{1,2}}[./-]\d{{1,2}}[./-]\d{{4}})"
        ),
    ),
    (
        "code",
        re.compile(
            r"(?i)\b(?:(?:pin|cvv|cvc|otp|tan)(?:[ _-]?(?:code|number))?\\{0,2}[\"']?"
            r"[ \t]{0,3}[:=][ \t]{0,3}[\"']?"
            r"|(?:otp|pin|one[ -]time|verification|security)[ _-](?:code|password|pin)(?: is)?[ \t:=]{1,3})"
            r"(?P<value>\d{3,8})(?!\w)"
        ),
    ),
    (
        "place",
        re.compile(
            r"(?i)\b(?:at|gps|coordinates?|location|lat(?:itude)?|position)[ \t:=(]{1,4}"
            r"(?P<value>-?\d{1,2}\.\d{4,15}, ?(?:lon(?:gitude)?=)?-?\d{1,3}\.\d{4,15})"
        ),
    ),
)


def personal(text: str) -> Iterator[Span]:
    """Personal data in a text; the spans may overlap."""
    for match in _EMAIL.finditer(text):
        yield (*match.span(), "email")
    for match in _PHONE.finditer(text):
        if sum(c.isdigit() for c in match[0]) in _PHONE_DIGITS:
            yield (*match.span(), "phone")
    for match in _PHONE_FIELD.finditer(text):
        if sum(c.isdigit() for c in match[1]) in _PHONE_DIGITS:
            yield (*match.span(1), "phone")
    for kind, pattern in _FIELDS:
        yield from ((*match.span("value"), kind) for match in pattern.finditer(text))
    yield from _checked(text)
    for match in _IPV4.finditer(text):
        before = text[max(0, match.start() - 16) : match.start()].rpartition("\n")[2]
        if _is_somebodys(match[0]) and _BEFORE_ADDRESS.search(before):
            yield (*match.span(), "address")


def _checked(text: str) -> Iterator[Span]:
    """What check digits tell from any other number, or a form that nothing else has."""
    for kind, pattern, is_one in _numbers():
        yield from ((*match.span(), kind) for match in pattern.finditer(text) if is_one(match[0]))


@cache
def _numbers() -> tuple[tuple[str, re.Pattern[str], Callable[[str], bool]], ...]:
    """Kind, pattern, and whether what it matches adds up."""

    def of_digits(adds_up: Callable[[str], bool]) -> Callable[[str], bool]:
        return lambda number: adds_up(re.sub(r"\D", "", number))

    return (
        ("card", _CARD, of_digits(lambda digits: bool(_CARD_ISSUER.fullmatch(digits)) and _luhn(digits))),
        ("account", _IBAN, lambda number: _mod_97(number.replace(" ", ""))),
        ("number", _AHV, of_digits(_ean)),
        ("number", _CPF, of_digits(_cpf)),
        ("number", _DNI, _dni),
        ("number", _NHS, of_digits(_eleven)),
        ("number", _NIR, _nir),
        ("number", _PERSONNUMMER, of_digits(_luhn)),
        ("number", _HETU, _hetu),
        ("number", _NISS, of_digits(_niss)),
        ("number", _RUT, _rut),
        *(("number", pattern, bool) for pattern in (_SSN, _CODICE, _NINO, _RRN, _CURP, _MRZ)),
    )


def _is_somebodys(address: str) -> bool:
    """Whether an address may be a person's: those of networks inside and of this machine tell nobody."""
    try:
        parsed = ipaddress.IPv4Address(address)
    except ValueError:
        return False
    inside = any(parsed in network for network in _INSIDE)
    return not (
        inside or parsed.is_loopback or parsed.is_link_local or parsed.is_multicast or parsed.is_reserved
    )


# Shared, private and unspecified use: RFC 6890, 2.2.2.
_INSIDE = tuple(
    ipaddress.IPv4Network(network)
    for network in ("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16")
)


def _luhn(digits: str) -> bool:
    """The check digit rule of ISO/IEC 7812-1, annex B."""
    doubled = (2 * int(d) if i % 2 else int(d) for i, d in enumerate(reversed(digits)))
    return sum(n - 9 if n > 9 else n for n in doubled) % 10 == 0


def _mod_97(account: str) -> bool:
    """The check digits of an IBAN: ISO 13616-1, clause 6."""
    rearranged = account[4:] + account[:4]
    return int("".join(str(int(c, 36)) for c in rearranged)) % 97 == 1


def _ean(digits: str) -> bool:
    """The check digit of an EAN-13: GS1 General Specifications, 7.9."""
    return sum(int(d) * (3 if i % 2 else 1) for i, d in enumerate(digits)) % 10 == 0


def _eleven(digits: str) -> bool:
    """The check digit of an NHS number, modulus 11: NHS Data Dictionary, "NHS NUMBER"."""
    return sum(int(d) * (10 - i) for i, d in enumerate(digits)) % 11 == 0


def _nir(number: str) -> bool:
    """The key of France's NIR; Corsica's departments count as 19 and 18: INSEE, "NIR"."""
    plain = number[:13].replace("2A", "19").replace("2B", "18")
    return int(number[13:]) == 97 - int(plain) % 97


def _hetu(code: str) -> bool:
    """The control character of Finland's personal identity code, by its Digital and Population Data Services
    Agency."""
    return "0123456789ABCDEFHJKLMNPRSTUVWXY"[int(code[:6] + code[7:10]) % 31] == code[10]


def _niss(digits: str) -> bool:
    """The check digits of Belgium's national number; who was born in this century has a 2 before it."""
    return any(97 - int(century + digits[:9]) % 97 == int(digits[9:]) for century in ("", "2"))


def _rut(number: str) -> bool:
    """The check digit of Chile's RUT: modulus 11, with 2 to 7 from the right."""
    digits = [int(digit) for digit in reversed(number[:-2]) if digit.isdigit()]
    rest = -sum(digit * (2 + place % 6) for place, digit in enumerate(digits)) % 11
    return "0123456789K"[rest] == number[-1].upper()


def _cpf(number: str) -> bool:
    """The two check digits of Brazil's CPF, each of the digits before it; those of equal digits are none."""
    digits = [int(digit) for digit in number]
    fit = (sum(d * (n + 1 - i) for i, d in enumerate(digits[:n])) * 10 % 11 % 10 for n in (9, 10))
    return list(fit) == digits[9:] and len(set(digits)) > 1


def _dni(number: str) -> bool:
    """The letter of Spain's DNI, or NIE: Real Decreto 1553/2005, article 11."""
    plain = number.replace("-", "")
    rest = int(plain[:-1].translate(str.maketrans("XYZ", "012"))) % 23
    return plain[-1] == "TRWAGMYFPDXBNJZSQVHLCKE"[rest]
