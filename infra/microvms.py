"""Lambda MicroVMs as the place where patches run, as a deployment names them. No CDK here."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Self

from infra.spec import May, Spec

MACHINE = "aarch64"
"""The only one that the service has: https://docs.aws.amazon.com/lambda/latest/microvm-api/API_CpuConfiguration.html"""

_IMAGE = re.compile(r"arn:[a-z0-9-]+:lambda:[a-z0-9-]+:[0-9]{12}:microvm-image:[^\s:,]+")
_CONNECTOR = re.compile(r"arn:[a-z0-9-]+:lambda:[a-z0-9-]+:[0-9]{12}:network-connector:[^\s,]+")


@dataclass(frozen=True)
class MicroVmImage:
    """The context value `microvm`: `IMAGE_ARN,CONNECTOR_ARN`."""

    image_arn: str
    connector_arn: str
    """The machines' way out. AWS's own connectors are refused: theirs leads to the internet."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError for anything else."""
        image, separator, connector = (part.strip() for part in text.partition(","))
        if not separator or not _IMAGE.fullmatch(image):
            raise ValueError(f"microvm is {text!r}: it must be IMAGE_ARN,CONNECTOR_ARN")
        if not _CONNECTOR.fullmatch(connector):
            raise ValueError(
                f"microvm names the connector {connector!r}: it must be the ARN of one of the account's own, "
                "in subnets without a way out but S3's endpoint"
            )
        return cls(image, connector)

    def settings(self) -> dict[str, str]:
        """What the functions below are told."""
        return {
            "microvm_image": self.image_arn,
            "microvm_connector": self.connector_arn,
            "runs_on": MACHINE,
        }


def with_microvms(spec: Spec) -> Spec:
    """A function of the catalog, where patches run in MicroVMs."""
    if spec.folder == "run_patch":
        return replace(
            spec,
            settings=(
                *(name for name in spec.settings if name != "runner_arn"),
                *("microvm_image", "microvm_connector"),
            ),
            may=(*(may for may in spec.may if may is not May.RUN_PATCHES), May.RUN_MICROVMS),
        )
    if spec.folder == "install_dependencies":
        return replace(spec, settings=(*spec.settings, "runs_on"))
    return spec
