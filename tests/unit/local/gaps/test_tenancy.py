"""Functions with tenant isolation: who may invoke them, and what strangers' code reaches inside one."""

from __future__ import annotations

import json
import os
import secrets
import socket
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from infra.local.gaps.image import PYTHONS
from tests import strangers

if TYPE_CHECKING:
    from tests.unit.local.gaps.bench import Bench

pytestmark = pytest.mark.embedded

ISOLATED = {"TenancyConfig": {"TenantIsolationMode": "PER_TENANT"}}
WHO = """
import os
def handler(event, context):
    seen = os.path.exists("/tmp/left")
    open("/tmp/left", "w").close()
    return [context.tenant_id, context.log_stream_name, seen]
"""
# As the harness does: strangers' code in a process of its own, without this one's environment.
RUNS_STRANGERS = """
import subprocess, sys
def handler(event, context):
    command = [event.get("python", sys.executable), "-I", "-c", event["source"], event["given"]]
    run = subprocess.run(command, env={"PATH": "/usr/bin:/bin"}, cwd="/tmp", capture_output=True, text=True)
    return {"out": run.stdout, "err": run.stderr[-2000:]}
"""


def tenants_answer(aws: Bench, name: str, tenant: str, event: Any = None) -> Any:
    answer = aws.lambda_.invoke(FunctionName=name, TenantId=tenant, Payload=json.dumps(event))
    return json.load(answer["Payload"])


def test_ministack_invokes_an_isolated_function_without_a_tenant(ministack: Bench, unique: str) -> None:
    ministack.make_function(unique, "def handler(event, context):\n    return 1\n", **ISOLATED)
    assert ministack.invoke(unique)["payload"] == 1


def test_each_invocation_has_an_environment_that_nobody_else_had(aws: Bench, unique: str) -> None:
    aws.make_function(unique, WHO, **ISOLATED)
    answers = [tenants_answer(aws, unique, tenant) for tenant in ("blue", "green", "blue")]
    assert [answer[0] for answer in answers] == ["blue", "green", "blue"]
    assert len({answer[1] for answer in answers}) == 3
    assert not any(answer[2] for answer in answers)


@pytest.mark.parametrize(
    ("unique", "settings", "tenant", "message"),
    [
        ("isolated", ISOLATED, {}, "is enabled with tenancy configuration. Add a valid tenant ID"),
        (
            "ordinary",
            {},
            {"TenantId": "blue"},
            "is not enabled with tenancy configuration. Remove the tenant ID",
        ),
        ("misnamed", ISOLATED, {"TenantId": "no#good"}, "does not satisfy the pattern"),
    ],
)
def test_a_tenant_that_must_or_must_not_be_named_is_refused(
    aws: Bench, unique: str, settings: dict[str, Any], tenant: dict[str, str], message: str
) -> None:
    aws.make_function(unique, WHO, **settings)
    for kind in ("RequestResponse", "Event"):
        with pytest.raises(ClientError, match=message) as refused:
            aws.lambda_.invoke(FunctionName=unique, InvocationType=kind, **tenant)
        assert refused.value.response["Error"]["Code"] == "InvalidParameterValueException"


def test_a_service_that_names_no_tenant_fails(aws: Bench, unique: str) -> None:
    function = aws.make_function(unique, WHO, **ISOLATED)
    task = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "End": True}
    machine = aws.make_machine(unique, {"Call": task | {"Arguments": {"FunctionName": function}}})
    assert aws.finish(aws.start(machine))["status"] == "FAILED"


class Network:
    """A stack with an isolated function whose subnet reaches S3's gateway endpoint and nothing else, two
    objects that belong to two heals, and addresses that a role signed."""

    def __init__(self, aws: Bench, name: str) -> None:
        self.aws, self.name = aws, name
        self.bucket = f"{name}-runs"[:60].lower()
        self.s3 = aws.client("s3")
        self.s3.create_bucket(Bucket=self.bucket)
        self.s3.put_object(Bucket=self.bucket, Key="runs/mine/job.zip", Body=b"job")
        self.s3.put_object(Bucket=self.bucket, Key="runs/other/job.zip", Body=b"secret")
        self.s3.put_object(Bucket=self.bucket, Key="jobs/mine", Body=b"outside of runs/")
        aws.make_function(f"{name}-code", RUNS_STRANGERS)
        self._deploy()
        trust = aws.client("sts").assume_role(
            RoleArn=aws.make_role(f"{name}-signer"[:60], ["s3:*"]), RoleSessionName="dispatcher"
        )["Credentials"]
        self.signer = boto3.client(
            "s3",
            aws_access_key_id=trust["AccessKeyId"],
            aws_secret_access_key=trust["SecretAccessKey"],
            aws_session_token=trust["SessionToken"],
            endpoint_url=aws.emulator.endpoint,
            region_name="us-east-1",
            config=Config(signature_version="s3v4", s3={"addressing_style": "path"}),
        )

    def _deploy(self) -> None:
        policy = {
            "Effect": "Allow",
            "Principal": "*",
            "Action": ["s3:GetObject", "s3:PutObject"],
            "Resource": f"arn:aws:s3:::{self.bucket}/runs/*",
        }
        resources = {
            "Vpc": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.9.0.0/16"}},
            "Subnet": {
                "Type": "AWS::EC2::Subnet",
                "Properties": {"VpcId": {"Ref": "Vpc"}, "CidrBlock": "10.9.0.0/24"},
            },
            "Table": {"Type": "AWS::EC2::RouteTable", "Properties": {"VpcId": {"Ref": "Vpc"}}},
            "Route": {
                "Type": "AWS::EC2::SubnetRouteTableAssociation",
                "Properties": {"RouteTableId": {"Ref": "Table"}, "SubnetId": {"Ref": "Subnet"}},
            },
            "Endpoint": {
                "Type": "AWS::EC2::VPCEndpoint",
                "Properties": {
                    "VpcId": {"Ref": "Vpc"},
                    "ServiceName": {"Fn::Join": ["", ["com.amazonaws.", {"Ref": "AWS::Region"}, ".s3"]]},
                    "VpcEndpointType": "Gateway",
                    "RouteTableIds": [{"Ref": "Table"}],
                    "PolicyDocument": {"Version": "2012-10-17", "Statement": [policy]},
                },
            },
            "Function": {
                "Type": "AWS::Lambda::Function",
                "Properties": {
                    "FunctionName": self.name,
                    "Runtime": "python3.11",
                    "Handler": "index.handler",
                    "Role": self.aws.role,
                    "Timeout": 120,
                    "Code": {"ZipFile": RUNS_STRANGERS},
                    "VpcConfig": {"SubnetIds": [{"Ref": "Subnet"}], "SecurityGroupIds": []},
                    **ISOLATED,
                },
            },
        }
        stacks = self.aws.client("cloudformation")
        stacks.create_stack(StackName=self.name, TemplateBody=json.dumps({"Resources": resources}))
        status = self.aws.wait_for(
            lambda: (
                (s := stacks.describe_stacks(StackName=self.name)["Stacks"][0]["StackStatus"])
                != "CREATE_IN_PROGRESS"
                and s
            )
        )
        assert status == "CREATE_COMPLETE", stacks.describe_stack_events(StackName=self.name)["StackEvents"]

    def address(self, action: str, key: str, seconds: int = 600) -> str:
        """What is asked for of an address that the role presigned: path and query."""
        url: str = self.signer.generate_presigned_url(
            action, Params={"Bucket": self.bucket, "Key": key}, ExpiresIn=seconds
        )
        return url.removeprefix(self.aws.emulator.endpoint)

    def run(self, source: str, given: dict[str, Any], python: str = "") -> Any:
        """What a program of strangers inside prints as JSON."""
        event = {"source": source, "given": json.dumps(given)} | ({"python": python} if python else {})
        answer = tenants_answer(self.aws, self.name, secrets.token_hex(8), event)
        assert answer.get("out"), answer
        return json.loads(answer["out"])

    def ask(self, method: str, target: str, body: str = "", **headers: str) -> list[Any]:
        """Status and body of a request from inside."""
        source = """
import http.client, json, sys
given = json.loads(sys.argv[1])
connection = http.client.HTTPConnection(given["host"], timeout=20)
connection.request(given["method"], given["target"], given["body"].encode() or None, given["headers"])
answer = connection.getresponse()
print(json.dumps([answer.status, answer.read().decode()]))
"""
        host = self.aws.emulator.endpoint.removeprefix("http://")
        given = {"host": host, "method": method, "target": target, "body": body, "headers": headers}
        answer: list[Any] = self.run(source, given)
        return answer


@pytest.fixture(scope="module")
def network(aws: Bench) -> Network:
    return Network(aws, "isolated-in-a-subnet")


def test_ministack_does_not_verify_presigned_addresses(ministack: Bench) -> None:
    s3 = ministack.client("s3")
    s3.create_bucket(Bucket="presigned")
    s3.put_object(Bucket="presigned", Key="a", Body=b"a")
    url = s3.generate_presigned_url("get_object", Params={"Bucket": "presigned", "Key": "a"})
    forged = url.replace("Signature=", "Signature=0")
    with urllib.request.urlopen(forged) as answer:
        assert answer.read() == b"a"


def test_a_job_is_fetched_and_a_report_handed_back_by_presigned_addresses(network: Network) -> None:
    assert network.ask("GET", network.address("get_object", "runs/mine/job.zip")) == [200, "job"]
    assert network.ask("PUT", network.address("put_object", "runs/mine/report"), "report")[0] == 200
    stored = network.s3.get_object(Bucket=network.bucket, Key="runs/mine/report")["Body"].read()
    assert stored == b"report"


@pytest.mark.parametrize(
    ("action", "key", "method", "change", "headers"),
    [
        ("get_object", "jobs/mine", "GET", ("", ""), {}),  # not below what the endpoint's policy allows
        ("get_object", "runs/mine/job.zip", "GET", ("mine", "other"), {}),
        ("get_object", "runs/mine/job.zip", "PUT", ("", ""), {}),
        ("get_object", "runs/mine/job.zip", "GET", ("X-Amz-Expires=600", "X-Amz-Expires=900"), {}),
        ("get_object", "runs/mine/job.zip", "GET", ("X-Amz-Signature=", "X-Amz-Signature=0"), {}),
        ("get_object", "runs/mine/job.zip", "GET", ("?", "?acl&"), {}),
        ("get_object", "runs/mine/job.zip", "GET", ("job.zip?", "../other/job.zip?"), {}),
        ("get_object", "runs/mine/job.zip", "GET", ("", ""), {"Host": "127.0.0.1:1"}),
        ("delete_object", "runs/mine/job.zip", "DELETE", ("", ""), {}),
        ("list_objects_v2", "", "GET", ("", ""), {}),
        ("put_object", "runs/mine/x", "PUT", ("", ""), {"x-amz-copy-source": "/b/runs/other/job.zip"}),
        ("put_object", "runs/mine/x", "PUT", ("", ""), {"x-amz-acl": "public-read"}),
    ],
)
def test_whatever_else_is_denied(
    network: Network, action: str, key: str, method: str, change: tuple[str, str], headers: dict[str, str]
) -> None:
    if action == "list_objects_v2":
        target = network.signer.generate_presigned_url(action, Params={"Bucket": network.bucket})
        target = target.removeprefix(network.aws.emulator.endpoint)
    else:
        target = network.address(action, key)
    assert change[0] in target
    assert network.ask(method, target.replace(*change, 1), **headers)[0] in {400, 403, 501}


def test_an_address_that_has_expired_is_denied(network: Network) -> None:
    old = network.address("get_object", "runs/mine/job.zip", seconds=-1)
    assert "expired" in network.ask("GET", old)[1]


@pytest.fixture
def outside(network: Network, tmp_path: Path) -> Iterator[dict[str, Any]]:
    """Things outside that an attempt could reach, were there no wall."""
    (tmp_path / "canary").write_text("secret")
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.socket(socket.AF_UNIX) as abstract,
        socket.socket(socket.AF_UNIX) as named,
    ):
        abstract.bind(f"\0self-heal-{os.getpid()}")
        abstract.listen()
        named.bind(str(tmp_path / "socket"))
        named.listen()
        yield {
            "file": str(tmp_path / "canary"),
            "port": listener.getsockname()[1],
            "abstract": f"self-heal-{os.getpid()}",
            "socket": str(tmp_path / "socket"),
            "pid": os.getpid(),
            "shared": 0x5E1F,
            "gateway": network.aws.emulator.endpoint.removeprefix("http://"),
            "bucket": network.bucket,
            "key": "runs/mine/job.zip",
            "other_key": "runs/other/job.zip",
            "address": network.address("get_object", "runs/mine/job.zip"),
            "put_address": network.address("put_object", "runs/mine/report"),
        }


def test_strangers_in_an_isolated_function_reach_nothing(network: Network, outside: dict[str, Any]) -> None:
    source = Path(strangers.__file__).read_text()
    for _ in range(2):  # The second finds nothing of the first.
        found = network.run(source, outside)
        assert len(found) >= 50
        assert {name: got for name, got in found.items() if got} == {}


def test_interpreters_lie_where_the_image_has_them_and_are_closed(network: Network) -> None:
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    python = f"{PYTHONS}/{version}/bin/python{version}"
    source = """
import json, os, sys
def readable(path):
    try:
        open(path, "rb").close()
    except OSError:
        return False
    return True
parent = f"/proc/{os.getppid()}/environ"
print(json.dumps([sys.version_info[:2], sys.prefix, readable(sys.executable), readable(parent)]))
"""
    seen = network.run(source, {}, python)
    assert seen == [list(sys.version_info[:2]), f"{PYTHONS}/{version}", False, False]
