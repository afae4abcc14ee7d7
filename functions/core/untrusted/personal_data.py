"""Personal data: by check digits where there are some, else by shape and the word that it follows."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

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
            r"(?i)\b(?:aadhaar|bsn|cpf|dni|nino|(?:national|citizen)[ _]?"
            rf"(?:id|insurance)(?:[ _]?(?:number|no))?){_GAP}"
            r"(?P<value>(?:[A-Z]{0,2}\d{6,12}|\d{2,4}(?:[ .-]\d{2,4}){2,3})-?[A-Z]?)(?!\w)"
        ),
    ),
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
    """What check digits tell from any other number."""
    for match in _CARD.finditer(text):
        digits = re.sub(r"\D", "", match[0])
        if _CARD_ISSUER.fullmatch(digits) and _luhn(digits):
            yield (*match.span(), "card")
    for match in _IBAN.finditer(text):
        if _mod_97(match[0].replace(" ", "")):
            yield (*match.span(), "account")
    for match in _AHV.finditer(text):
        if _ean(match[0].replace(".", "")):
            yield (*match.span(), "number")
    for match in _CPF.finditer(text):
        if _cpf([int(digit) for digit in match[0] if digit.isdigit()]):
            yield (*match.span(), "number")
    for match in _DNI.finditer(text):
        if _dni(match[0]):
            yield (*match.span(), "number")
    for pattern in (_SSN, _CODICE):
        yield from ((*match.span(), "number") for match in pattern.finditer(text))


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


def _cpf(digits: list[int]) -> bool:
    """The two check digits of Brazil's CPF, each of the digits before it; those of equal digits are none."""
    fit = (sum(d * (n + 1 - i) for i, d in enumerate(digits[:n])) * 10 % 11 % 10 for n in (9, 10))
    return list(fit) == digits[9:] and len(set(digits)) > 1


def _dni(number: str) -> bool:
    """The letter of Spain's DNI, or NIE: Real Decreto 1553/2005, article 11."""
    plain = number.replace("-", "")
    rest = int(plain[:-1].translate(str.maketrans("XYZ", "012"))) % 23
    return plain[-1] == "TRWAGMYFPDXBNJZSQVHLCKE"[rest]
