"""The synthesised stack as data, with its references resolved to what a deployment would make of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from infra.local.gaps.authorization import substituted
from infra.synth import synthesise
from tests.fakes.edge import WITH_SIGN_IN

PSEUDO = {
    "AWS::AccountId": "111122223333",
    "AWS::Partition": "aws",
    "AWS::Region": "eu-central-1",
    "AWS::StackName": "SelfHealingCode",
    "AWS::URLSuffix": "amazonaws.com",
}
HERE = "eu-central-1:111122223333"
# Ref of a resource type; {0} is its physical name. Types without an entry answer their name.
REFS = {
    "AWS::Lambda::Alias": "arn:aws:lambda:" + HERE + ":function:{0}:live",
    "AWS::SNS::Topic": "arn:aws:sns:" + HERE + ":{0}",
    "AWS::StepFunctions::StateMachine": "arn:aws:states:" + HERE + ":stateMachine:{0}",
    "AWS::SQS::Queue": "https://sqs.eu-central-1.amazonaws.com/111122223333/{0}",
}
ARNS = {
    "AWS::CloudWatch::Alarm": "arn:aws:cloudwatch:" + HERE + ":alarm:{0}",
    "AWS::CloudWatch::CompositeAlarm": "arn:aws:cloudwatch:" + HERE + ":alarm:{0}",
    "AWS::DynamoDB::Table": "arn:aws:dynamodb:" + HERE + ":table/{0}",
    "AWS::Events::EventBus": "arn:aws:events:" + HERE + ":event-bus/{0}",
    "AWS::Events::Rule": "arn:aws:events:" + HERE + ":rule/{0}",
    "AWS::IAM::Role": "arn:aws:iam::111122223333:role/{0}",
    "AWS::KMS::Key": "arn:aws:kms:" + HERE + ":key/{0}",
    "AWS::Lambda::Function": "arn:aws:lambda:" + HERE + ":function:{0}",
    "AWS::Logs::LogGroup": "arn:aws:logs:" + HERE + ":log-group:{0}:*",
    "AWS::S3::Bucket": "arn:aws:s3:::{0}",
    "AWS::SQS::Queue": "arn:aws:sqs:" + HERE + ":{0}",
}
# An alias answers to its function's name first.
NAMES = ("AlarmName", "FunctionName", "LogGroupName", "StateMachineName", "DashboardName", "Name")


@dataclass(frozen=True)
class Statement:
    """One action on one resource, as a policy spells it."""

    effect: str
    action: str
    resource: str
    conditions: str
    """As JSON; "{}" for none."""


class Template:
    """A CloudFormation template. Values are resolved; resources keep their logical ids."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.raw: dict[str, Any] = json.loads(path.read_text())
        resources = self.raw["Resources"]
        self.resources: dict[str, dict[str, Any]] = {
            logical_id: {**resource, "Properties": self._resolve(resource.get("Properties", {}))}
            for logical_id, resource in resources.items()
        }

    def of_type(self, kind: str) -> dict[str, dict[str, Any]]:
        """Logical id → resolved properties."""
        return {
            logical_id: resource["Properties"]
            for logical_id, resource in self.resources.items()
            if resource["Type"] == kind
        }

    def function(self, folder: str) -> dict[str, Any]:
        (found,) = self._functions(folder)
        return found

    def has(self, folder: str) -> bool:
        """Whether this stack has that function."""
        return bool(self._functions(folder))

    def _functions(self, folder: str) -> list[dict[str, Any]]:
        name = "self-heal-" + folder.replace("_", "-")
        return [f for f in self.of_type("AWS::Lambda::Function").values() if f["FunctionName"] == name]

    def arn(self, id_part: str, kind: str) -> str:
        """ARN of the only resource of this type whose logical id contains `id_part`."""
        (logical_id,) = [
            logical_id
            for logical_id, resource in self.raw["Resources"].items()
            if resource["Type"] == kind and id_part in logical_id
        ]
        return str(self._get({"Fn::GetAtt": [logical_id, "Arn"]}))

    def role_of(self, folder: str) -> str:
        return str(self.function(folder)["Role"])

    def artifacts_role_of(self, folder: str) -> str:
        """What a step takes on to use the artifacts of its heal."""
        return str(self.function(folder)["Environment"]["Variables"]["ARTIFACTS_ROLE_ARN"])

    def granted(self, role_arn: str) -> set[Statement]:
        """Everything that the policies of a role say, one action and one resource at a time."""
        role = role_arn.rsplit("/", 1)[1]
        return {
            Statement(
                statement["Effect"],
                action,
                resource,
                json.dumps(statement.get("Condition", {}), sort_keys=True),
            )
            for statement in self.documents(role)
            for action in as_list(statement["Action"])
            for resource in as_list(statement["Resource"])
        }

    def documents(self, role: str) -> Iterator[dict[str, Any]]:
        for policy in self.of_type("AWS::IAM::Policy").values():
            if role in policy["Roles"]:
                yield from policy["PolicyDocument"]["Statement"]

    def _name(self, logical_id: str) -> str:
        raw = self.raw["Resources"][logical_id].get("Properties", {})
        found = (raw[key] for key in NAMES if key in raw)
        return str(self._resolve(next(found, logical_id)))

    def _resolve(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._resolve(inner) for inner in value]
        if not isinstance(value, dict):
            return value
        if len(value) == 1 and next(iter(value)) in ("Ref", "Fn::GetAtt", "Fn::Join", "Fn::Select"):
            return self._get(value)
        return {key: self._resolve(inner) for key, inner in value.items()}

    def _get(self, value: Mapping[str, Any]) -> Any:
        match value:
            case {"Ref": name} if name in PSEUDO:
                return PSEUDO[name]
            case {"Ref": name}:
                return REFS.get(self.raw["Resources"][name]["Type"], "{0}").format(self._name(name))
            case {"Fn::GetAtt": [name, "Arn"]}:
                return ARNS[self.raw["Resources"][name]["Type"]].format(self._name(name))
            case {"Fn::GetAtt": [name, "StreamArn"]}:
                return ARNS["AWS::DynamoDB::Table"].format(name) + "/stream/2026"
            case {"Fn::GetAtt": [name, attribute]}:
                return f"{name}.{attribute}"
            case {"Fn::Join": [separator, parts]}:
                return separator.join(str(self._resolve(part)) for part in parts)
            case _:
                return json.dumps(value)


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


@pytest.fixture(scope="session")
def listed() -> Callable[[Any], list[Any]]:
    """A policy element as a list, whether it was written as one or not."""
    return as_list


@pytest.fixture(scope="session")
def image_template() -> Template:
    """The stack as it is deployed to AWS."""
    return Template(synthesise() / "SelfHealingCode.template.json")


@pytest.fixture(scope="session")
def zip_template() -> Template:
    """The stack as the embedded run deploys it."""
    return Template(synthesise(packaging="zip") / "SelfHealingCode.template.json")


@pytest.fixture(scope="session")
def signed_in_template() -> Template:
    """The stack with sign-in, as the embedded run deploys it."""
    return Template(synthesise(packaging="zip", context=WITH_SIGN_IN) / "SelfHealingCode.template.json")


@pytest.fixture(scope="session")
def running_template() -> Template:
    """The stack with every other place where things run: a CodeBuild project of its own, MicroVMs, and a VPC
    for what speaks to the forge."""
    account = "eu-central-1:111122223333"
    image = f"arn:aws:lambda:{account}:microvm-image:self-heal-runner"
    context = {
        "build_image": "aws/codebuild/standard:7.0",
        "microvm": f"{image},arn:aws:lambda:{account}:network-connector:isolated",
        "forge_vpc": "vpc-0a1b2c3d,subnet-0a1b2c3d,subnet-1a1b2c3d",
    }
    return Template(synthesise(context=context) / "SelfHealingCode.template.json")


Decide = Callable[..., str]


@pytest.fixture(scope="session")
def decide() -> Decide:
    """What IAM decides, by the embedded AWS's policy evaluator: "Allow", "Deny" or "ImplicitDeny"."""
    iam: Any = import_module("ministack.core.iam_evaluator")

    def run(
        template: Template,
        role_arn: str,
        action: str,
        resource: str,
        tags: Mapping[str, str] | None = None,
        **context: str,
    ) -> str:
        """tags: of the session; context: `kms_ViaService` stands for `kms:ViaService`."""
        role = role_arn.rsplit("/", 1)[1]
        policy = {"Version": "2012-10-17", "Statement": list(template.documents(role))}
        request = iam.EvalContext(
            principal_arn=role_arn,
            principal_type="AssumedRole",
            principal_account=PSEUDO["AWS::AccountId"],
            action=action,
            resource_arn=resource,
            region=PSEUDO["AWS::Region"],
            service_context={key.replace("_", ":").lower(): value for key, value in context.items()},
            principal_keys={f"aws:principaltag/{key}": value for key, value in (tags or {}).items()},
        )
        statements = [substituted(each, request, iam) for each in iam.parse_policy_document(policy)]
        return str(iam.evaluate(request, [statements]).decision)

    return run


@pytest.fixture(scope="session")
def template_with() -> Callable[..., Template]:
    """The stack with these options, as the embedded run deploys it."""

    def made(**context: str) -> Template:
        return Template(synthesise(packaging="zip", context=context) / "SelfHealingCode.template.json")

    return made


@pytest.fixture(scope="session")
def whole_template(template_with: Callable[..., Template]) -> Template:
    """A stack that subscribes to everything, and has every function that a deployment may have."""
    return template_with(
        subscribe="account",
        build_image="aws/codebuild/standard:7.0",
        sign_in="https://issuer.example,client",
        canary="canary",
    )


@pytest.fixture(scope="session")
def beta_template() -> Template:
    """A second deployment in the same account, with a budget."""
    stack = "SelfHealingCode-beta.template.json"
    return Template(synthesise(packaging="zip", context={"stage": "beta", "budget_usd": "100"}) / stack)
