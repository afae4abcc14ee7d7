"""What is installed where not all that is asked for can be had together: uv itself, over an index on this
machine."""

from __future__ import annotations

import io
import os
import sys
import tarfile
import tomllib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from functions.core.source import archive
from functions.harness.job import GENERATED
from functions.install_dependencies.install import Installed, day_after, install
from functions.install_dependencies.installer import Ask, Resolution
from functions.install_dependencies.requirements import wanted
from functions.install_dependencies.resolve import PYTEST, resolve

Index = tuple[Path, dict[str, str]]
MakeWheel = Callable[..., Path]
PYTHON = "{}.{}".format(*sys.version_info[:2])


def installed(index: Index, as_of: str = "", **files: str) -> tuple[dict[str, str], tuple[str, ...]]:
    """(name → version of what is installed, what is said of the rest); files: `_` stands for `.`."""
    done = _install(index, as_of, **files)
    names = {m.path.partition("/")[0] for m in archive.read(done.body) if ".dist-info/" in m.path}
    return dict(name.removesuffix(".dist-info").split("-") for name in names), done.lost


def _install(index: Index, as_of: str = "", **files: str) -> Installed:
    tree = {name.replace("_", "."): text.encode() for name, text in files.items()}
    return install(wanted(tree), PYTHON, index[1], as_of=as_of)


def uploaded(wheel: Path, day: str) -> None:
    at = datetime.fromisoformat(f"{day}T12:00:00+00:00").astimezone(UTC).timestamp()
    os.utime(wheel, (at, at))


def only_source(index: Index, name: str) -> None:
    body = io.BytesIO()
    with tarfile.open(fileobj=body, mode="w:gz") as tar:
        text = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n".encode()
        info = tarfile.TarInfo(f"{name}-1/PKG-INFO")
        info.size = len(text)
        tar.addfile(info, io.BytesIO(text))
    (index[0] / name).mkdir()
    (index[0] / name / f"{name}-1.tar.gz").write_bytes(body.getvalue())


def test_a_conflict_loses_only_what_conflicts_and_the_project_itself_comes_first(
    index: Index, make_wheel: MakeWheel
) -> None:
    for version in ("1.0", "2.0"):
        make_wheel("first", version)
    make_wheel("second", "1.0", requires="first<2")
    make_wheel("third", "1.0")

    found, lost = installed(
        index,
        setup_cfg="[options]\ninstall_requires = first>=2\ntests_require =\n  second\n  third\n",
    )

    assert found == {"first": "2.0", "third": "1.0"}
    (said,) = lost
    assert said.startswith("second is not installed: ")


def test_of_two_pins_of_one_package_the_projects_own_is_kept(index: Index, make_wheel: MakeWheel) -> None:
    for version in ("1.0", "2.0"):
        make_wheel("first", version)
    asked = "[options]\ninstall_requires = first==2.0\ntests_require = first==1.0\n"
    found, lost = installed(index, setup_cfg=asked)
    assert found == {"first": "2.0"}
    assert lost == ("first==1.0 cannot be had with the rest, so another version is installed",)


def test_a_package_without_a_wheel_loses_only_itself(index: Index, make_wheel: MakeWheel) -> None:
    only_source(index, "built")
    make_wheel("first", "1.0", requires="built")
    make_wheel("second", "1.0")

    found, lost = installed(index, requirements_txt="first\nsecond\nbuilt\n")

    assert found == {"first": "1.0", "second": "1.0"}
    assert any(said.startswith("built is not installed: ") for said in lost)
    assert "built, which first needs, is not installed: there is no wheel of it that fits" in lost


def test_versions_are_those_of_the_revisions_day(index: Index, make_wheel: MakeWheel) -> None:
    (index[0] / "dated").touch()
    for version, day in (("1.0", "2022-01-01"), ("2.0", "2022-03-05"), ("3.0", "2024-01-01")):
        uploaded(make_wheel("first", version), day)

    assert installed(index, day_after("2022-03-04T23:00:00+01:00"), requirements_txt="first")[0] == {
        "first": "2.0"
    }
    assert installed(index, day_after("2022-02-01T00:00:00Z"), requirements_txt="first")[0] == {
        "first": "1.0"
    }
    found, lost = installed(index, "2021-01-01", requirements_txt="first>=1")
    assert found == {"first": "3.0"}
    assert lost == (
        "first>=1 had no fitting wheel at the time of the revision, so a newer version is installed",
    )


def test_where_the_index_tells_no_dates_the_newest_are_taken_and_it_is_said(
    index: Index, make_wheel: MakeWheel
) -> None:
    make_wheel("first", "1.0")
    make_wheel("second", "1.0")
    found, lost = installed(index, "2022-01-01", requirements_txt="nowhere\nfirst\nsecond\n")
    assert found == {"first": "1.0", "second": "1.0"}
    assert lost[0] == "the index does not tell when packages were uploaded, so the newest versions are taken"
    assert lost[1].startswith("nowhere is not installed: ")


def test_a_hash_is_never_traded_for_another_version(index: Index, make_wheel: MakeWheel) -> None:
    make_wheel("first", "1.0")
    make_wheel("second", "1.0")
    found, lost = installed(index, requirements_txt=f"first==2.0 --hash=sha256:{'a' * 64}\nsecond\n")
    assert found == {"second": "1.0"}
    assert lost[0].startswith("first==2.0 is not installed: ")


def test_plugins_of_pytest_fit_the_pytest_that_runs_the_tests(index: Index, make_wheel: MakeWheel) -> None:
    (index[0] / "dated").touch()
    uploaded(make_wheel("pytest", "8.4.0"), "2025-07-01")
    uploaded(make_wheel("pytest", "6.0.0"), "2021-01-01")
    for version, needs, day in (
        ("1.0", "", "2021-01-01"),
        ("2.0", "pytest>=8", "2025-07-01"),
        ("3.0", "pytest>=9", "2026-01-01"),
    ):
        uploaded(make_wheel("pytest_thing", version, requires=needs), day)
    found, lost = installed(index, "2021-06-01", requirements_txt="pytest-thing==1.0\npytest==6.0.0\n")
    assert (found, lost) == ({"pytest_thing": "2.0"}, ())


def test_where_time_runs_out_what_was_found_by_then_is_installed_and_the_rest_is_said() -> None:
    def ask(asked: Ask) -> Resolution:
        conflict = len(asked.requirements) > 1 and "b" in asked.requirements
        return (
            Resolution(why="b conflicts")
            if conflict
            else Resolution(tuple(f"{r}==1" for r in asked.requirements))
        )

    times = iter([True, True, False])
    found = resolve(wanted({"requirements.txt": b"a\nb\nc\n"}), ask, in_time=lambda: next(times))
    assert found.lines == ("a==1", "c==1")
    assert found.lost == ("b is not installed: no time was left to find what fits",)


def test_that_pytest_is_the_harnesss() -> None:
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())
    assert project["dependency-groups"]["harness"] == [PYTEST]


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2022-12-31T23:30:00-02:00", "2023-01-02"),
        ("2022-03-01T00:00:00Z", "2022-03-02"),
        ("", ""),
        ("x", ""),
    ],
)
def test_the_day_after(text: str, day: str) -> None:
    assert day_after(text) == day


def test_the_project_itself_is_put_beside_what_it_needs(index: Index) -> None:
    project = """
[project]
name = "My_Shop"
dynamic = ["version"]
scripts = {shop = "shop.cli:main"}
entry-points."shop.plugins" = {a = "shop.a"}
[tool.setuptools_scm]
version_file = "src/shop/_version.py"
"""
    done = _install(index, pyproject_toml=project)
    held = {m.path: m.data.decode() for m in archive.read(done.body)}
    assert (done.packages, done.lost) == (0, ())
    assert "Name: my-shop\nVersion: 0.0.0\n" in held["my_shop-0.0.0.dist-info/METADATA"]
    points = held["my_shop-0.0.0.dist-info/entry_points.txt"]
    assert "[shop.plugins]\na = shop.a\n" in points
    assert "[console_scripts]\nshop = shop.cli:main\n" in points
    assert held["bin/shop"].startswith("#!/usr/bin/env python3\n")
    assert "__version__ = version = '0.0.0'" in held[f"{GENERATED}/src/shop/_version.py"]
