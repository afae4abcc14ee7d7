"""The images are not built here, so what can be read of them is held: stages, pins, what they agree on."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
from uv import find_uv_bin

from functions.harness.interpreters import DIRECTORY, RELEASES, VERSIONS
from infra.catalog import EVERY
from infra.packaging import DOCKERFILE, PYTHON, ROOT, stage, tree

TEXT = DOCKERFILE.read_text()
FROM = re.compile(r"(?m)^FROM (\S+) AS (\w+)$")
STAGES = {name: base for base, name in FROM.findall(TEXT)}
BODIES = dict(zip(STAGES, FROM.split(TEXT)[3::3], strict=True))


def test_every_stage_has_a_name_and_builds_on_one_image() -> None:
    assert TEXT.count("\nFROM ") == len(STAGES)
    assert [base for base in STAGES.values() if base != "base"] == [STAGES["base"]]


def test_that_image_is_the_engine_s_python_pinned_by_release_and_digest() -> None:
    image = r"public\.ecr\.aws/lambda/python:(\d\.\d+)\.20\d\d\.\d\d\.\d\d\.\d\d@sha256:[0-9a-f]{64}"
    match = re.fullmatch(image, STAGES["base"])
    assert match is not None
    assert match[1] == PYTHON


def test_the_engine_reads_all_that_apps_can_run_on() -> None:
    """Its parser reads all older syntax."""
    assert VERSIONS[-1] == PYTHON


def test_the_releases_are_those_that_wheels_are_resolved_for() -> None:
    (releases,) = re.findall(r'(?m)^ARG RELEASES="(.*)"$', TEXT)
    assert releases.split() == list(RELEASES.values())
    assert all(release.startswith(f"{version}.") for version, release in RELEASES.items())


def test_the_locked_uv_can_install_each_of_them_and_knows_no_newer_one(tmp_path: Path) -> None:
    environment = {"PATH": os.defpath, "HOME": str(tmp_path), "UV_PYTHON_INSTALL_DIR": str(tmp_path)}
    options = "--all-versions --offline --no-config --managed-python --output-format json"
    listed = subprocess.check_output([find_uv_bin(), "python", "list", *options.split()], env=environment)
    newest: dict[str, int] = {}
    for row in json.loads(listed):
        parts = row["version_parts"]
        suffix = row["version"] != f"{parts['major']}.{parts['minor']}.{parts['patch']}"
        if row["implementation"] == "cpython" and not suffix and row["variant"] == "default":
            version = f"{parts['major']}.{parts['minor']}"
            newest[version] = max(newest.get(version, 0), parts["patch"])
    assert {v: f"{v}.{newest[v]}" for v in VERSIONS} == RELEASES


def test_everything_that_is_installed_is_pinned_by_hashes() -> None:
    installs = [line for line in TEXT.replace("\\\n", " ").splitlines() if "pip install" in line]
    assert len(installs) == 3
    for line in installs:
        assert {"--no-deps", "--require-hashes", "--only-binary"} <= set(line.split())
    for name in ("uv.txt", "harness.txt", "requirements.txt"):
        lines = tree(next(spec for spec in EVERY if spec.image))[name].decode().splitlines()
        pins = [line for line in lines if not line.startswith(" ")]
        assert pins
        assert all(re.match(r"[A-Za-z0-9._-]+(\[[a-z,]+\])?==\S+", pin) for pin in pins), name
        assert "://" not in "".join(lines)


def test_the_lock_and_the_makefile_name_one_uv() -> None:
    (made,) = re.findall(r"(?m)^UV := (uv==\S+)$", (ROOT / "Makefile").read_text())
    assert tree(next(spec for spec in EVERY if spec.image))["uv.txt"].decode().startswith(f"{made} ")


def test_the_runner_holds_the_harness_and_nothing_else_of_ours() -> None:
    copied = re.findall(r"(?m)^COPY (?!--from)(.+)$", BODIES["runner"])
    assert [line.split()[:-1] for line in copied] == [
        ["functions/__init__.py"], ["functions/harness/"], ["functions/runner/"]
    ]  # fmt: skip
    assert "pip install" not in BODIES["runner"]


def test_the_runner_finds_its_pythons_and_their_packages() -> None:
    (variables,) = re.findall(r"(?m)^ENV (.+)$", BODIES["runner"])
    assert dict(pair.split("=") for pair in variables.split()) == {
        DIRECTORY: "/opt/python",
        "SELFHEAL_HARNESS_PACKAGES": "/opt/harness",
    }
    assert "--install-dir /opt/python" in BODIES["pythons"]
    assert '"/opt/python/$version"' in BODIES["pythons"]
    assert "--target /opt/harness" in BODIES["pythons"]


def test_nobody_may_read_the_file_of_an_interpreter_that_runs_strangers_code() -> None:
    assert 'chmod 0711 "/opt/python/$version/bin/python$version"' in BODIES["pythons"]
    assert 'chmod 0711 "$(readlink -f /var/lang/bin/python3)"' in BODIES["runner"]


@pytest.mark.parametrize("name", ["runner", "functions"])
def test_what_is_deployed_runs_as_an_ordinary_user(name: str) -> None:
    assert re.findall(r"(?m)^USER (.+)$", BODIES[name]) == ["1000:1000"]
    said = [line for line in BODIES[name].splitlines() if line and not line.startswith("#")]
    assert said[-1] == "USER 1000:1000"


def test_every_image_function_has_a_stage() -> None:
    assert {stage(spec) for spec in EVERY if spec.image} == {"runner", "functions"}
    assert {spec.folder for spec in EVERY if stage(spec) == "runner"} == {"runner"}
