"""Names of several deployments in one account."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest

from functions.core.aws.names import is_own_log_group
from infra.names import DEFAULT, Names

PROPERTIES = [
    name for name, found in vars(Names).items() if hasattr(found, "fget") or hasattr(found, "attrname")
]


def all_of(names: Names) -> dict[str, Any]:
    found = {name: getattr(names, name) for name in PROPERTIES}
    return found | {"function": names.function("detect_errors")}


def test_a_stage_is_in_every_name_and_no_name_is_anothers() -> None:
    assert fields(Names)[0].name == "stage"
    beta, default = all_of(Names("beta")), all_of(DEFAULT)

    assert all("beta" in name for name in beta.values())
    assert not set(beta.values()) & set(default.values())
    paths = [name for name in default.values() if name.startswith("/")]
    assert not [name for name in beta.values() if name.startswith(tuple(f"{path}/" for path in paths))]


@pytest.mark.parametrize("stage", ["Beta", "2nd", "a-b", "a" * 13, " "])
def test_what_is_no_stage_is_refused(stage: str) -> None:
    with pytest.raises(ValueError, match="must be of a-z"):
        Names(stage)


def test_no_stage_watches_another() -> None:
    assert is_own_log_group(f"/aws/lambda/{Names('beta').function('runner')}")
