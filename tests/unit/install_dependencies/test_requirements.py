"""What a repository asks for, in the files of each tool."""

from __future__ import annotations

import json

import pytest

from functions.install_dependencies.poetry import specifier
from functions.install_dependencies.requirements import wanted

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
docs = ["recommonmark"]
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
            ("requests>=2", 'tomli; python_version < "3.11"', "freezegun", "recommonmark", "responses"),
            ("requests==2.32.0",),
        ),
        (
            {"pyproject.toml": POETRY, "poetry.lock": POETRY_LOCK},
            ("requests<3,>=2", "freezegun"),
            ("freezegun==1.5.0", "requests==2.32.0"),
        ),
        ({"Pipfile.lock": PIPFILE.encode()}, ("requests==2.32.0", "mock==5"), ()),
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
        "-e .. ",
        "--editable=git+ssh://evil.example/a",
    ],
)
def test_what_would_be_built_or_fetched_from_anywhere_is_lost_by_itself_and_said(line: str) -> None:
    asked = wanted({"requirements.txt": f"attrs\n{line}\n".encode()})
    assert (asked.requirements, asked.problem) == (("attrs",), "")
    (said,) = asked.lost
    assert said.endswith("(requirements.txt)")


@pytest.mark.parametrize("option", ["-r", "--requirement", "-c", "--constraint="])
@pytest.mark.parametrize(
    "value", ["../../etc/passwd", "/etc/passwd", "https://evil.example/r.txt", "gone.txt"]
)
def test_what_is_included_and_no_file_of_the_repository_is_said(option: str, value: str) -> None:
    asked = wanted({"requirements.txt": f"attrs\n{option} {value}\n".encode()})
    assert (asked.requirements, asked.problem) == (("attrs",), "")
    assert asked.lost == (f"requirements.txt includes {value!r}, which is no file of the repository",)


def test_with_an_option_that_is_not_known_nothing_is_installed() -> None:
    asked = wanted({"requirements.txt": b"attrs\n--unheard-of\n"})
    assert asked.problem.endswith("which is not known, so nothing is installed")
    assert asked.requirements == ()


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("git+https://forge.example/team/our-tools.git", "our-tools"),
        ("git+https://forge.example/team/x.git@v1#egg=Our_Tools", "our-tools"),
        ("our-tools @ https://forge.example/our.whl", "our-tools"),
        ("https://forge.example/our_tools-1.0-py3-none-any.whl", "our-tools"),
        ("-e ../our-tools", "our-tools"),
    ],
)
def test_the_name_of_a_package_with_an_address_is_taken_from_nowhere_else(line: str, name: str) -> None:
    asked = wanted(
        {"requirements.txt": f"attrs\n{line}\n".encode(), "dev-requirements.txt": f"{name}\n".encode()}
    )
    assert (asked.requirements, asked.excluded) == (("attrs",), (name,))


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
def test_a_file_that_cannot_be_read_loses_only_itself_and_is_said(tree: dict[str, bytes]) -> None:
    asked = wanted({**tree, "test-requirements.txt": b"attrs\n"})
    (path,) = tree
    assert (asked.requirements, asked.problem) == (("attrs",), "")
    assert [clause.partition(":")[0] for clause in asked.lost] == [f"{path} cannot be read"]


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
    asked = wanted({name: text.encode(), "requirements.txt": b"a\nother\n"})
    assert (asked.requirements, asked.excluded, asked.problem) == (("other",), ("a",), "")
    assert "from a place of its own" in asked.lost[0]


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
    assert wanted({"pyproject.toml": poetry}).requirements == ("b<2,>=1",)


SETUP_PY = b"""
import os
from setuptools import setup
here = os.path.dirname(__file__)
requires = ["requests>=2", 'six']
if os.environ.get("READTHEDOCS"):
    requires.append("alabaster")
def read(name):
    with open(os.path.join(here, name)) as file:
        return [line.strip() for line in file]
TESTS = ["freezegun"]
setup(
    name="shop",
    install_requires=requires + read("requirements/base.txt"),
    tests_require=TESTS,
    extras_require={
        "test": TESTS + ["mock"],
        ":python_version<'3.8'": ["importlib-metadata"],
        "docs": ["recommonmark"],
        "yaml": ["PyYAML"],
        "cloud": ["boto3"],
    },
    long_description=open("README").read(),
)
raise SystemExit("it is read, not run")
"""
SETUP_CFG = b"""
[options]
install_requires =
    requests>=2
    attrs; python_version < "3.12"  # why
tests_require = mock
[options.extras_require]
testing = file: tests.in
docs = recommonmark
[testenv]
deps = responses
"""
TOX = b"""
[testenv]
deps =
    -rrequirements/base.txt
    freezegun
    py38: importlib-metadata
    dj{32,40}: django
    {[testenv:other]deps}
    .[docs]
[testenv:lint]
deps = recommonmark2
"""
NOX = b"""
@nox.session
def tests(session):
    session.install("-r", "requirements/base.txt")
    session.install("freezegun", "-e", ".[docs]", *more)
@nox.session
def docs(session):
    session.install("recommonmark2")
"""
EXTRAS = b"""
[project]
name="shop"
[project.optional-dependencies]
docs=["recommonmark", "shop[web]"]
web=["flask"]
"""
CONDA = (
    b"dependencies:\n- python=3.11\n- freezegun>=1\n- gcc\n- pip:\n  - mock\n  - -r requirements/base.txt\n"
)
FLIT = b"""
[tool.flit.metadata]
module="shop"
requires=["six"]
[tool.flit.metadata.requires-extra]
test=["mock"]
"""
PDM = b"""
[tool.pdm.dev-dependencies]
test=["mock"]
[tool.hatch.envs.default]
dependencies=["six"]
[tool.uv]
dev-dependencies=["attrs"]
"""
PIPFILE_ALONE = b"""
[[source]]
name="pypi"
url="https://o.example"
[packages]
six="*"
attrs={version="~=21.0", extras=["x"]}
[dev-packages]
mock="==5"
"""
PYLOCK = f"""
[[packages]]
name = "attrs"
version = "21.0"
wheels = [{{name = "a.whl", hashes = {{sha256 = "{A.removeprefix("sha256:")}"}}}}]
[[packages]]
name = "ours"
vcs = {{type = "git"}}
""".encode()


@pytest.mark.parametrize(
    ("tree", "requirements"),
    [
        pytest.param(
            {"setup.py": SETUP_PY, "requirements/base.txt": b"attrs\n", "tests/test_a.py": b"import yaml\n"},
            (
                "alabaster",
                "attrs",
                'importlib-metadata; python_version < "3.8"',
                "requests>=2",
                "six",
                "PyYAML",
                "freezegun",
                "mock",
            ),
            id="setup.py",
        ),
        pytest.param(
            {"setup.cfg": SETUP_CFG, "tests.in": b"freezegun\n"},
            ('attrs; python_version < "3.12"', "requests>=2", "freezegun", "mock", "responses"),
            id="setup.cfg",
        ),
        pytest.param(
            {"tox.ini": TOX, "requirements/base.txt": b"six\n", "pyproject.toml": EXTRAS},
            ("six", "flask", "freezegun", "importlib-metadata", "recommonmark"),
            id="tox",
        ),
        pytest.param(
            {"noxfile.py": NOX, "requirements/base.txt": b"six\n", "pyproject.toml": EXTRAS},
            ("six", "flask", "freezegun", "recommonmark"),
            id="nox",
        ),
        pytest.param(
            {"environment.yml": CONDA, "requirements/base.txt": b"six\n", "test_a.py": b"import freezegun\n"},
            ("six", "freezegun", "mock"),
            id="conda",
        ),
        pytest.param({"pyproject.toml": FLIT}, ("six", "mock"), id="flit"),
        pytest.param({"pyproject.toml": PDM}, ("mock", "six", "attrs"), id="pdm, hatch and uv"),
        pytest.param({"Pipfile": PIPFILE_ALONE}, ("attrs[x]~=21.0", "six", "mock==5"), id="Pipfile"),
        pytest.param(
            {
                "requirements.in": b"six\n",
                "requirements.txt": b"six==1\n",
                "tests/requirements.in": b"mock\n",
            },
            ("six==1", "mock"),
            id="a list that another was made of",
        ),
        pytest.param({"requirements-dev.txt": b"mypy\nruff\nmock\n"}, ("mock",), id="tools of people"),
    ],
)
def test_every_place_that_states_dependencies_is_read(
    tree: dict[str, bytes], requirements: tuple[str, ...]
) -> None:
    asked = wanted(tree)
    assert (asked.requirements, asked.lost, asked.problem, asked.places) == (requirements, (), "", ())


def test_a_lock_of_any_tool_says_which_version() -> None:
    asked = wanted({"pylock.toml": PYLOCK, "requirements.txt": b"attrs\nours\n"})
    assert (asked.requirements, asked.constraints, asked.excluded) == (
        ("attrs",),
        ("attrs==21.0",),
        ("ours",),
    )
    assert asked.hashes == {"attrs": (A,)}


@pytest.mark.parametrize(
    ("poetry", "line"),
    [
        ("^1.2.3", ">=1.2.3,<2"),
        ("^0.2.3", ">=0.2.3,<0.3"),
        ("^0.0", ">=0.0,<0.1"),
        ("~1.2", ">=1.2,<1.3"),
        ("~1", ">=1,<2"),
        ("1.2.*", "==1.2.*"),
        (">=1.2, <2.0", ">=1.2,<2.0"),
        ("^1 || ^2", ">=2,<3"),
        ("~=1.4", "~=1.4"),
        ("*", ""),
    ],
)
def test_versions_of_poetry_are_said_in_the_words_of_installers(poetry: str, line: str) -> None:
    assert specifier(poetry) == line


def test_the_key_depends_on_what_is_asked_for_and_not_on_its_order() -> None:
    one = wanted({"requirements.txt": b"a\nb\n"})
    assert one.digest("3.12") == wanted({"requirements.txt": b"b\n# same\na\n"}).digest("3.12")
    assert one.digest("3.12") != wanted({"requirements.txt": b"a\nb==1\n"}).digest("3.12")
    assert one.digest("3.12") != one.digest("3.13")
