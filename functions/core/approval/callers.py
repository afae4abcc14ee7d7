"""Who calls, by AWS's own word.

A caller signs a GetCallerIdentity request, whoever wants to know sends it, and STS says whose signature it
is. A signed header says what it was signed for, so that it is good for nothing else; STS verifies every
header that the signature names. The request is written here on both sides: what the caller hands over has no
say in its host, action or headers, which is how such schemes were broken.
https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
https://googleprojectzero.blogspot.com/2020/10/enter-the-vault-auth-issues-hashicorp-vault.html
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self

import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import ClientError
from botocore.parsers import create_parser

if TYPE_CHECKING:
    from botocore.client import BaseClient
    from botocore.credentials import Credentials
    from mypy_boto3_iam import IAMClient

PURPOSE = "X-Self-Heal-Purpose"
MAX_AGE_SECONDS = 300
"""How far a signature's date may be from our clock. STS itself allows 15 minutes."""

_QUERY = "Action=GetCallerIdentity&Version=2011-06-15"
_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=\w{3,128}/\d{8}/[a-z\d-]{1,40}/sts/aws4_request,"
    r" SignedHeaders=host;x-amz-date;(?:x-amz-security-token;)?x-self-heal-purpose,"
    r" Signature=[\da-f]{64}",
    re.ASCII,
)
_DATE = re.compile(r"\d{8}T\d{6}Z", re.ASCII)
_TOKEN = re.compile(r"[\w+/=-]{0,8192}", re.ASCII)
# Of a federated user, and of any principal that may come to be, AWS does not say that nobody chose the name.
_PERSON = re.compile(r"arn:[\w-]+:(?:iam::(\d{12}):(?:root|user/.+)|sts::(\d{12}):assumed-role/[^/]+/.+)")
# Sessions of IAM Identity Center's roles have the names of its users. Whoever may make roles can call one of
# theirs alike, but only AWS makes roles with this path, which a session's ARN does not tell.
# https://docs.aws.amazon.com/singlesignon/latest/userguide/referencingpermissionsets.html
_NAMED_BY_AWS = re.compile(r"arn:[\w-]+:sts::\d{12}:assumed-role/(AWSReservedSSO_[^/]+)/.+")
_PATH_OF_AWS = "/aws-reserved/sso.amazonaws.com/"
_NO_SUCH_ROLE = ("NoSuchEntity", "AccessDenied", "AccessDeniedException")
_TIMEOUT = urllib3.Timeout(connect=2, read=5)


class CallerNotProven(ValueError):
    """It is not known who calls, or nobody who may be believed; the message tells the person why."""


@dataclass(frozen=True, slots=True)
class Signed:
    """What only the caller can add to the request: its `Authorization`, `X-Amz-Date` and
    `X-Amz-Security-Token`, which is empty for credentials that do not expire.
    """

    authorization: str
    date: str
    token: str = ""

    @classmethod
    def from_json(cls, value: Any) -> Self:
        """Raises CallerNotProven for anything but what `sign` makes."""
        try:
            signed = cls(**value)
            whole = (
                _AUTHORIZATION.fullmatch(signed.authorization)
                and _DATE.fullmatch(signed.date)
                and _TOKEN.fullmatch(signed.token)
                and signed.at
            )
        except (TypeError, ValueError):
            whole = None
        if not whole:
            raise CallerNotProven("the request is not signed as `selfheal` signs it")
        return signed

    def to_json(self) -> dict[str, str]:
        return asdict(self)

    @property
    def at(self) -> datetime:
        """When it was signed."""
        return datetime.strptime(self.date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)


def sign(purpose: str, credentials: Credentials, sts: BaseClient) -> Signed:
    """Sign for one purpose, a digest in hexadecimal, to be sent where `sts` sends its requests."""
    request = AWSRequest("GET", _address(sts), headers={PURPOSE: purpose})
    SigV4Auth(credentials.get_frozen_credentials(), "sts", sts.meta.region_name).add_auth(request)
    headers = dict(request.headers.items())
    return Signed(headers["Authorization"], headers["X-Amz-Date"], headers.get("X-Amz-Security-Token", ""))


def whose(signed: Signed, purpose: str, account: str, sts: BaseClient, iam: IAMClient, now: datetime) -> str:
    """The ARN of who signed for this purpose lately, an identity of this account.

    Raises CallerNotProven, what urllib3 raises where STS cannot be asked, and botocore's ClientError.
    """
    if abs((now - signed.at).total_seconds()) > MAX_AGE_SECONDS:
        raise CallerNotProven(f"signed at {signed.date}, which is not now: decide again, or set the clock")
    headers = {PURPOSE: purpose, "X-Amz-Date": signed.date, "Authorization": signed.authorization}
    if signed.token:
        headers["X-Amz-Security-Token"] = signed.token
    with urllib3.PoolManager(timeout=_TIMEOUT, retries=False) as http:
        answer = http.request("GET", _address(sts), headers=headers, redirect=False)
    if answer.status != 200 and not 400 <= answer.status < 500:
        raise urllib3.exceptions.HTTPError(f"STS answers {answer.status}")
    model = sts.meta.service_model
    said = create_parser(model.protocol).parse(
        {"status_code": answer.status, "headers": answer.headers, "body": answer.data},
        model.operation_model("GetCallerIdentity").output_shape,  # type: ignore[arg-type] # it has one
    )
    if "Arn" not in said:
        raise CallerNotProven(
            f"AWS STS refuses what was signed: {said.get('Error', {}).get('Code', 'no answer')}"
        )
    match = _PERSON.fullmatch(said["Arn"])
    if match is None:
        raise CallerNotProven(f"{said['Arn']} may be whoever it likes: decide as an IAM user or role")
    if account not in match.groups():
        raise CallerNotProven(
            f"{said['Arn']} is of another account than {account}: take on a role of this one"
        )
    role = _NAMED_BY_AWS.fullmatch(said["Arn"])
    if role and not _is_of_identity_center(role[1], iam):
        raise CallerNotProven(f"{role[1]} is no role of IAM Identity Center, so its sessions are nobody")
    return str(said["Arn"])


def _is_of_identity_center(role: str, iam: IAMClient) -> bool:
    """Our own right to look is for roles of that path alone: any other is refused, or not there."""
    try:
        return iam.get_role(RoleName=role)["Role"]["Path"].startswith(_PATH_OF_AWS)
    except ClientError as error:
        if error.response["Error"]["Code"] not in _NO_SUCH_ROLE:
            raise
        return False


def _address(sts: BaseClient) -> str:
    return f"{sts.meta.endpoint_url}/?{_QUERY}"
