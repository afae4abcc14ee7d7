"""What a repository asks for, in the files of each tool."""

from __future__ import annotations

import json

import pytest

from functions.install_dependencies.wanted import wanted

POETRY = b"""
[tool.poetry.dependencies]
python = "^3.11"
requests = "^2"
[tool.poetry.group.dev.dependencies]
freezegun = "*"
"""
POETRY_LOCK = b"""
[[package]]
name = "requests"
version = "2.32.0"
[[package]]
name = "freezegun"
version = "1.5.0"
"""
PROJECT = b"""
[project]
name = "shop"
dependencies = ["requests>=2", "tomli; python_version < '3.11'"]
[project.optional-dependencies]
test = ["pytest", "freezegun", "shop[docs]"]
docs = ["sphinx"]
[dependency-groups]
dev = [{include-group = "lint"}, "responses"]
lint = ["mypy"]
"""
UV_LOCK = b"""
[[package]]
name = "shop"
version = "1.0"
source = { virtual = "." }
[[package]]
name = "requests"
version = "2.32.0"
source = { registry = "https://packages.example/" }
[[package]]
name = "tomli"
version = "1.0"
source = { registry = "https://packages.example/" }
[[package]]
name = "tomli"
version = "2.0"
source = { registry = "https://packages.example/" }
"""
PIPFILE = json.dumps(
    {"default": {"requests": {"version": "==2.32.0"}}, "develop": {"mock": {"version": "==5"}}}
)


@pytest.mark.parametrize(
    ("tree", "requirements", "constraints"),
    [
        ({}, (), ()),
        ({"pyproject.toml": b"[tool.ruff]\n"}, (), ()),
        (
            {"requirements.txt": b"# ours\nrequests==2.32.0  # http\n\nboto3[crt]>=1,<2\n"},
            ("boto3[crt]>=1,<2", "requests==2.32.0"),
            (),
        ),
        (
            {"requirements.txt": b"-r requirements/base.txt\n-e .\n", "requirements/base.txt": b"attrs\n"},
            ("attrs",),
            (),
        ),
        (
            {"requirements.txt": b"attrs==1 \\\n  --hash=sha256:aa \\\n  --hash=sha256:bb\n"},
            ("attrs==1",),
            (),
        ),
        ({"requirements-dev.txt": b"--find-links wheels\n--no-index\nattrs\npytest==7\n"}, ("attrs",), ()),
        ({"dev-requirements.txt": b"-r dev-requirements.txt\nattrs\n"}, ("attrs",), ()),
        ({"docs/requirements.txt": b"sphinx\n"}, (), ()),
        (
            {"pyproject.toml": PROJECT, "uv.lock": UV_LOCK},
            ("freezegun", "mypy", "requests>=2", "responses", "tomli; python_version < '3.11'"),
            ("requests==2.32.0",),
        ),
        (
            {"pyproject.toml": POETRY, "poetry.lock": POETRY_LOCK},
            ("freezegun", "requests"),
            ("freezegun==1.5.0", "requests==2.32.0"),
        ),
        ({"Pipfile.lock": PIPFILE.encode()}, ("mock==5", "requests==2.32.0"), ()),
    ],
)
def test_names_and_versions_are_read(
    tree: dict[str, bytes], requirements: tuple[str, ...], constraints: tuple[str, ...]
) -> None:
    asked = wanted(tree)
    assert (asked.requirements, asked.constraints, asked.problem) == (requirements, constraints, "")


@pytest.mark.parametrize(
    "line",
    [
        "git+https://evil.example/a.git",
        "a @ https://evil.example/a.whl",
        "https://evil.example/a.whl",
        "./vendored",
        "-e ../other",
        "../a.whl",
        "file:///etc/passwd",
        "a==${AWS_SECRET_ACCESS_KEY}",
        "a --config-settings x=y",
        "--editable=git+ssh://evil.example/a",
    ],
)
def test_what_would_be_built_or_fetched_from_anywhere_is_a_problem(line: str) -> None:
    asked = wanted({"requirements.txt": f"attrs\n{line}\n".encode()})
    assert "no plain name and version" in asked.problem
    assert asked.requirements == ()


@pytest.mark.parametrize(
    "tree",
    [
        {"pyproject.toml": b"[project\n"},
        {"requirements.txt": b"\xff\xfe"},
        {"pyproject.toml": b"project = 1\n"},
        {"Pipfile.lock": b"[]"},
        {"pyproject.toml": b"[project]\ndependencies = [1]\n"},
        {"uv.lock": b'package = ["x"]\n'},
    ],
)
def test_what_cannot_be_read_is_a_problem(tree: dict[str, bytes]) -> None:
    assert "cannot be read" in wanted(tree).problem


def test_the_key_depends_on_what_is_asked_for_and_not_on_its_order() -> None:
    one = wanted({"requirements.txt": b"a\nb\n"})
    assert one.digest("3.12") == wanted({"requirements.txt": b"b\n# same\na\n"}).digest("3.12")
    assert one.digest("3.12") != wanted({"requirements.txt": b"a\nb==1\n"}).digest("3.12")
    assert one.digest("3.12") != one.digest("3.13")
