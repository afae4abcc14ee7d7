"""What `configure` says of an app's models, from what Bedrock answers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast

import boto3
import pytest
from botocore.stub import Stubber

from functions.core.apps.app import App
from infra.model_check import notes_on_models
from infra.target import Target

MODEL = "eu.anthropic.claude-sonnet-5-5"
BEHIND = "anthropic.claude-sonnet-5-5"
OWN = "arn:aws:bedrock:eu-west-1:123456789012"
APP = App("orders", ("/aws/lambda/orders",), "https://github.com/acme/orders.git")


@dataclass
class Account:
    """Bedrock's control plane in eu-west-1; botocore holds what it is asked and answers to the API's
    shapes."""

    client: Any = field(default_factory=lambda: boto3.client("bedrock", region_name="eu-west-1"))
    region_name: str = "eu-west-1"

    def __post_init__(self) -> None:
        self.stub = Stubber(self.client)
        self.stub.activate()

    def client_of(self, name: str, region_name: str) -> Any:
        assert (name, region_name) == ("bedrock", "eu-west-1")
        return self.client

    def has(
        self,
        model: str = MODEL,
        behind: str = BEHIND,
        *,
        lifecycle: dict[str, Any] | None = None,
        agreement: str = "AVAILABLE",
        entitled: str = "AVAILABLE",
        region: str = "AVAILABLE",
        form: bool = True,
    ) -> None:
        arn = f"arn:aws:bedrock:eu-west-1::foundation-model/{behind}"
        if model != behind:
            profile = {
                "inferenceProfileName": "EU",
                "inferenceProfileArn": f"{OWN}:inference-profile/{model.rpartition('/')[2]}",
                "models": [{"modelArn": arn}],
                "inferenceProfileId": model.rpartition("/")[2],
                "status": "ACTIVE",
                "type": "SYSTEM_DEFINED",
            }
            asked = {"inferenceProfileIdentifier": model}
            self.stub.add_response("get_inference_profile", profile, asked)
        details = {"modelArn": arn, "modelId": behind, "modelLifecycle": lifecycle or {"status": "ACTIVE"}}
        self.stub.add_response("get_foundation_model", {"modelDetails": details}, {"modelIdentifier": behind})
        found = {
            "modelId": behind,
            "agreementAvailability": {"status": agreement},
            "authorizationStatus": "AUTHORIZED",
            "entitlementAvailability": entitled,
            "regionAvailability": region,
        }
        self.stub.add_response("get_foundation_model_availability", found, {"modelId": behind})
        if form:
            self.stub.add_response("get_use_case_for_model_access", {"formData": b"{}"}, {})
        else:
            self.stub.add_client_error("get_use_case_for_model_access", "ResourceNotFoundException")


@pytest.fixture
def account(aws: None) -> Iterator[Account]:
    account = Account()
    yield account
    account.stub.assert_no_pending_responses()


def notes(account: Account, app: App = APP) -> list[str]:
    class Session:
        region_name = account.region_name
        client = staticmethod(account.client_of)

    return notes_on_models(Target(cast("Any", Session()), {}), app)


def test_where_all_is_well_nothing_is_said(account: Account) -> None:
    account.has()
    assert notes(account) == []


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (
            {"lifecycle": {"status": "LEGACY", "endOfLifeTime": datetime(2027, 3, 1, tzinfo=UTC)}},
            "is LEGACY, and ends on 2027-03-01",
        ),
        ({"agreement": "NOT_AVAILABLE"}, "is not enabled in this account"),
        ({"entitled": "NOT_AVAILABLE"}, "is not enabled in this account"),
        ({"region": "NOT_AVAILABLE"}, "is not in eu-west-1"),
        ({"form": False, "agreement": "NOT_AVAILABLE"}, "use-case form is missing"),
    ],
)
def test_what_is_wrong_is_said_with_what_to_do(account: Account, found: dict[str, Any], said: str) -> None:
    account.has(**found)
    (note,) = notes(account)
    assert note.startswith(MODEL)
    assert said in note


def test_every_model_of_the_app_is_looked_at(account: Account) -> None:
    app = App(
        "orders",
        APP.log_groups,
        APP.repository,
        model="global.anthropic.claude-opus-5",
        fallback_models=("eu.anthropic.claude-sonnet-9",),
        review_model="us.amazon.nova-pro-v1:0",
    )
    account.has("global.anthropic.claude-opus-5", "anthropic.claude-opus-5")
    account.stub.add_client_error("get_inference_profile", "ResourceNotFoundException")
    account.stub.add_client_error("get_inference_profile", "AccessDeniedException")
    assert [note.split("; ")[0] for note in notes(account, app)] == [
        "global.anthropic.claude-opus-5: a global profile sends code to any region of the world",
        "eu.anthropic.claude-sonnet-9: its price is not known, so each call counts as one of the dearest"
        " model's",
        "eu.anthropic.claude-sonnet-9: there is no such model in eu-west-1",
        "us.amazon.nova-pro-v1:0: could not be checked (AccessDeniedException)",
    ]


def test_an_app_that_brings_a_price_is_believed(account: Account) -> None:
    arn = "arn:aws:bedrock:eu-west-1:123456789012:application-inference-profile/abc"
    app = App("orders", APP.log_groups, APP.repository, model=arn, prices={arn: (1.0, 4.0)})
    account.has(arn, BEHIND)
    assert notes(account, app) == []


NOVA = "arn:aws:bedrock:eu-west-1::foundation-model/amazon.nova-pro-v1:0"
THEN = datetime(2026, 1, 1, tzinfo=UTC)
LEGACY = {"status": "LEGACY"}


def throughput(status: str) -> dict[str, Any]:
    arn = f"{OWN}:provisioned-model/abcdefghijkl"
    models = dict.fromkeys(("modelArn", "desiredModelArn", "foundationModelArn"), NOVA)
    named = {"provisionedModelArn": arn, "provisionedModelName": "p", "status": status}
    return (
        named
        | models
        | {"modelUnits": 1, "desiredModelUnits": 1, "creationTime": THEN, "lastModifiedTime": THEN}
    )


def deployment(status: str) -> dict[str, Any]:
    named = {"customModelDeploymentArn": f"{OWN}:custom-model-deployment/abcdefghijkl"}
    model = f"{OWN}:custom-model/amazon.nova-pro-v1:0/abcdefghijkl"
    return named | {"modelDeploymentName": "d", "modelArn": model, "createdAt": THEN, "status": status}


@pytest.mark.parametrize(
    ("kind", "call", "found", "said"),
    [
        ("provisioned-model", "get_provisioned_model_throughput", throughput("InService"), ["is LEGACY"]),
        (
            "provisioned-model",
            "get_provisioned_model_throughput",
            throughput("Creating"),
            ["the provisioned model is Creating", "is LEGACY"],
        ),
        ("custom-model-deployment", "get_custom_model_deployment", deployment("Active"), []),
        (
            "custom-model-deployment",
            "get_custom_model_deployment",
            deployment("Failed"),
            ["the custom model deployment is Failed"],
        ),
        (
            "imported-model",
            "get_imported_model",
            {"instructSupported": True, "modelArchitecture": "llama"},
            ["(architecture llama) has to take tools"],
        ),
        ("imported-model", "get_imported_model", {"instructSupported": False}, ["follows no instructions"]),
    ],
)
def test_what_an_arn_leads_to_is_looked_at(
    account: Account, kind: str, call: str, found: dict[str, Any], said: list[str]
) -> None:
    arn = f"{OWN}:{kind}/abcdefghijkl"
    account.stub.add_response(call, found)
    if kind == "provisioned-model":
        details = {"modelArn": NOVA, "modelId": "amazon.nova-pro-v1:0", "modelLifecycle": LEGACY}
        account.stub.add_response("get_foundation_model", {"modelDetails": details})
    app = App("orders", APP.log_groups, APP.repository, model=arn, prices={arn: (0.0, 0.0)})
    told = notes(account, app)
    assert [note.startswith(arn) for note in told] == [True] * len(said)
    assert [part in note for part, note in zip(said, told, strict=True)] == [True] * len(said)


@pytest.mark.parametrize("kind", ["prompt-router", "default-prompt-router"])
def test_a_router_s_models_are_looked_at(account: Account, kind: str) -> None:
    arn = f"{OWN}:{kind}/anthropic.claude:1"
    profile = f"{OWN}:inference-profile/{MODEL}"
    router = {
        "promptRouterName": "r",
        "routingCriteria": {"responseQualityDifference": 0.1},
        "promptRouterArn": f"{OWN}:default-prompt-router/anthropic.claude:1",
        "models": [{"modelArn": profile}],
        "fallbackModel": {"modelArn": profile},
        "status": "AVAILABLE",
        "type": "default",
    }
    account.stub.add_response("get_prompt_router", router)
    account.has(profile, BEHIND, lifecycle=LEGACY)
    app = App("orders", APP.log_groups, APP.repository, model=arn, prices={arn: (1.0, 4.0)})
    (note,) = notes(account, app)
    assert note.startswith(f"{profile}: is LEGACY")


def test_what_is_paid_for_by_the_hour_may_be_left_out_of_the_budget(account: Account) -> None:
    arn = f"{OWN}:provisioned-model/abcdefghijkl"
    account.stub.add_client_error("get_provisioned_model_throughput", "ResourceNotFoundException")
    price, missing = notes(account, App("orders", APP.log_groups, APP.repository, model=arn))
    assert price.endswith("[0, 0] to leave out of the budget what is paid for by the hour")
    assert "there is no such model in eu-west-1" in missing


def test_an_arn_of_another_region_is_told(account: Account) -> None:
    arn = "arn:aws:bedrock:us-east-1:123456789012:provisioned-model/abcdefghijkl"
    app = App("orders", APP.log_groups, APP.repository, model=arn, prices={arn: (0.0, 0.0)})
    assert notes(account, app) == [
        f"{arn}: is in us-east-1, and Bedrock is asked in eu-west-1: set 'model_region'"
    ]


def test_a_region_without_a_default_model_must_be_told_one(account: Account) -> None:
    account.region_name = "sa-east-1"
    (note,) = notes(account)
    assert "sa-east-1 has no default model" in note
