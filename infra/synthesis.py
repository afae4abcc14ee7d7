"""From context values to a cloud assembly, in this process."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from aws_cdk import App

from infra.forge_vpc import ForgeVpc
from infra.microvms import MicroVmImage
from infra.names import Names
from infra.nearest import unknown
from infra.packaging import Packaging
from infra.provider import SignIn
from infra.stack import SelfHealingCode, StackOptions
from infra.subscription import Subscribe

# Behaviour that `cdk init` turns on for new projects and that matters here.
# https://github.com/aws/aws-cdk/blob/main/packages/aws-cdk-lib/cx-api/FEATURE_FLAGS.md
FEATURE_FLAGS: dict[str, Any] = {
    "@aws-cdk/aws-iam:minimizePolicies": True,
    "@aws-cdk/core:enablePartitionLiterals": False,
    "@aws-cdk/core:target-partitions": ["aws"],
    "@aws-cdk/aws-kms:aliasNameRef": True,
    "@aws-cdk/aws-events:eventsTargetQueueSameAccount": True,
    "@aws-cdk/aws-lambda:recognizeVersionProps": True,
    "@aws-cdk/aws-lambda:recognizeLayerVersion": True,
}


def assemble(
    output: Path, context: Mapping[str, str], staging: Path, prepare: Callable[[App], None] = lambda app: None
) -> Path:
    """Write the cloud assembly below `output`, and return its directory. prepare: is done to the app first.

    Raises ValueError for a context value that does not fit its option.
    """
    app = App(analytics_reporting=False, context={**FEATURE_FLAGS, **context}, outdir=str(output))
    prepare(app)
    SelfHealingCode(app, options_from(app), staging)
    return Path(app.synth().directory)


def options_from(app: App) -> StackOptions:
    """The options among the app's context values: ours, the cdk command's and `cdk.json`'s.

    A value is text, as `-c name=value` gives it, or JSON, as `cdk.json` may: `false`, `48`, a list. Raises
    ValueError for one that does not fit, and for an option that there is none of.
    """
    known = [field.name for field in fields(StackOptions)]
    # Names of the CDK's own hold other characters, too.
    for name in app.node.get_all_context() or {}:
        if name not in known and re.fullmatch("[a-z_]+", name):
            refused = unknown("option", name, known, f"there are {', '.join(known)}")
            raise ValueError(f"{refused}: {refused.next_step}")
    values = {name: app.node.try_get_context(name) for name in known}
    return StackOptions(
        **{name: _READ[name](name, value) for name, value in values.items() if value not in (None, "")}
    )


def _names(name: str, value: Any) -> tuple[str, ...]:
    found = value.split(",") if isinstance(value, str) else value
    if not isinstance(found, list) or not all(isinstance(item, str) for item in found):
        raise ValueError(
            f"{name} is {value!r}: it must be a list of names, or names with commas between them"
        )
    return tuple(filter(None, (item.strip() for item in found)))


def _stage(name: str, value: Any) -> Names:
    return Names(_text(name, value))


def _text(name: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    raise ValueError(f"{name} is {value!r}: it must be text")


def _https(name: str, value: Any) -> str:
    if isinstance(value, str) and value.startswith("https://"):
        return value
    raise ValueError(f"{name} is {value!r}: it must be the https address of a package index")


def _truth(name: str, value: Any) -> bool:
    found = {"true": True, "false": False}.get(str(value).lower())
    if found is None:
        raise ValueError(f"{name} is {value!r}: it must be true or false")
    return found


def _whole(name: str, value: Any) -> int:
    # A float is what JSON numbers become on their way through jsii.
    if not isinstance(value, bool) and re.fullmatch(r"\d+(\.0)?", str(value).strip()):
        return int(float(value))
    raise ValueError(f"{name} is {value!r}: it must be a whole number")


def _some(name: str, value: Any) -> int:
    """At least one: with none, what waits for its turn would wait for good."""
    if (found := _whole(name, value)) < 1:
        raise ValueError(f"{name} is {value!r}: it must be at least 1; to stop all healing: selfheal stop")
    return found


def _packaging(name: str, value: Any) -> Packaging:
    if value not in list(Packaging):
        raise ValueError(f"{name} is {value!r}: it must be one of {', '.join(Packaging)}")
    return Packaging(value)


def _subscribe(name: str, value: Any) -> Subscribe:
    if value not in list(Subscribe):
        raise ValueError(f"{name} is {value!r}: it must be one of {', '.join(Subscribe)}")
    return Subscribe(value)


def _sign_in(name: str, value: Any) -> SignIn:
    return SignIn.parse(",".join(_names(name, value)))


def _microvm(name: str, value: Any) -> MicroVmImage:
    return MicroVmImage.parse(",".join(_names(name, value)))


def _forge_vpc(name: str, value: Any) -> ForgeVpc:
    return ForgeVpc.parse(",".join(_names(name, value)))


_READ: dict[str, Callable[[str, Any], Any]] = {
    "stage": _stage,
    "packaging": _packaging,
    "log_groups": _names,
    "subscribe": _subscribe,
    "canary": _text,
    "reserve_concurrency": _truth,
    "approval_hours": _whole,
    "budget_usd": _whole,
    "heals_at_once": _some,
    "availability_zones": _names,
    "pythons": _names,
    "build_image": _text,
    "package_index": _https,
    "microvm": _microvm,
    "sign_in": _sign_in,
    "forge_vpc": _forge_vpc,
}
"""How each option's value is read. They raise ValueError with what is expected."""
