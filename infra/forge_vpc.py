"""A VPC from which a forge of one's own can be reached, as a deployment names it. No CDK here."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

_VPC, _SUBNET, _GROUP = (re.compile(rf"{kind}-[0-9a-f]{{8,17}}") for kind in ("vpc", "subnet", "sg"))


@dataclass(frozen=True)
class ForgeVpc:
    """The context value `forge_vpc`: `VPC_ID,SUBNET_ID,SUBNET_ID...`, and `SECURITY_GROUP_ID...` where the
    stack is not to make one of its own."""

    vpc_id: str
    subnet_ids: tuple[str, ...]
    security_group_ids: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError for anything else."""
        vpc, *others = (part.strip() for part in text.split(","))
        subnets = tuple(name for name in others if _SUBNET.fullmatch(name))
        groups = tuple(name for name in others if _GROUP.fullmatch(name))
        if not _VPC.fullmatch(vpc) or not subnets or len(subnets) + len(groups) < len(others):
            raise ValueError(
                f"forge_vpc is {text!r}: it must be VPC_ID,SUBNET_ID,... such as"
                " vpc-0a1b2c3d,subnet-0a1b2c3d,subnet-1a1b2c3d, and may end with ids of security groups"
            )
        return cls(vpc, subnets, groups)
