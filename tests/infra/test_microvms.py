"""Patches in Lambda MicroVMs: off unless a deployment names an image and a way out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from functions.core.aws.settings import Settings
from functions.harness.job import Job
from functions.run_patch.microvms import LIFE_SECONDS, WAIT_SECONDS
from infra.catalog import FUNCTIONS
from infra.microvms import MicroVmImage, with_microvms
from infra.spec import May
from tests.deployment_uses import settings_of

if TYPE_CHECKING:
    from tests.infra.conftest import Decide, Template

ACCOUNT = "eu-central-1:111122223333"
IMAGE = f"arn:aws:lambda:{ACCOUNT}:microvm-image:self-heal-runner"
CONNECTOR = f"arn:aws:lambda:{ACCOUNT}:network-connector:isolated"
ACTIONS = ("lambda:GetMicrovm", "lambda:RunMicrovm", "lambda:TerminateMicrovm")


def variables(template: Any, folder: str) -> dict[str, str]:
    found: dict[str, str] = template.function(folder)["Environment"]["Variables"]
    return found


def test_nothing_of_it_is_there_unless_it_is_asked_for(image_template: Template) -> None:
    assert "icrovm" not in image_template.path.read_text()
    assert "RUNNER_ARN" in variables(image_template, "run_patch")


def test_run_patch_is_told_the_image_and_the_way_out(running_template: Template) -> None:
    told = variables(running_template, "run_patch")
    assert (told["MICROVM_IMAGE"], told["MICROVM_CONNECTOR"]) == (IMAGE, CONNECTOR)
    assert "RUNNER_ARN" not in told


def test_dependencies_are_those_of_the_machines(running_template: Template) -> None:
    assert variables(running_template, "install_dependencies")["RUNS_ON"] == "aarch64"


def test_run_patch_may_run_machines_of_that_image_and_of_no_other(
    running_template: Template, decide: Decide
) -> None:
    role = running_template.role_of("run_patch")
    granted = {s.action for s in running_template.granted(role) if s.action.startswith(("lambda:", "iam:"))}

    assert granted == {*ACTIONS, "lambda:PassNetworkConnector"}
    for action in ACTIONS:
        assert decide(running_template, role, action, IMAGE) == "Allow"
        assert decide(running_template, role, action, f"{IMAGE}-other") == "ImplicitDeny"


def test_nobody_else_may(running_template: Template) -> None:
    for spec in FUNCTIONS:
        role = running_template.role_of(spec.folder)
        held = {s.action for s in running_template.granted(role) if "icrovm" in s.action}
        assert bool(held) is (spec.folder == "run_patch"), spec.folder


def test_healing_can_be_stopped_there_as_elsewhere(running_template: Template) -> None:
    (spec,) = (with_microvms(spec) for spec in FUNCTIONS if spec.folder == "run_patch")
    assert May.READ_SWITCH in spec.may
    assert variables(running_template, "run_patch")["SWITCH_PARAMETER"]


def test_run_patch_sees_reports_and_reads_no_other_object(running_template: Template, decide: Decide) -> None:
    role = running_template.artifacts_role_of("run_patch")
    tags = {"incident": "orders-1", "heal": "heal-1"}
    bucket = running_template.arn("Artifacts", "AWS::S3::Bucket")

    for action, key, expected in (
        ("s3:GetObject", "runs/heal-1/1-9f/job.zip", "Allow"),
        ("s3:GetObject", "runs/heal-1/1-9f/report.json", "Allow"),
        ("s3:PutObject", "runs/heal-1/1-9f/report.json", "Allow"),
        ("s3:PutObject", "runs/heal-1/1-9f/job.zip", "ImplicitDeny"),
        ("s3:GetObject", "orders-1/heal-1/source.tar.gz", "ImplicitDeny"),
    ):
        assert decide(running_template, role, action, f"{bucket}/{key}", tags) == expected, key


def test_run_patch_has_time_to_end_a_machine() -> None:
    """A job ends by itself, then the wait for it, then the machine in any case, then RunPatch."""
    (timeout,) = (spec.timeout for spec in FUNCTIONS if spec.folder == "run_patch")
    assert Job.seconds < WAIT_SECONDS < LIFE_SECONDS < timeout


def test_every_setting_that_the_lane_asks_for_is_given() -> None:
    (spec,) = (with_microvms(spec) for spec in FUNCTIONS if spec.folder == "run_patch")
    required, optional = settings_of("run_patch")
    names = (required | optional) - {"runner_arn"}
    assert names == set(spec.settings)
    assert names <= set(Settings.__dataclass_fields__)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("", "IMAGE_ARN,CONNECTOR_ARN"),
        (IMAGE, "IMAGE_ARN,CONNECTOR_ARN"),
        (f"self-heal-runner,{CONNECTOR}", "IMAGE_ARN,CONNECTOR_ARN"),
        (f"{CONNECTOR},{IMAGE}", "IMAGE_ARN,CONNECTOR_ARN"),
        (f"{IMAGE},", "the connector ''"),
        (f"{IMAGE},{CONNECTOR},{CONNECTOR}", "the connector"),
        (
            f"{IMAGE},arn:aws:lambda:eu-central-1:aws:network-connector:aws-network-connector:INTERNET_EGRESS",
            "one of the account's own",
        ),
    ],
)
def test_a_value_that_does_not_fit_is_refused(value: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        MicroVmImage.parse(value)


def test_spaces_between_the_two_do_not_count() -> None:
    assert MicroVmImage.parse(f" {IMAGE}, {CONNECTOR} ") == MicroVmImage(IMAGE, CONNECTOR)
