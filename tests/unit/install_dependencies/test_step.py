"""InstallDependencies over moto's S3 and an index on this machine."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest

from functions.core import archive
from functions.core.app import App
from functions.core.archive import Member
from functions.core.artifacts import Artifacts
from functions.core.facts import Facts
from functions.core.heal import Heal
from functions.core.incident import Incident, Status
from functions.install_dependencies import handler as edge
from functions.install_dependencies.install import NotInstalled, install, pip_environment
from functions.install_dependencies.step import install_for
from functions.install_dependencies.wanted import Wanted

Index = tuple[Path, dict[str, str]]
MakeWheel = Callable[..., Path]


@pytest.fixture
def artifacts(aws: None) -> Artifacts:
    client = boto3.client("s3")
    client.create_bucket(Bucket="artifacts")
    return Artifacts(client, "artifacts")


@pytest.fixture
def fetched(artifacts: Artifacts) -> Callable[..., str]:
    """The key of a source archive with these files."""

    def put(**files: str) -> str:
        members = [Member(name.replace("_txt", ".txt"), text.encode()) for name, text in files.items()]
        artifacts.put("source.tar.gz", archive.pack(members))
        return "source.tar.gz"

    return put


def test_a_repository_that_asks_for_nothing_costs_one_read(
    artifacts: Artifacts, fetched: Callable[..., str]
) -> None:
    assert install_for(artifacts, fetched(main="x = 1\n"), {}) == {"key": "", "reason": "", "packages": 0}


def test_wheels_and_what_they_need_are_installed_once(
    artifacts: Artifacts, fetched: Callable[..., str], index: Index, make_wheel: MakeWheel, tmp_path: Path
) -> None:
    make_wheel("first", "1.0", requires="second>=2")
    make_wheel("second", "2.1")
    source = fetched(requirements_txt="first==1.0\n")

    done = install_for(artifacts, source, index[1])

    assert (done["packages"], done["reason"]) == (2, "")
    target = tmp_path / "unpacked"
    target.mkdir()
    archive.unpack(artifacts.get(done["key"]), target)
    assert (target / "second.py").read_text() == "VERSION = '2.1'\n"
    without_index = {**index[1], "PIP_INDEX_URL": "http://127.0.0.1:9/"}
    assert install_for(artifacts, source, without_index) == done, "kept from the first time"


def test_a_source_distribution_is_never_built(
    artifacts: Artifacts, fetched: Callable[..., str], index: Index, tmp_path: Path
) -> None:
    ran = tmp_path / "ran"
    body = io.BytesIO()
    with tarfile.open(fileobj=body, mode="w:gz") as tar:
        for name, text in {
            "setup.py": f"open({str(ran)!r}, 'w')\n",
            "PKG-INFO": "Name: evil\nVersion: 1\n",
        }.items():
            info = tarfile.TarInfo(f"evil-1/{name}")
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text.encode()))
    (index[0] / "evil").mkdir()
    (index[0] / "evil" / "evil-1.tar.gz").write_bytes(body.getvalue())

    done = install_for(artifacts, fetched(requirements_txt="evil\n"), index[1])

    assert "No matching distribution found for evil" in done["reason"]
    assert done["key"] == ""
    assert not ran.exists()


def test_what_failed_is_tried_again_by_the_next_heal(
    artifacts: Artifacts, fetched: Callable[..., str], index: Index, make_wheel: MakeWheel
) -> None:
    source = fetched(requirements_txt="later\n")
    assert "later" in install_for(artifacts, source, index[1])["reason"]
    make_wheel("later", "1")
    assert install_for(artifacts, source, index[1])["packages"] == 1


def test_a_requirement_by_address_is_refused_without_a_call(
    artifacts: Artifacts, fetched: Callable[..., str]
) -> None:
    done = install_for(artifacts, fetched(requirements_txt="a @ http://127.0.0.1:9/a.whl\n"), {})
    assert "no plain name" in done["reason"]


BACKEND = """
import os
def _run():
    open({ran!r}, "w").write(str(os.environ))
    raise SystemExit("ran")
get_requires_for_build_wheel = prepare_metadata_for_build_wheel = build_wheel = lambda *a, **k: _run()
"""


def source_distribution(folder: Path, name: str, ran: Path) -> Path:
    """One whose build backend leaves a file behind when it runs."""
    files = {
        "PKG-INFO": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        "backend.py": BACKEND.format(ran=str(ran)),
        "pyproject.toml": '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n',
    }
    target = folder / name / f"{name}-1.0.tar.gz"
    target.parent.mkdir(exist_ok=True)
    with tarfile.open(target, "w:gz") as tar:
        for path, text in files.items():
            info = tarfile.TarInfo(f"{name}-1.0/{path}")
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text.encode()))
    return target


@pytest.mark.parametrize(
    "line",
    [
        "innocent==1.0 ; python_version > '3' --global-option=build",
        "innocent==1.0 ; python_version > '3 --global-option=build'",
        "innocent==1.0 --config-settings=x=y",
    ],
)
def test_an_option_behind_a_requirement_builds_nothing(
    artifacts: Artifacts, fetched: Callable[..., str], index: Index, tmp_path: Path, line: str
) -> None:
    ran = tmp_path / "ran"
    source_distribution(index[0], "innocent", ran)

    done = install_for(artifacts, fetched(requirements_txt=f"{line}\n"), index[1])

    assert "no plain name and version" in done["reason"]
    assert not ran.exists()


def test_the_installer_can_start_no_process_whatever_it_was_talked_into(index: Index, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    source_distribution(index[0], "innocent", ran)
    (tmp_path / "heal").mkdir()
    asked = Wanted(("innocent==1.0 --global-option=build",))

    with pytest.raises(NotInstalled, match="it would have to be built"):
        install(asked, tmp_path / "heal", index[1])

    assert not ran.exists()


def test_a_package_that_needs_another_from_an_address_is_not_installed(
    artifacts: Artifacts, fetched: Callable[..., str], index: Index, make_wheel: MakeWheel, tmp_path: Path
) -> None:
    ran = tmp_path / "ran"
    built = source_distribution(index[0], "evil", ran)
    wheel = make_wheel("other", "1")
    address = index[1]["PIP_INDEX_URL"]
    make_wheel("first", "1", requires=f"evil @ {address}evil/{built.name}")
    make_wheel("second", "1", requires=f"other @ {address}other/{wheel.name}")

    first = install_for(artifacts, fetched(requirements_txt="first\n"), index[1])
    second = install_for(artifacts, fetched(requirements_txt="second\n"), index[1])

    assert (first["key"], second["key"]) == ("", "")
    assert "it would have to be built" in first["reason"]
    assert second["reason"] == "a package needs other from an address of its own"
    assert not ran.exists()


def test_hashes_are_kept_to(
    artifacts: Artifacts, fetched: Callable[..., str], index: Index, make_wheel: MakeWheel
) -> None:
    wheel = make_wheel("first", "1.0", requires="second")
    meant = hashlib.sha256(wheel.read_bytes()).hexdigest()
    second = hashlib.sha256(make_wheel("second", "2.0").read_bytes()).hexdigest()
    right = f"first==1.0 --hash=sha256:{meant}\n"

    def reason(text: str) -> str:
        return str(install_for(artifacts, fetched(requirements_txt=text), index[1])["reason"])

    assert reason(f"{right}second --hash=sha256:{second}\n") == ""
    assert "none of the repository's hashes" in reason(f"first==1.0 --hash=sha256:{'0' * 64}\n")
    assert "second 2.0 is needed too, and has no hash" in reason(right)


def test_an_index_of_the_repositorys_own_is_followed_only_if_it_is_the_operators(
    artifacts: Artifacts, fetched: Callable[..., str], index: Index, make_wheel: MakeWheel
) -> None:
    make_wheel("first", "1")
    ours = index[1]["PIP_INDEX_URL"]

    foreign = install_for(
        artifacts, fetched(requirements_txt="-i https://u:hunter2@evil.example/\nfirst\n"), index[1]
    )
    same = install_for(
        artifacts, fetched(requirements_txt=f"--index-url {ours.rstrip('/')}\nfirst\n"), index[1]
    )

    assert foreign["reason"].startswith("the repository's files say where packages come from")
    assert "hunter2" not in foreign["reason"]
    assert (same["packages"], same["reason"]) == (1, "")


def test_pip_gets_where_packages_come_from_and_no_credentials() -> None:
    given = {
        "PATH": "/bin", "PIP_INDEX_URL": "https://pypi.example/", "HTTPS_PROXY": "http://proxy",
        "AWS_SECRET_ACCESS_KEY": "hunter2", "AWS_SESSION_TOKEN": "t", "ARTIFACTS_BUCKET": "b",
        "PYTHONPATH": "/x",
    }  # fmt: skip
    kept = pip_environment(given)
    assert kept["PIP_INDEX_URL"] == "https://pypi.example/"
    assert kept["HTTPS_PROXY"] == "http://proxy"
    assert pip_environment(given, "https://ours.example/")["PIP_INDEX_URL"] == "https://ours.example/"
    assert not {"AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "ARTIFACTS_BUCKET", "PYTHONPATH"} & kept.keys()


@pytest.fixture
def state(artifacts: Artifacts, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    """The state input after FetchSource, for an app with these fields."""
    monkeypatch.setenv("ARTIFACTS_BUCKET", "artifacts")
    monkeypatch.setenv("POWERTOOLS_TRACE_DISABLED", "true")

    def make(source: str, **fields: Any) -> dict[str, Any]:
        heal = Heal("a-1", "a", "h")
        incident = Incident("a-1", "1", "a", Status.HEALING, "KeyError", "KeyError: 1")
        facts = Facts(incident, App("a", ("/a",), "https://github.com/o/r", **fields)).save(artifacts, heal)
        return {
            "incident_id": "a-1",
            "app": "a",
            "heal_id": "h",
            "source": {"key": source, "facts": facts},
        }

    return make


def test_the_handler_answers_with_its_part_of_the_state(
    fetched: Callable[..., str], state: Callable[..., dict[str, Any]], lambda_context: Any
) -> None:
    event = state(fetched(main="x = 1\n"))
    assert edge.handler(event, lambda_context) == {"key": "", "reason": "", "packages": 0}


def test_nothing_is_installed_for_tests_that_run_elsewhere_and_it_is_said(
    state: Callable[..., dict[str, Any]], lambda_context: Any
) -> None:
    event = state("not even read", codebuild_project="self-heal-a")
    answer = edge.handler(event, lambda_context)
    assert (answer["key"], answer["packages"]) == ("", 0)
    assert answer["reason"].startswith("the tests run in CodeBuild project self-heal-a, whose image")
