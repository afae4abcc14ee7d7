"""What Bedrock, or a server of the app's own, says of its models when the app is registered: whether they can
be asked, and at what price."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from functions.core.apps.app import App
from functions.core.model.arns import read_arn
from functions.core.model.chat import ChatRefused
from functions.core.model.models import foundation_model, geography_of
from functions.core.model.prices import Prices
from functions.core.model.server import ChatServer
from functions.core.workflow.errors import ModelNotFound, PermanentError
from infra.target import Target

_HIDDEN = "Bedrock hides legacy models from accounts that have not used them lately"


def notes_on_models(target: Target, app: App) -> list[str]:
    """One sentence per thing to know or to mend, the app's own model first; none when all is well.

    Only reads, and only says: what may not be read, for lack of rights or of a connection, is said, too.
    """
    if app.model_url:
        return list(_of_server(target, app))
    # The embedded run has one model, whatever it is called.
    return [] if target.local else _of_bedrock(target.session, app)


def _of_server(target: Target, app: App) -> Iterator[str]:
    asked = dict.fromkeys(filter(None, (app.model, *app.fallback_models, app.review_model)))
    for model in asked:
        yield from _price(app, model)
    try:
        server = ChatServer(app.model_url, target.registry.model_key(app), app.certificate_authority)
        served = server.models()
    except PermanentError as error:
        yield str(error)
    except ChatRefused as refusal:
        # Not every server lists its models, and one in a network of the functions' own cannot be reached from
        # here.
        yield f"could not be asked for its models: {refusal}"
    else:
        for model in asked:
            if model not in served:
                yield f"{model}: {app.model_url} has {', '.join(served[:5]) or 'no models'}, not this one"


def _of_bedrock(session: Any, app: App) -> list[str]:
    region = app.model_region or session.region_name or ""
    try:
        own = app.model_in(region)
    except ModelNotFound as error:
        return [str(error)]
    bedrock = session.client("bedrock", region_name=region)
    asked = dict.fromkeys(filter(None, (own, *app.fallback_models, app.review_model)))
    return [note for model in asked for note in _notes(bedrock, app, region, model)]


def _notes(bedrock: Any, app: App, region: str, model: str) -> Iterator[str]:
    yield from _price(app, model)
    if (arn := read_arn(model)) and arn.region not in ("", region):
        yield f"{model}: is in {arn.region}, and Bedrock is asked in {region}: set 'model_region'"
        return
    if geography_of(model) == "global":
        yield f"{model}: a global profile sends code to any region of the world; your geography's does not"
    try:
        yield from _available(bedrock, region, model)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code in ("ValidationException", "ResourceNotFoundException"):
            yield f"{model}: there is no such model in {region}; check 'model' and 'model_region'"
        else:
            yield f"{model}: could not be checked ({code}); this needs bedrock:Get* and bedrock:List*"
    except BotoCoreError as error:
        yield f"{model}: could not be checked ({type(error).__name__})"


def _price(app: App, model: str) -> Iterator[str]:
    if not Prices(app.prices).known(model):
        yield (
            f"{model}: its price is not known, so each call counts as one of the dearest model's; give it as"
            f" 'prices': {{\"{model}\": [USD per million tokens in, out]}}{_by_the_hour(model)}"
        )


def _by_the_hour(model: str) -> str:
    arn = read_arn(model)
    hourly = arn and arn.kind in ("provisioned-model", "imported-model")
    return ", [0, 0] to leave out of the budget what is paid for by the hour" if hourly else ""


# How each kind is looked up: the call, its parameter, and the status of one that answers.
_LOOK_UP = {
    "provisioned-model": ("get_provisioned_model_throughput", "provisionedModelId", "InService"),
    "custom-model-deployment": (
        "get_custom_model_deployment",
        "customModelDeploymentIdentifier",
        "Active",
    ),
    "imported-model": ("get_imported_model", "modelIdentifier", ""),
    "prompt-router": ("get_prompt_router", "promptRouterArn", "AVAILABLE"),
    "default-prompt-router": ("get_prompt_router", "promptRouterArn", "AVAILABLE"),
    "inference-profile": ("get_inference_profile", "inferenceProfileIdentifier", "ACTIVE"),
    "application-inference-profile": ("get_inference_profile", "inferenceProfileIdentifier", "ACTIVE"),
}


def _available(bedrock: Any, region: str, model: str) -> Iterator[str]:
    arn = read_arn(model)
    kind = arn.kind if arn else "inference-profile" if geography_of(model) else ""
    if kind not in _LOOK_UP:
        yield from _served(bedrock, region, model, foundation_model(model).rpartition("/")[2])
        return
    call, parameter, good = _LOOK_UP[kind]
    found = getattr(bedrock, call)(**{parameter: model})
    if good and found["status"] != good:
        yield f"{model}: the {kind.replace('-', ' ')} is {found['status']}"
    if kind == "imported-model":
        yield from _imported(model, found)
    elif kind == "provisioned-model":
        yield from _lifecycle(bedrock, model, found["foundationModelArn"].rpartition("/")[2])
    elif kind.endswith("router"):
        for routed in found["models"]:
            yield from _available(bedrock, region, routed["modelArn"])
    elif kind.endswith("profile"):
        yield from _served(bedrock, region, model, found["models"][0]["modelArn"].rpartition("/")[2])


def _imported(model: str, found: dict[str, Any]) -> Iterator[str]:
    """https://docs.aws.amazon.com/bedrock/latest/userguide/invoke-imported-model.html"""
    if not found.get("instructSupported", True):
        yield f"{model}: the imported model follows no instructions: import one that was tuned to"
    else:
        architecture = found.get("modelArchitecture", "unknown")
        yield (
            f"{model}: an imported model (architecture {architecture}) has to take tools in Converse, which"
            " not all do, and Bedrock does not tell: name 'fallback_models' beside it"
        )


def _lifecycle(bedrock: Any, model: str, behind: str) -> Iterator[str]:
    details = bedrock.get_foundation_model(modelIdentifier=behind)["modelDetails"]
    lifecycle = details.get("modelLifecycle", {})
    if lifecycle.get("status") == "LEGACY":
        end = lifecycle.get("endOfLifeTime")
        until = f", and ends on {end:%Y-%m-%d}" if end else ""
        yield f"{model}: is LEGACY{until}; {_HIDDEN}: choose a current one"


def _served(bedrock: Any, region: str, model: str, behind: str) -> Iterator[str]:
    """What is said of a foundation model that is asked on demand."""
    yield from _lifecycle(bedrock, model, behind)
    found = bedrock.get_foundation_model_availability(modelId=behind)
    if found["regionAvailability"] != "AVAILABLE":
        yield f"{model}: is not in {region}"
    form = _form_is_missing(bedrock, behind)
    if form:
        yield f"{model}: the maker's use-case form is missing; submit it once in Bedrock's model catalog"
    elif found["agreementAvailability"]["status"] != "AVAILABLE" or (
        found["authorizationStatus"] != "AUTHORIZED" or found["entitlementAvailability"] != "AVAILABLE"
    ):
        yield f"{model}: is not enabled in this account; enable it in Bedrock's model catalog"


def _form_is_missing(bedrock: Any, model: str) -> bool:
    """Anthropic's models need a form, once per account."""
    if not model.startswith("anthropic."):
        return False
    try:
        bedrock.get_use_case_for_model_access()
    except ClientError as error:
        if error.response["Error"]["Code"] == "ResourceNotFoundException":
            return True
        raise
    return False
