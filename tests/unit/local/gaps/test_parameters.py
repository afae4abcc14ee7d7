"""Encrypted parameters ask for their key, through Parameter Store; and a parameter keeps its type."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from tests.unit.local.gaps.bench import Bench

pytestmark = pytest.mark.embedded

TEXT = "a value"


def somebody(bench: Any, name: str, *statements: dict[str, Any]) -> Any:
    """Parameter Store, for someone who may do all there, and what else is said."""
    user = bench.iam.create_user(UserName=name[-60:])["User"]["UserName"]
    allowed = [{"Effect": "Allow", "Action": "ssm:*", "Resource": "*"}, *statements]
    policy = json.dumps({"Version": "2012-10-17", "Statement": allowed})
    bench.iam.put_user_policy(UserName=user, PolicyName="p", PolicyDocument=policy)
    key = bench.iam.create_access_key(UserName=user)["AccessKey"]
    session = boto3.Session(key["AccessKeyId"], key["SecretAccessKey"], region_name="us-east-1")
    return session.client("ssm", endpoint_url=bench.emulator.endpoint)


def through(key: str, *actions: str, service: str = "ssm") -> dict[str, Any]:
    via = {"StringEquals": {"kms:ViaService": f"{service}.us-east-1.amazonaws.com"}}
    return {"Effect": "Allow", "Action": actions, "Resource": key, "Condition": via}


def works(call: Any, **given: Any) -> bool:
    try:
        call(**given)
    except ClientError as error:
        assert error.response["Error"]["Code"] == "AccessDeniedException"
        return False
    return True


def kept(bench: Any, unique: str) -> tuple[str, str]:
    """A key, and the name of a parameter that it encrypts."""
    key, name = bench.client("kms").create_key()["KeyMetadata"]["Arn"], f"/{unique}/one"
    bench.client("ssm").put_parameter(Name=name, Value=TEXT, Type="SecureString", KeyId=key)
    return key, name


def test_ministack_decrypts_for_everybody(ministack: Bench, unique: str) -> None:
    _, name = kept(ministack, unique)
    assert works(somebody(ministack, unique).get_parameter, Name=name, WithDecryption=True)


def test_reading_in_clear_needs_the_key_through_this_service(aws: Bench, unique: str) -> None:
    key, name = kept(aws, unique)
    nobody, other = (
        somebody(aws, f"{unique}-1"),
        somebody(aws, f"{unique}-2", through(key, "kms:Decrypt", service="s3")),
    )
    reader = somebody(aws, f"{unique}-3", through(key, "kms:Decrypt"))
    for ssm, may in ((nobody, False), (other, False), (reader, True)):
        assert works(ssm.get_parameter, Name=name, WithDecryption=True) is may
        assert works(ssm.get_parameters_by_path, Path=f"/{unique}", WithDecryption=True) is may
        assert works(ssm.get_parameters_by_path, Path=f"/{unique}")
    sealed = nobody.get_parameters_by_path(Path=f"/{unique}")["Parameters"][0]
    assert (sealed["Type"], TEXT in sealed["Value"]) == ("SecureString", False)


def test_writing_needs_the_key_for_more_where_there_is_more(aws: Bench, unique: str) -> None:
    key, name = kept(aws, unique)
    writer = somebody(aws, unique, through(key, "kms:Encrypt"))
    given = {"Name": name, "Type": "SecureString", "KeyId": key, "Overwrite": True}
    assert works(writer.put_parameter, Value="x", **given)
    assert not works(writer.put_parameter, Value="x" * 4097, Tier="Advanced", **given)


def test_ministack_gives_a_parameter_another_type(ministack: Bench, unique: str) -> None:
    _, name = kept(ministack, unique)
    ministack.client("ssm").put_parameter(Name=name, Value="x", Type="String", Overwrite=True)


def test_a_parameter_keeps_its_type(aws: Bench, unique: str) -> None:
    _, name = kept(aws, unique)
    ssm = aws.client("ssm")
    with pytest.raises(ssm.exceptions.HierarchyTypeMismatchException):
        ssm.put_parameter(Name=name, Value="x", Type="String", Overwrite=True)
    ssm.put_parameter(Name=name, Value="x", Overwrite=True)
