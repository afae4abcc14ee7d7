"""AWS as moto emulates it, and a context as the Lambda runtime passes it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest
from moto import mock_aws
from moto.kms.utils import generate_private_key
from moto.ssm.exceptions import SSMException
from moto.ssm.models import SimpleSystemManagerBackend

_pair = cache(generate_private_key)
_put = SimpleSystemManagerBackend.put_parameter


def _put_parameter(
    self: SimpleSystemManagerBackend,
    name: str,
    description: str,
    value: str,
    kind: str,
    *rest: Any,
    **named: Any,
) -> Any:
    known = self._parameters[name]
    if known and kind and known[-1].parameter_type != kind:
        raise SSMException("HierarchyTypeMismatchException", f"{name} is a {known[-1].parameter_type}")
    return _put(self, name, description, value, kind, *rest, **named)


@contextmanager
def emulated(patch: pytest.MonkeyPatch) -> Iterator[None]:
    """AWS as moto emulates it, with credentials that are good for nothing else."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        patch.setenv(name, "testing")
    patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    patch.delenv("AWS_PROFILE", raising=False)
    patch.setattr("moto.ssm.models.SimpleSystemManagerBackend.put_parameter", _put_parameter)
    # moto makes an RSA pair for every key, for those that have none, too: most of what a key costs.
    patch.setattr("moto.kms.models.generate_private_key", _pair)
    with mock_aws():
        yield


@dataclass(frozen=True)
class LambdaContext:
    """What the Lambda runtime passes as second argument, as far as it is read."""

    function_name: str = "self-heal-step"
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = "arn:aws:lambda:us-east-1:123456789012:function:self-heal-step"
    aws_request_id: str = "7c1d2f3a-0000-4000-8000-000000000000"
    seconds: float = 880.0

    def get_remaining_time_in_millis(self) -> int:
        return int(self.seconds * 1_000)
