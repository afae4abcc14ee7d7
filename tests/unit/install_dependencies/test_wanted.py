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
A, B = (f"sha256:{digit * 64}" for digit in "ab")
POETRY_LOCK = f"""
[[package]]
name = "requests"
version = "2.32.0"
files = [{{file = "requests-2.32.0-py3-none-any.whl", hash = "{A}"}}]
[[package]]
name = "freezegun"
version = "1.5.0"
""".encode()
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
UV_LOCK = f"""
[[package]]
name = "shop"
version = "1.0"
source = {{ virtual = "." }}
[[package]]
name = "requests"
version = "2.32.0"
source = {{ registry = "https://packages.example/" }}
wheels = [{{url = "https://packages.example/x.whl", hash = "{A}"}}]
[[package]]
name = "tomli"
version = "1.0"
source = {{ registry = "https://packages.example/" }}
wheels = [{{url = "https://packages.example/x.whl", hash = "{A}"}}]
[[package]]
name = "tomli"
version = "2.0"
source = {{ registry = "https://packages.example/" }}
wheels = [{{url = "https://packages.example/x.whl", hash = "{B}"}}]
""".encode()
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
            ("boto3[crt]<2,>=1", "requests==2.32.0"),
            (),
        ),
        (
            {"requirements.txt": b"-r requirements/base.txt\n-e .\n", "requirements/base.txt": b"attrs\n"},
            ("attrs",),
            (),
        ),
        (
            {"requirements.txt": f"attrs==1 \\\n  --hash={A} \\\n  --hash={B}\n".encode()},
            ("attrs==1",),
            (),
        ),
        ({"requirements-dev.txt": b"--prefer-binary\nattrs\npytest==7\n"}, ("attrs",), ()),
        (
            {"requirements.txt": b"-c versions.txt\nattrs\n", "versions.txt": b"attrs==1\nother==2\n"},
            ("attrs",),
            ("attrs==1", "other==2"),
        ),
        ({"dev-requirements.txt": b"-r dev-requirements.txt\nattrs\n"}, ("attrs",), ()),
        ({"docs/requirements.txt": b"sphinx\n"}, (), ()),
        (
            {"pyproject.toml": PROJECT, "uv.lock": UV_LOCK},
            ("freezegun", "mypy", "requests>=2", "responses", 'tomli; python_version < "3.11"'),
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
        "innocent==1.0 ; python_version > '3' --global-option=build",
        "innocent==1.0 ; python_version > '3 --global-option=build'",
        "innocent==1.0 --global-option=build",
        "innocent[x]==1.0\t--config-settings=a=b",
        "a; python_version > '${AWS_SECRET_ACCESS_KEY}'",
        "a==1 --hash=md5:0123",
        "--unheard-of",
        "-e .. ",
        "--editable=git+ssh://evil.example/a",
    ],
)
def test_what_would_be_built_or_fetched_from_anywhere_is_a_problem(line: str) -> None:
    asked = wanted({"requirements.txt": f"attrs\n{line}\n".encode()})
    assert asked.problem.endswith("so nothing is installed")
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


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "pyproject.toml",
            '[project]\ndependencies=["a"]\n[tool.uv.sources]\na = {git = "https://evil.example/a"}',
        ),
        ("pyproject.toml", '[project]\ndependencies=["a"]\n[tool.uv.sources]\na = [{index = "ours"}]'),
        ("pyproject.toml", '[tool.poetry.dependencies]\na = {version = "1", source = "ours"}'),
        ("pyproject.toml", '[tool.poetry.dependencies]\na = {url = "https://evil.example/a.whl"}'),
        (
            "poetry.lock",
            '[[package]]\nname="a"\nversion="1"\nsource={type="legacy", url="https://ours.example/"}',
        ),
        (
            "poetry.lock",
            '[[package]]\nname="a"\nversion="1"\nsource={type="git", url="https://evil.example/"}',
        ),
        ("uv.lock", '[[package]]\nname="a"\nversion="1"\nsource={registry="https://ours.example/"}'),
        ("uv.lock", '[[package]]\nname="a"\nversion="1"\nsource={git="https://evil.example/"}'),
        ("Pipfile.lock", '{"default": {"a": {"git": "https://evil.example/a"}}}'),
    ],
)
def test_a_package_from_a_place_of_its_own_is_not_taken_from_another(name: str, text: str) -> None:
    asked = wanted({name: text.encode()})
    assert asked.problem.endswith("so nothing is installed")
    assert asked.requirements == ()


@pytest.mark.parametrize(
    ("name", "text", "places"),
    [
        ("requirements.txt", "-i https://o.example/\na\n", ("--index-url https://o.example/",)),
        (
            "requirements.txt",
            "--extra-index-url=https://o.example/",
            ("--extra-index-url https://o.example/",),
        ),
        ("requirements.txt", "--no-index\n-f wheels\na\n", ("--no-index", "--find-links wheels")),
        ("requirements.txt", "--trusted-host o.example\na\n", ("--trusted-host o.example",)),
        (
            "pyproject.toml",
            '[[tool.uv.index]]\nurl = "https://o.example/"\n',
            ("--extra-index-url https://o.example/",),
        ),
        (
            "pyproject.toml",
            '[tool.uv]\nindex-url = "https://o.example/"\n',
            ("--index-url https://o.example/",),
        ),
        (
            "pyproject.toml",
            '[[tool.poetry.source]]\nname = "o"\nurl = "https://o.example/"\n',
            ("--extra-index-url https://o.example/",),
        ),
    ],
)
def test_where_a_file_says_that_packages_come_from_is_kept(
    name: str, text: str, places: tuple[str, ...]
) -> None:
    assert wanted({name: text.encode()}).places == places


def test_hashes_are_kept_by_name_and_it_is_known_whether_everything_has_one() -> None:
    hashed = f"Attrs_==1 --hash={A}\n".replace("_", "")
    one = wanted({"requirements.txt": hashed.encode()})
    assert (dict(one.hashes), one.hashed) == ({"attrs": (A,)}, True)
    mixed = wanted({"requirements.txt": hashed.encode(), "dev-requirements.txt": b"mock\n"})
    assert (dict(mixed.hashes), mixed.hashed) == ({"attrs": (A,)}, False)
    told = wanted({"requirements.txt": b"--require-hashes\nattrs==1\n"})
    assert told.hashed
    forked = wanted({"pyproject.toml": PROJECT, "uv.lock": UV_LOCK})
    assert forked.hashes["tomli"] == (A, B), "either version, as the marker says"


def test_what_lies_in_the_repository_is_left_out() -> None:
    text = (
        b'[project]\nname="me"\ndependencies=["a", "b", "me[x]"]\n[tool.uv.sources]\na = {workspace = true}\n'
    )
    assert wanted({"pyproject.toml": text}).requirements == ("b",)
    poetry = b'[tool.poetry.dependencies]\na = {path = "../a"}\nb = "^1"\n'
    assert wanted({"pyproject.toml": poetry}).requirements == ("b",)


def test_the_key_depends_on_what_is_asked_for_and_not_on_its_order() -> None:
    one = wanted({"requirements.txt": b"a\nb\n"})
    assert one.digest("3.12") == wanted({"requirements.txt": b"b\n# same\na\n"}).digest("3.12")
    assert one.digest("3.12") != wanted({"requirements.txt": b"a\nb==1\n"}).digest("3.12")
    assert one.digest("3.12") != one.digest("3.13")
