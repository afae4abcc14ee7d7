"""A forge that the internet does not reach: what speaks to it is in subnets that a deployment names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from infra.catalog import FUNCTIONS
from infra.forge_vpc import ForgeVpc
from infra.lambdas import NETWORK_INTERFACE_ACTIONS
from infra.spec import May

if TYPE_CHECKING:
    from tests.infra.conftest import Template

VPC, SUBNETS = "vpc-0a1b2c3d", ("subnet-0a1b2c3d", "subnet-1a1b2c3d")
SPEAKS = {"fetch_source", "commit_patch", "create_pull_request", "track_pull_requests"}


def test_who_speaks_to_the_forge_is_who_may_read_its_credentials() -> None:
    assert {spec.folder for spec in FUNCTIONS if May.READ_CREDENTIALS in spec.may} == SPEAKS


def test_these_functions_alone_are_in_the_subnets(running_template: Template) -> None:
    for spec in FUNCTIONS:
        placed = running_template.function(spec.folder).get("VpcConfig", {})
        assert tuple(placed.get("SubnetIds", ())) == (SUBNETS if spec.folder in SPEAKS else ()), spec.folder


def test_they_go_out_by_https_and_ssh_and_nobody_comes_in(running_template: Template) -> None:
    (group,) = (
        group
        for group in running_template.of_type("AWS::EC2::SecurityGroup").values()
        if group["VpcId"] == VPC
    )
    assert {(rule["IpProtocol"], rule["FromPort"]) for rule in group["SecurityGroupEgress"]} == {
        ("tcp", 443),
        ("tcp", 22),
    }
    assert "SecurityGroupIngress" not in group


def test_network_interfaces_are_lambdas_to_make_and_not_the_functions(running_template: Template) -> None:
    for folder in SPEAKS:
        granted = [
            statement
            for statement in running_template.granted(running_template.role_of(folder))
            if statement.action in NETWORK_INTERFACE_ACTIONS
        ]
        denied = {statement.action for statement in granted if statement.effect == "Deny"}
        assert denied == set(NETWORK_INTERFACE_ACTIONS)
        assert {s.action for s in granted if s.effect == "Allow"} == denied
        assert all("SourceFunctionArn" in s.conditions for s in granted if s.effect == "Deny")


def test_nothing_of_it_is_there_unless_it_is_asked_for(image_template: Template) -> None:
    assert all("VpcConfig" not in image_template.function(folder) for folder in SPEAKS)


@pytest.mark.parametrize(
    "text",
    ["", VPC, f"{SUBNETS[0]},{VPC}", f"{VPC},sg-0a1b2c3d", f"{VPC},{SUBNETS[0]},main", f"vpc-x,{SUBNETS[0]}"],
)
def test_what_names_no_subnets_of_a_vpc_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="it must be VPC_ID,SUBNET_ID"):
        ForgeVpc.parse(text)


def test_a_security_group_of_ones_own_takes_the_place_of_the_stacks() -> None:
    parsed = ForgeVpc.parse(f"{VPC}, {SUBNETS[0]}, sg-0a1b2c3d")
    assert parsed == ForgeVpc(VPC, (SUBNETS[0],), ("sg-0a1b2c3d",))
