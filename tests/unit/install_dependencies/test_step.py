"""InstallDependencies over moto's S3 and an index on this machine."""

from __future__ import annotations

import hashlib
import io
import sys
import tarfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from functions.core.apps.app import App
from functions.core.incidents.incident import Incident, Status
from functions.core.source import archive
from functions.core.source.archive import Member
from functions.core.source.python import Python
from functions.core.workflow.artifacts import Artifacts
from functions.core.workflow.dependencies import archive_key, environment_of
from functions.core.workflow.errors import ArchiveUnsafe
from functions.core.workflow.heal import Heal
from functions.core.workflow.lifetimes import REUSE_DAYS
from functions.core.workflow.state import DependenciesState
from functions.core.workflow.validation_context import ValidationContext
from functions.harness.interpreters import RELEASES, VERSIONS
from functions.install_dependencies import handler as edge
from functions.install_dependencies.install import installer_environment
from functions.install_dependencies.step import install_for

if TYPE_CHECKING:
    from tests.fakes.emulated import LambdaContext

Index = tuple[Path, dict[str, str]]
MakeWheel = Callable[..., Path]
HERE = Python("{}.{}".format(*sys.version_info[:2]), "it runs this")


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


def files(artifacts: Artifacts, done: DependenciesState) -> dict[str, str]:
    """What was installed, by path."""
    return {
        one.path: one.data.decode()
        for one in archive.read(artifacts.get(done.key))
        if one.path.endswith(".py")
    }


def test_a_repository_that_asks_for_nothing_costs_one_read(
    artifacts: Artifacts, fetched: Callable[..., str]
) -> None:
    done = install_for(artifacts, fetched(main="x = 1\n"), HERE, {})
    assert done == DependenciesState()


def test_wheels_and_what_they_need_are_installed_once(
    artifacts: Artifacts, fetched: Callable[..., str], index: Index, make_wheel: MakeWheel
) -> None:
    make_wheel("first", "1.0", requires="second>=2")
    make_wheel("second", "2.1")
    source = fetched(requirements_txt="first==1.0\n")

    done = install_for(artifacts, source, HERE, index[1])

    assert (done.packages, done.reason) == (2, "")
    assert files(artifacts, done)["second.py"] == "VERSION = '2.1'\n"
    assert done.key == archive_key(hashlib.sha256(artifacts.get(done.key)).hexdigest())
    without_index = {**index[1], "UV_DEFAULT_INDEX": "http://127.0.0.1:9/"}
    assert install_for(artifacts, source, HERE, without_index) == done, "kept from the first time"


def test_what_was_installed_long_ago_is_installed_again_before_it_expires(
    artifacts: Artifacts,
    fetched: Callable[..., str],
    index: Index,
    make_wheel: MakeWheel,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make_wheel("first", "1.0")
    source = fetched(requirements_txt="first\n")
    old = install_for(artifacts, source, HERE, index[1])
    make_wheel("first", "1.1")
    assert install_for(artifacts, source, HERE, index[1]) == old

    later = time.time() + REUSE_DAYS * 24 * 3600 + 1
    monkeypatch.setattr("functions.install_dependencies.step.time.time", lambda: later)

    assert install_for(artifacts, source, HERE, index[1]).key != old.key


def test_an_archive_that_was_replaced_is_not_used(artifacts: Artifacts) -> None:
    whole = DependenciesState(archive_key(hashlib.sha256(b"whole").hexdigest()))
    artifacts.put(whole.key, b"whole")
    assert environment_of(whole, artifacts) == b"whole"

    artifacts.put(whole.key, b"replaced")

    with pytest.raises(ArchiveUnsafe, match="are not what was installed"):
        environment_of(whole, artifacts)


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

    done = install_for(artifacts, fetched(requirements_txt="evil\n"), HERE, index[1])

    assert (done.packages, done.reason) == (0, "")
    (said,) = done.lost
    assert said.startswith("evil is not installed: ")
    assert "no usable wheels" in said
    assert not ran.exists()


def test_what_failed_is_tried_again_by_the_next_heal(
    artifacts: Artifacts, fetched: Callable[..., str], index: Index, make_wheel: MakeWheel
) -> None:
    source = fetched(requirements_txt="later\n")
    make_wheel("later", "1")
    closed = {**index[1], "UV_DEFAULT_INDEX": "http://127.0.0.1:9/", "UV_HTTP_RETRIES": "0"}
    assert "127.0.0.1:9" in install_for(artifacts, source, HERE, closed).reason
    assert install_for(artifacts, source, HERE, index[1]).packages == 1


def test_a_requirement_by_address_is_left_out_without_a_call(
    artifacts: Artifacts, fetched: Callable[..., str]
) -> None:
    done = install_for(artifacts, fetched(requirements_txt="a @ http://127.0.0.1:9/a.whl\n"), HERE, {})
    assert (done.key, done.reason) == ("", "")
    assert "no plain name" in done.lost[0]


LINUX = "manylinux_2_28_x86_64"


@pytest.mark.parametrize("version", VERSIONS)
def test_wheels_are_chosen_for_the_apps_own_python_and_the_runners_platform(
    artifacts: Artifacts,
    fetched: Callable[..., str],
    index: Index,
    make_wheel: MakeWheel,
    version: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    for other in VERSIONS:
        tag = f"cp{other.replace('.', '')}"
        make_wheel("fast", "2", f"BUILT = {other!r}", tag=f"{tag}-{tag}-{LINUX}")
        make_wheel("fast", "3", tag=f"{tag}-{tag}-manylinux_2_35_x86_64")  # a newer system than the runner's
        make_wheel("fast", "4", tag=f"{tag}-{tag}-macosx_11_0_arm64")
    make_wheel("marked", "1")
    make_wheel("patched", "1", python=f">={RELEASES[version]}")
    asked = f"fast\npatched\nmarked; python_version == '{version}'\nmissing; python_version != '{version}'\n"

    source = fetched(requirements_txt=asked)
    done = install_for(artifacts, source, Python(version, "the app's entry names it"), index[1])

    assert (done.packages, done.reason) == (3, "")
    assert files(artifacts, done)["fast.py"] == f"BUILT = {version!r}"


def test_what_was_installed_for_one_python_is_not_taken_for_another(
    artifacts: Artifacts, fetched: Callable[..., str], index: Index, make_wheel: MakeWheel
) -> None:
    make_wheel("first", "1.0")
    source = fetched(requirements_txt="first\n")
    for version in ("3.9", "3.12"):
        install_for(artifacts, source, Python(version, ""), index[1])
    listed = boto3.client("s3").list_objects_v2(Bucket="artifacts", Prefix="dependencies/")["Contents"]
    assert sum(row["Key"].endswith(".json") for row in listed) == 2, (
        "an entry for each, by what was asked for"
    )


def test_wheels_are_those_of_another_machine_where_patches_run_on_one(
    artifacts: Artifacts,
    fetched: Callable[..., str],
    index: Index,
    make_wheel: MakeWheel,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    for machine in ("x86_64", "aarch64"):
        tag = f"cp312-cp312-manylinux_2_28_{machine}"
        make_wheel("fast", "1", f"BUILT = {machine!r}", tag=tag)
    source = fetched(requirements_txt="fast\n")

    for machine, built in (("", "x86_64"), ("aarch64", "aarch64")):
        done = install_for(artifacts, source, Python("3.12", ""), index[1], machine)
        assert files(artifacts, done)["fast.py"] == f"BUILT = {built!r}"


def test_for_a_python_that_no_runner_has_nothing_is_installed_and_what_to_do_is_said(
    artifacts: Artifacts, fetched: Callable[..., str]
) -> None:
    done = install_for(artifacts, fetched(requirements_txt="first\n"), Python("2.7", ""), {"HOME": "/tmp"})
    assert (done.key, done.packages) == ("", 0)
    assert done.reason.startswith("Python 2.7 is none that tests can run on, which are 3.9 to 3.14: ")
    assert done.reason.endswith("name it in the app's entry ('python')")


def test_a_configuration_in_a_folder_above_says_nothing(
    artifacts: Artifacts,
    fetched: Callable[..., str],
    index: Index,
    make_wheel: MakeWheel,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make_wheel("first", "1.0")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / "uv.toml").write_text("no-index = true\n")
    source = fetched(requirements_txt="first\n")
    assert install_for(artifacts, source, HERE, index[1]).packages == 1


def test_the_machines_own_configuration_says_where_packages_come_from(
    artifacts: Artifacts, fetched: Callable[..., str], index: Index, make_wheel: MakeWheel, tmp_path: Path
) -> None:
    make_wheel("first", "1.0")
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    (tmp_path / ".config" / "uv").mkdir(parents=True)
    configuration = f'[[index]]\nurl = "{index[1]["UV_DEFAULT_INDEX"]}"\ndefault = true\n'
    (tmp_path / ".config" / "uv" / "uv.toml").write_text(configuration)
    source = fetched(requirements_txt="first\n")
    assert install_for(artifacts, source, HERE, environment).packages == 1


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

    done = install_for(artifacts, fetched(requirements_txt=f"{line}\n"), HERE, index[1])

    assert done.packages == 0
    assert "no plain name and version" in done.lost[0]
    assert not ran.exists()


def test_a_package_that_needs_another_from_an_address_is_not_installed(
    artifacts: Artifacts, fetched: Callable[..., str], index: Index, make_wheel: MakeWheel, tmp_path: Path
) -> None:
    ran = tmp_path / "ran"
    built = source_distribution(index[0], "evil", ran)
    wheel = make_wheel("other", "1")
    address = index[1]["UV_DEFAULT_INDEX"]
    make_wheel("first", "1", requires=f"evil @ {address}evil/{built.name}")
    make_wheel("second", "1", requires=f"other @ {address}other/{wheel.name}")

    first = install_for(artifacts, fetched(requirements_txt="first\n"), HERE, index[1])
    second = install_for(artifacts, fetched(requirements_txt="second\n"), HERE, index[1])

    assert (first.packages, second.packages) == (0, 0)
    assert "`evil` was included as a URL dependency" in first.lost[0]
    assert "`other` was included as a URL dependency" in second.lost[0]
    assert not ran.exists()


def test_hashes_are_kept_to(
    artifacts: Artifacts, fetched: Callable[..., str], index: Index, make_wheel: MakeWheel
) -> None:
    wheel = make_wheel("first", "1.0", requires="second")
    meant = hashlib.sha256(wheel.read_bytes()).hexdigest()
    second = hashlib.sha256(make_wheel("second", "2.0").read_bytes()).hexdigest()
    right = f"first==1.0 --hash=sha256:{meant}\n"

    def reason(text: str) -> str:
        return install_for(artifacts, fetched(requirements_txt=text), HERE, index[1]).reason

    assert reason(f"{right}second --hash=sha256:{second}\n") == ""
    wrong = f"first==1.0 --hash=sha256:{'0' * 64}\nsecond --hash=sha256:{second}\n"
    assert "Hash mismatch for `first==1.0`" in reason(wrong)
    wrong = f"{right}second --hash=sha256:{'0' * 64}\n"
    assert "Hash mismatch for `second==2.0`" in reason(wrong), "of a version that uv chose"
    assert reason(right) == "second==2.0 is needed too, and has no hash as all others have"


def test_an_index_of_the_repositorys_own_is_followed_only_if_it_is_the_operators(
    artifacts: Artifacts, fetched: Callable[..., str], index: Index, make_wheel: MakeWheel
) -> None:
    make_wheel("first", "1")
    ours = index[1]["UV_DEFAULT_INDEX"]

    foreign = install_for(
        artifacts, fetched(requirements_txt="-i https://u:hunter2@evil.example/\nfirst\n"), HERE, index[1]
    )
    same = install_for(
        artifacts, fetched(requirements_txt=f"--index-url {ours.rstrip('/')}\nfirst\n"), HERE, index[1]
    )

    assert foreign.reason.startswith("the repository's files say where packages come from")
    assert "hunter2" not in foreign.reason
    assert (same.packages, same.reason) == (1, "")


def test_uv_gets_where_packages_come_from_and_no_credentials() -> None:
    given = {
        "PATH": "/bin", "PIP_INDEX_URL": "https://pypi.example/", "HTTPS_PROXY": "http://proxy",
        "AWS_SECRET_ACCESS_KEY": "hunter2", "AWS_SESSION_TOKEN": "t", "ARTIFACTS_BUCKET": "b",
        "PYTHONPATH": "/x", "LD_LIBRARY_PATH": "/var/lang/lib",
    }  # fmt: skip
    assert installer_environment(given) == {
        "PATH": "/bin", "UV_DEFAULT_INDEX": "https://pypi.example/", "HTTPS_PROXY": "http://proxy",
        "HOME": "/tmp", "LD_LIBRARY_PATH": "/var/lang/lib",
    }  # fmt: skip
    assert (
        installer_environment(given, "https://ours.example/")["UV_DEFAULT_INDEX"] == "https://ours.example/"
    )


@pytest.fixture
def state(artifacts: Artifacts, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    """The state input after FetchSource, for an app with these fields."""
    monkeypatch.setenv("ARTIFACTS_BUCKET", "artifacts")
    monkeypatch.setenv("ARTIFACTS_ROLE_ARN", "arn:aws:iam::123456789012:role/artifacts")
    monkeypatch.setenv("POWERTOOLS_TRACE_DISABLED", "true")

    def make(source: str, **fields: Any) -> dict[str, Any]:
        heal = Heal("a-1", "a", "h")
        incident = Incident("a-1", "1", "a", Status.HEALING, "KeyError", "KeyError: 1")
        facts = ValidationContext(incident, App("a", ("/a",), "https://github.com/o/r", **fields)).save(
            artifacts, heal
        )
        python = {"version": "3.12", "why": "Pipfile names 3.12"}
        heal_state = {"incident_id": "a-1", "app": "a", "heal_id": "h"}
        return {**heal_state, "source": {"key": source, "facts": facts, "python": python}}

    return make


def test_the_handler_answers_with_its_part_of_the_state(
    fetched: Callable[..., str], state: Callable[..., dict[str, Any]], lambda_context: LambdaContext
) -> None:
    event = state(fetched(main="x = 1\n"))
    assert edge.handler(event, lambda_context) == {"key": "", "reason": "", "packages": 0, "lost": []}


def test_nothing_is_installed_for_tests_that_run_elsewhere_and_it_is_said(
    state: Callable[..., dict[str, Any]], lambda_context: LambdaContext
) -> None:
    event = state("not even read", codebuild_project="self-heal-a")
    answer = edge.handler(event, lambda_context)
    assert (answer["key"], answer["packages"]) == ("", 0)
    assert answer["reason"].startswith("the tests run in CodeBuild project self-heal-a, whose image")
