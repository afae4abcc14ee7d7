"""`policy`: the least that a person needs in IAM."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from infra.cli.connect import connect
from infra.cli.console import print_json
from infra.cli.options import Local, choice
from infra.policies import deployer, operator


class Person(StrEnum):
    """Whom the policy is for."""

    OPERATOR = "operator"
    DEPLOYER = "deployer"


def policy(
    person: Annotated[Person, typer.Argument(help="Who is to have it.", **choice("such person", Person))],
    local: Local = False,
) -> None:
    """Print the least IAM policy: to operate this deployment with `selfheal`, or to deploy it again."""
    target = connect(local)
    if person is Person.OPERATOR:
        print_json(operator(target))
        return
    _, partition, _, region, account, *_ = target.output("StateMachineArn").split(":")
    print_json(deployer(account, region, partition, names=target.names))
