"""Which Python an app runs on: who is believed, and what is said of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from functions.core.apps.app import App
from functions.core.source.python import Python
from functions.fetch_source.dockerfile import python_of_image
from functions.fetch_source.interpreter import Word, python_of
from functions.harness.interpreters import NEWEST, VERSIONS

ORDERS = App("orders", ("/aws/lambda/orders",), "https://github.com/acme/orders.git")
BOUND = '[project]\nrequires-python = "{}"\n'


def found(files: dict[str, str], word: Word = Word(), offered: tuple[str, ...] = VERSIONS) -> Python:  # noqa: B008 - frozen
    read = {path: text.encode() for path, text in files.items()}.get
    return python_of(ORDERS, lambda: word, read, offered)


def test_the_apps_entry_goes_before_everything_and_the_function_is_not_asked() -> None:
    def never() -> Word:
        raise AssertionError

    app = replace(ORDERS, python="3.10")
    read = {".python-version": b"3.12"}.get
    assert python_of(app, never, read) == Python("3.10", "the app's entry names it")


def test_the_function_goes_before_the_repository() -> None:
    word = Word("3.12", "function orders has Runtime python3.12")
    assert found({".python-version": "3.11"}, word) == Python(
        "3.12", "function orders has Runtime python3.12"
    )


def test_why_the_function_did_not_tell_is_said() -> None:
    word = Word(why="configuration of function orders: access was denied")
    assert found({".python-version": "3.11"}, word).why == (
        ".python-version names 3.11; configuration of function orders: access was denied"
    )


def test_without_a_word_it_is_the_newest_of_those_that_are_here() -> None:
    why = "the newest, because nothing names another"
    assert found({}) == Python(NEWEST, why)
    assert found({}, offered=("3.9", "3.13")) == Python("3.13", why)


NAMED: dict[str, tuple[dict[str, str], str, str]] = {
    "this system's settings": (
        {".selfheal.toml": 'python = "3.10"', ".python-version": "3.11"},
        "3.10",
        "the repository's settings for this system names 3.10",
    ),
    "the same in pyproject.toml": (
        {"pyproject.toml": '[tool.selfheal]\npython = "3.10"', ".python-version": "3.11"},
        "3.10",
        "the repository's settings for this system names 3.10",
    ),
    "pyenv": ({".python-version": "3.12.4\n3.11.9\n"}, "3.12", ".python-version names 3.12.4"),
    "pyenv's other versions": (
        {".python-version": "# old\nmyenv\npypy3.9-7.3\n3.11\n"},
        "3.11",
        "names 3.11",
    ),
    "uv's": ({".python-version": "cpython-3.13.1"}, "3.13", ".python-version names cpython-3.13.1"),
    "free-threaded": ({".python-version": "3.13t"}, "3.13", "names 3.13t"),
    "Heroku": ({"runtime.txt": "python-3.10.6\n"}, "3.10", "runtime.txt names python-3.10.6"),
    "a Dockerfile": ({"Dockerfile": "FROM python:3.12-slim\n"}, "3.12", "Dockerfile names python:3.12-slim"),
    "a Containerfile": ({"Containerfile": "FROM python:3.9\n"}, "3.9", "Containerfile names python:3.9"),
    "Pipfile": ({"Pipfile": '[requires]\npython_version = "3.9"\n'}, "3.9", "Pipfile names 3.9"),
    "one version is left": (
        {"pyproject.toml": BOUND.format("==3.11.*")},
        "3.11",
        "requires-python of pyproject.toml allows ==3.11.* only",
    ),
    "one patch is left": ({"pyproject.toml": BOUND.format("==3.12.7")}, "3.12", "allows ==3.12.7 only"),
    "a range": (
        {"pyproject.toml": BOUND.format(">=3.10,<3.13")},
        "3.12",
        "the newest that requires-python of pyproject.toml (<3.13,>=3.10) allows",
    ),
    "a range to the end": (
        {"pyproject.toml": BOUND.format(">=3.9")},
        NEWEST,
        "the newest that requires-python",
    ),
    "a range that ends within a version": ({"pyproject.toml": BOUND.format("<=3.12")}, "3.12", "(<=3.12)"),
    "a range that excludes": ({"pyproject.toml": BOUND.format(">=3.9,!=3.14.*")}, "3.13", "(!=3.14.*,>=3.9)"),
    "Poetry's": (
        {"pyproject.toml": '[tool.poetry.dependencies]\npython = "^3.10,<3.12"\n'},
        "3.11",
        "the newest that Poetry's python of pyproject.toml (<3.12,<4,>=3.10) allows",
    ),
    "Poetry's tilde": (
        {"pyproject.toml": '[tool.poetry.dependencies]\npython = "~3.10"\n'},
        "3.10",
        "Poetry's python of pyproject.toml allows ==3.10.* only",
    ),
    "a range, and a version within it that is more telling": (
        {"pyproject.toml": BOUND.format(">=3.9"), "Dockerfile": "FROM python:3.11\n"},
        "3.11",
        "Dockerfile names python:3.11",
    ),
    "a range, and a version without": (
        {"pyproject.toml": BOUND.format(">=3.10,<3.12"), "runtime.txt": "python-3.9.1"},
        "3.11",
        "the newest that requires-python of pyproject.toml (<3.12,>=3.10) allows; "
        "runtime.txt names python-3.9.1, which requires-python of pyproject.toml excludes",
    ),
    "a range of what is no longer there": (
        {"pyproject.toml": BOUND.format(">=2.7,<3")},
        NEWEST,
        "another; requires-python of pyproject.toml allows <3,>=2.7, none of 3.9 to 3.14",
    ),
    "a version that no runner has": ({".python-version": "2.7.18"}, "2.7", ".python-version names 2.7.18"),
}


@pytest.mark.parametrize("case", NAMED)
def test_what_the_repository_says_is_read(case: str) -> None:
    files, version, why = NAMED[case]
    python = found(files)
    assert python.version == version
    assert why in python.why


SETUP_PY = """
from setuptools import setup
setup(name="a", python_requires=">=3.9, <3.12", classifiers=["Programming Language :: Python :: 3.10"])
raise SystemExit("it is read, not run")
"""
SETUP_CFG = """
[options]
python_requires = >=3.9
[metadata]
classifiers =
    Programming Language :: Python :: {}
"""
CLASSIFIED = (
    '[project]\nrequires-python = ">=3.9"\nclassifiers = ["Programming Language :: Python :: 3.12"]\n'
)


@pytest.mark.parametrize(
    ("files", "committed", "version", "why"),
    [
        (
            {},
            "2022-01-05T10:00:00+01:00",
            "3.10",
            "the newest of those that were out when the commit was made",
        ),
        ({}, "2015-01-05T10:00:00+01:00", "3.9", "the oldest, because the code is for older ones"),
        ({}, "2026-01-05T10:00:00+01:00", NEWEST, "the newest, because nothing names another"),
        (
            {"setup.py": SETUP_PY},
            "",
            "3.10",
            "the newest that classifiers of setup.py name and python_requires",
        ),
        (
            {"setup.cfg": SETUP_CFG.format("3.11")},
            "",
            "3.11",
            "the newest that classifiers of setup.cfg name",
        ),
        (
            {"setup.cfg": SETUP_CFG.format("3.7")},
            "2024-01-01",
            "3.9",
            "the oldest that python_requires of setup.cfg",
        ),
        (
            {"pyproject.toml": CLASSIFIED},
            "2022-01-01",
            "3.12",
            "the newest that classifiers of pyproject.toml name",
        ),
        (
            {"pyproject.toml": BOUND.format(">=3.11")},
            "2023-01-01",
            "3.11",
            "allows of those that were out when",
        ),
        (
            {"Dockerfile": "FROM python:3.8\n"},
            "",
            "3.9",
            "the nearest of those that tests can run on: Dockerfile names",
        ),
    ],
)
def test_where_no_version_is_named_it_is_one_that_the_code_was_made_for(
    files: dict[str, str], committed: str, version: str, why: str
) -> None:
    read = {path: text.encode() for path, text in files.items()}.get
    python = python_of(ORDERS, Word, read, committed=committed)
    assert python.version == version
    assert why in python.why


def test_a_range_is_answered_with_what_is_here_and_else_named_all_the_same() -> None:
    files = {"pyproject.toml": BOUND.format(">=3.11")}
    assert found(files, offered=("3.10", "3.12")).version == "3.12"
    assert found(files, offered=("3.9", "3.10")).version == NEWEST


def test_what_is_deployed_goes_before_the_root() -> None:
    app = replace(ORDERS, source_roots={"/var/task": "services/orders"})
    files = {"services/orders/.python-version": b"3.10", ".python-version": b"3.12"}
    python = python_of(app, Word, files.get)
    assert python == Python("3.10", "services/orders/.python-version names 3.10")


BROKEN = {
    ".python-version": (
        "",
        "system\n",
        "\x00\xff",
        "3",
        "../../etc",
        "9" * 5000,
        "3.12; rm -rf /",
        "3.12 # x",
    ),
    "pyproject.toml": ("[", "project = 3", *map(BOUND.format, ("nonsense", ">=3." + "1" * 300, ""))),
    "Pipfile": ("requires = 1", "[requires]\npython_version = 3.9", "[requires]\npython_version = '*'"),
    ".selfheal.toml": ("python = 3.12", "python = '3.12.1'", "[python]\na = 1", "= ="),
    "Dockerfile": (
        "FROM",
        *(f"FROM {name}" for name in ("scratch", "${X}", "python", "python:3", "node:3.12")),
    ),
}


@pytest.mark.parametrize(("path", "text"), [(path, text) for path in BROKEN for text in BROKEN[path]])
def test_what_cannot_be_read_says_nothing(path: str, text: str) -> None:
    assert found({path: text}) == Python(NEWEST, "the newest, because nothing names another")


UV = "ghcr.io/astral-sh/uv:python3.12-bookworm-slim"
AZURE = "mcr.microsoft.com/azure-functions/python:4-python3.11"
DOCKERFILES = {
    "FROM python:3.12-slim": ("python:3.12-slim", "3.12"),
    "from docker.io/library/python:3.9.18-alpine": ("docker.io/library/python:3.9.18-alpine", "3.9"),
    "FROM public.ecr.aws/lambda/python:3.13": ("public.ecr.aws/lambda/python:3.13", "3.13"),
    "FROM --platform=linux/amd64 python:3.10@sha256:aa AS base": ("python:3.10@sha256:aa", "3.10"),
    f"FROM {UV}": (UV, "3.12"),
    f"FROM {AZURE}": (AZURE, "3.11"),
    "FROM amazon/aws-lambda-python:3.11": ("amazon/aws-lambda-python:3.11", "3.11"),
    "ARG PY=3.11\nFROM python:${PY}-slim": ("python:3.11-slim", "3.11"),
    'ARG PY="3.11"\nFROM python:$PY': ("python:3.11", "3.11"),
    "FROM python:${PY:-3.10}": ("python:3.10", "3.10"),
    "FROM python:3.9 AS old\nFROM python:3.12 AS new\nFROM old": ("python:3.9", "3.9"),
    "FROM python:3.12 AS build\nRUN pip install .\nFROM python:3.11": ("python:3.11", "3.11"),
    "FROM python:3.12 AS build\nFROM gcr.io/distroless/python3-debian12": ("python:3.12", "3.12"),
    "FROM python:3.12 AS Build\nFROM build\n# FROM python:3.9": ("python:3.12", "3.12"),
}


@pytest.mark.parametrize("text", DOCKERFILES)
def test_the_image_that_the_last_stage_is_from_is_told(text: str) -> None:
    image = python_of_image(text)
    assert image is not None
    assert (image.name, image.version) == DOCKERFILES[text]


HOSTILE = (
    "FROM " * 20_000,
    "ARG A=\n" * 20_000 + "FROM $A",
    "FROM ${" + "A" * 100_000,
    "FROM " + "python" * 9_000,
    "\n" * 200_000 + "x",
)


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_dockerfile_tells_nothing(text: str) -> None:
    assert python_of_image(text) is None
