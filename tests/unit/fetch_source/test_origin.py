"""Where an error comes from: the line on the forge, and the commit that changed it last."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from functions.core.forge.git_remote import Remote
from functions.core.incidents.incident import Frame
from functions.fetch_source.origin import blame, origin_of
from tests.fakes.forge import Outage

if TYPE_CHECKING:
    from tests.unit.conftest import Hosted

SOURCE = b'RATES = {"DE": 4.9}\n\n\ndef rate(country):\n    return RATES[country]\n'
FRAME = Frame("/var/task/rates.py", 5, "rate", "return RATES[country]", in_app=True)


def changed(hosted: Hosted, text: str, subject: str, author: str = "Ada") -> str:
    """Commit `rates.py` anew on main."""
    blob = hosted.git("hash-object", "-w", "--stdin", stdin=text.encode())
    tree = hosted.git("mktree", stdin=f"100644 blob {blob}\trates.py\n".encode())
    identity = ("-c", f"user.name={author}", "-c", "user.email=ada@example.com")
    parent = hosted.git("rev-parse", "refs/heads/main")
    commit: str = hosted.git(*identity, "commit-tree", tree, "-p", parent, "-m", subject)
    hosted.git("update-ref", "refs/heads/main", commit)
    return commit


def found(hosted: Hosted, sha: str, source: bytes = SOURCE, frame: Frame = FRAME, **app: Any) -> Any:
    remote = Remote.of(hosted.app, hosted.token)
    return origin_of(
        replace(hosted.app, **app), remote, sha, [frame], ["rates.py", "README.md"], {"rates.py": source}.get
    )


def test_the_line_is_blamed_on_the_commit_that_changed_it_last_not_on_the_file_s_newest(
    hosted: Hosted,
) -> None:
    culprit = changed(
        hosted, "RATES = {}\n\n\ndef rate(country):\n    return RATES[country]  # all\n", "All rates"
    )
    newest = changed(
        hosted, 'RATES = {"DE": 5}\n\n\ndef rate(country):\n    return RATES[country]  # all\n', "DE"
    )
    change = blame(Remote.of(hosted.app, hosted.token), newest, "rates.py", 5)
    assert change is not None
    assert (change.sha, change.author, change.subject, change.older) == (culprit, "Ada", "All rates", False)


def test_the_place_is_linked_at_the_revision_as_its_forge_names_it(hosted: Hosted) -> None:
    origin = found(hosted, hosted.base_sha)
    repository = hosted.app.repository.removesuffix(".git")
    assert origin.place == "rates.py:5"
    assert origin.url == f"{repository}/blob/{hosted.base_sha}/rates.py#L5"
    assert origin.change_url == f"{repository}/commit/{hosted.base_sha}"
    gitlab = found(hosted, hosted.base_sha, forge_api=hosted.app.forge_api.replace("/v3", "/v4"))
    assert gitlab.url == f"{repository}/-/blob/{hosted.base_sha}/rates.py#L5"


@pytest.mark.parametrize(
    ("source", "line"),
    [
        (SOURCE, 5),
        (b"# a license\n" + SOURCE, 6),
        (SOURCE.replace(b"RATES[country]", b"other[country]"), 0),
        (b"# one\n    return RATES[country]\n" + SOURCE, 0),
    ],
    ids=["as logged", "moved", "gone", "twice elsewhere"],
)
def test_a_line_that_reads_otherwise_at_this_revision_is_not_pointed_at(
    hosted: Hosted, source: bytes, line: int
) -> None:
    assert found(hosted, hosted.base_sha, source).line == line


def test_a_forge_that_fails_or_a_history_that_is_too_large_costs_the_blame_and_nothing_else(
    hosted: Hosted,
) -> None:
    hosted.forge.outage = Outage(status=503)
    assert found(hosted, hosted.base_sha).change is None
    hosted.forge.outage = None
    assert blame(replace(Remote.of(hosted.app, "wrong")), hosted.base_sha, "rates.py", 5) is None
