"""What requests are authorised on: the path of a parameter listing, and loopback as a secure transport."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError

from functions.core.model.arns import OF_AN_ACCOUNT

if TYPE_CHECKING:
    from tests.unit.local.gaps.bench import Bench

pytestmark = pytest.mark.embedded

PARAMETERS = "arn:aws:ssm:us-east-1:111122223333:parameter"


def session_of(bench: Any, name: str, statement: dict[str, Any]) -> Any:
    """A client session with a role that may do one thing."""
    user = bench.iam.create_user(UserName=name)["User"]["UserName"]
    policy = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]})
    bench.iam.put_user_policy(UserName=user, PolicyName="p", PolicyDocument=policy)
    key = bench.iam.create_access_key(UserName=user)["AccessKey"]
    return boto3.Session(
        aws_access_key_id=key["AccessKeyId"],
        aws_secret_access_key=key["SecretAccessKey"],
        region_name="us-east-1",
    )


def may_list(bench: Any, name: str, path: str) -> bool:
    """Whether someone who may list only `/apps` may list `path`."""
    session = session_of(bench, name, {"Action": "ssm:GetParametersByPath", "Resource": f"{PARAMETERS}/apps"})
    ssm = session.client("ssm", endpoint_url=bench.emulator.endpoint)
    try:
        ssm.get_parameters_by_path(Path=path)
    except ClientError:
        return False
    return True


def test_ministack_asks_for_every_resource(ministack: Bench, unique: str) -> None:
    assert not may_list(ministack, unique, "/apps")


def test_a_parameter_listing_is_authorised_on_its_path(aws: Bench, unique: str) -> None:
    assert may_list(aws, f"{unique}-1", "/apps")
    assert may_list(aws, f"{unique}-2", "/apps/")
    assert not may_list(aws, f"{unique}-3", "/secrets")


def may_log(bench: Any, name: str, behind: str) -> bool:
    """Whether someone may make a log stream of a group, with what stands behind its name in the resource."""
    bench.logs.create_log_group(logGroupName=f"/{name}")
    allowed = {"Action": "logs:CreateLogStream", "Resource": f"arn:aws:logs:*:*:log-group:/{name}{behind}"}
    logs = session_of(bench, name, allowed).client("logs", endpoint_url=bench.emulator.endpoint)
    try:
        logs.create_log_stream(logGroupName=f"/{name}", logStreamName="s")
    except ClientError as error:
        assert error.response["Error"]["Code"] == "AccessDeniedException"
        return False
    return True


def test_ministack_asks_for_the_log_group_alone(ministack: Bench, unique: str) -> None:
    assert not may_log(ministack, unique, ":*")


def test_what_is_done_with_a_log_group_is_authorised_on_its_streams(aws: Bench, unique: str) -> None:
    assert may_log(aws, f"{unique}-1"[-60:], ":*")
    assert not may_log(aws, f"{unique}-2"[-60:], "")
    assert not may_log(aws, f"{unique}-3"[-60:], "x:*")


def refuses_plain_http(bench: Any, name: str) -> bool:
    """Whether a bucket whose policy demands TLS refuses a client of this machine."""
    bucket = name.lower()[:50].strip("-")
    admin = bench.client("s3")
    admin.create_bucket(Bucket=bucket)
    admin.put_object(Bucket=bucket, Key="k", Body=b"x")
    deny = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": f"arn:aws:s3:::{bucket}/*",
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    admin.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [deny]}))
    session = session_of(bench, name, {"Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/*"})
    try:
        session.client("s3", endpoint_url=bench.emulator.endpoint).get_object(Bucket=bucket, Key="k")
    except ClientError as error:
        return error.response["Error"]["Code"] == "AccessDenied"
    return False


def test_ministack_takes_loopback_for_the_open_network(ministack: Bench, unique: str) -> None:
    assert refuses_plain_http(ministack, unique)


def test_loopback_is_a_secure_transport(aws: Bench, unique: str) -> None:
    assert not refuses_plain_http(aws, unique)


PROFILE = "global.anthropic.claude-sonnet-4-5-20250929-v1:0"


def may_converse(bench: Any, name: str, resource: str, model: str = PROFILE) -> bool:
    """Whether someone who may invoke one model may converse with this one."""
    session = session_of(bench, name, {"Action": "bedrock:InvokeModel", "Resource": resource})
    bedrock = session.client("bedrock-runtime", endpoint_url=bench.emulator.endpoint)
    try:
        bedrock.converse(modelId=model, messages=[{"role": "user", "content": [{"text": "hello"}]}])
    except ClientError as error:
        assert error.response["Error"]["Code"] == "AccessDeniedException"
        return False
    return True


def test_ministack_asks_for_an_action_that_iam_does_not_have(ministack: Bench, unique: str) -> None:
    assert not may_converse(ministack, unique, "*")


def test_conversing_needs_the_right_to_invoke_that_model(aws: Bench, unique: str) -> None:
    profiles = "arn:aws:bedrock:us-east-1:111122223333:inference-profile"
    assert may_converse(aws, f"{unique}-1", f"{profiles}/*")
    assert not may_converse(aws, f"{unique}-2", f"{profiles}/us.amazon.nova-pro-v1:0")
    assert not may_converse(aws, f"{unique}-3", "arn:aws:bedrock:*::foundation-model/*")


@pytest.mark.parametrize("kind", [*OF_AN_ACCOUNT])
def test_what_an_arn_leads_to_is_authorised_on_it(aws: Bench, unique: str, kind: str) -> None:
    own = "arn:aws:bedrock:us-east-1:111122223333"
    model = f"{own}:{kind}/abcdefghijkl"
    assert may_converse(aws, f"{unique}-1"[-60:], f"{own}:{kind}/*", model)
    assert not may_converse(aws, f"{unique}-2"[-60:], "arn:aws:bedrock:*::foundation-model/*", model)


def keys_that_a_session_reads(bench: Any, name: str, tags: dict[str, str]) -> list[str]:
    """Which of two objects, each in a folder of its own, a session with these tags may read, where the role's
    policy names the folder by a tag."""
    bucket = name.lower()[:50].strip("-")
    admin = bench.client("s3")
    admin.create_bucket(Bucket=bucket)
    for key in ("mine/k", "others/k"):
        admin.put_object(Bucket=bucket, Key=key, Body=b"x")
    role = bench.make_role(name, ["s3:GetObject"], f"arn:aws:s3:::{bucket}/${{aws:PrincipalTag/folder}}/*")
    trust = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": ["sts:AssumeRole", "sts:TagSession"]}
    bench.iam.update_assume_role_policy(
        RoleName=name, PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    )
    lent = bench.client("sts").assume_role(
        RoleArn=role, RoleSessionName="session", Tags=[{"Key": k, "Value": v} for k, v in tags.items()]
    )["Credentials"]
    session = boto3.Session(lent["AccessKeyId"], lent["SecretAccessKey"], lent["SessionToken"], "us-east-1")
    client = session.client("s3", endpoint_url=bench.emulator.endpoint)
    read = []
    for key in ("mine/k", "others/k"):
        try:
            client.get_object(Bucket=bucket, Key=key)
        except ClientError as error:
            assert error.response["Error"]["Code"] == "AccessDenied"
        else:
            read.append(key)
    return read


def test_ministack_takes_a_policys_variable_for_text(ministack: Bench, unique: str) -> None:
    assert keys_that_a_session_reads(ministack, unique, {"folder": "mine"}) == []


def test_a_policys_variable_is_the_sessions_tag(aws: Bench, unique: str) -> None:
    assert keys_that_a_session_reads(aws, f"{unique}-1", {"folder": "mine"}) == ["mine/k"]
    assert keys_that_a_session_reads(aws, f"{unique}-2", {}) == []


def opens(bench: Bench, name: str) -> list[bool]:
    """Whether who may decrypt only what is bound to an approval may decrypt that, what is bound to something
    else, and what is bound to nothing."""
    kms = bench.client("kms")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    bound = {"Null": {"kms:EncryptionContext:approval_id": "false"}}
    session = session_of(bench, name, {"Action": "kms:Decrypt", "Resource": key, "Condition": bound})
    client = session.client("kms", endpoint_url=bench.emulator.endpoint)
    found = []
    for context in ({"approval_id": "a-1"}, {"aws:s3:arn": "arn:aws:s3:::artifacts"}, {}):
        sealed = kms.encrypt(KeyId=key, Plaintext=b"x", EncryptionContext=context)["CiphertextBlob"]
        try:
            client.decrypt(CiphertextBlob=sealed, EncryptionContext=context)
        except ClientError as error:
            assert "AccessDenied" in error.response["Error"]["Code"]
            found.append(False)
        else:
            found.append(True)
    return found


def test_ministack_knows_no_encryption_context(ministack: Bench, unique: str) -> None:
    assert opens(ministack, unique) == [False] * 3


def test_what_a_ciphertext_is_bound_to_is_a_condition(aws: Bench, unique: str) -> None:
    assert opens(aws, unique) == [True, False, False]
