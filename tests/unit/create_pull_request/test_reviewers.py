"""Whom a pull request asks for review: few, who know the code."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from functions.core.forge.connect import connect
from functions.create_pull_request.reviewers import Reviewer, reviewers

if TYPE_CHECKING:
    from tests.unit.conftest import Hosted

PATCH = b"""diff --git a/rates.py b/rates.py
--- a/rates.py
+++ b/rates.py
@@ -4,2 +4,2 @@
 def rate(country):
-    return RATES[country]
+    return RATES.get(country, 0)
"""


@pytest.fixture
def warnings() -> list[str]:
    return []


def _asked(
    hosted: Hosted, base: str, warnings: list[str], token: str = "", gitlab: bool = False, **changes: Any
) -> list[str]:
    api = hosted.forge.gitlab_api_url if gitlab else hosted.forge.api_url
    app = replace(hosted.app, forge_api=api, **changes)
    found = reviewers(connect(app, token or hosted.token), app, PATCH, base, warnings.append)
    return [one.name for one in found]


def _written_by(hosted: Hosted, login: str) -> str:
    code = b'RATES = {"DE": 4.9}\n\n\ndef rate(country):\n    return RATES[country]  # ours\n'
    return hosted.branch("main", "rates.py", content=code, by=login)


@pytest.mark.parametrize("gitlab", [False, True])
def test_the_app_s_own_come_before_owners_and_owners_before_authors(
    hosted: Hosted, warnings: list[str], gitlab: bool
) -> None:
    written = _written_by(hosted, "shop")
    base = hosted.branch("main", "CODEOWNERS", on=written, content=b"*.py @owner @Reviewer\n")
    assert _asked(hosted, base, warnings, gitlab=gitlab) == ["reviewer", "owner", "shop"]
    assert not warnings


def test_never_more_than_three_beside_the_app_s_own(hosted: Hosted, warnings: list[str]) -> None:
    written = _written_by(hosted, "shop")
    base = hosted.branch("main", "CODEOWNERS", on=written, content=b"* @a @b @c @d @e\n")
    assert _asked(hosted, base, warnings) == ["reviewer", "a", "b", "c"]
    assert _asked(hosted, base, warnings, reviewers=()) == ["a", "b", "c"]


def test_each_has_a_reason(hosted: Hosted, warnings: list[str]) -> None:
    base = _written_by(hosted, "shop")
    found = reviewers(connect(hosted.app, hosted.token), hosted.app, PATCH, base, warnings.append)
    assert found == (
        Reviewer("reviewer", "named in the app's entry"),
        Reviewer("shop", "wrote the lines in rates.py"),
    )


def test_what_the_forge_does_not_tell_is_said_and_the_app_s_own_are_still_asked(
    hosted: Hosted, warnings: list[str]
) -> None:
    assert _asked(hosted, hosted.base_sha, warnings, token="wrong") == ["reviewer"]
    assert "credentials refused" in warnings[0]
