"""Which Python image a Dockerfile's last stage is from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

# https://docs.docker.com/reference/dockerfile/#from and #arg
_FROM = re.compile(r"(?im)^[ \t]*FROM[ \t]+(?:--platform=\S+[ \t]+)?(\S+)(?:[ \t]+AS[ \t]+(\S+))?[ \t\r]*$")
_ARG = re.compile(r"(?im)^[ \t]*ARG[ \t]+([A-Za-z_]\w*)=[\"']?([^\s\"']*)[\"']?[ \t\r]*$")
_VARIABLE = re.compile(r"\$(?:\{([A-Za-z_]\w*)(?::?-([^{}]*))?\}|([A-Za-z_]\w*))")
# python:3.12-slim, public.ecr.aws/lambda/python:3.12, azure-functions/python:4-python3.11, uv:python3.12
_OF_PYTHON = re.compile(r"(?:^|/)[\w.-]*python:v?(\d{1,2}\.\d{1,2})(?![\d])")
_IN_TAG = re.compile(r":[\w.-]*python-?(\d{1,2}\.\d{1,2})(?![\d])")


@dataclass(frozen=True, slots=True)
class Image:
    """An image's name with its tag, and the Python version that it tells."""

    name: str
    version: str


def version_of(name: str) -> str:
    """The Python version that an image's name tells, such as "3.12"; "" for one that tells none."""
    match = _OF_PYTHON.search(name) or _IN_TAG.search(name)
    return match[1] if match else ""


def python_of_image(dockerfile: str) -> Image | None:
    """The Python image that the last stage is from, through the stages that it builds on, else the last stage
    that is from one; None when none tells its version."""
    arguments: Mapping[str, str] = dict(_ARG.findall(dockerfile))
    stages: dict[str, str] = {}
    bases: list[str] = []
    for image, name in _FROM.findall(dockerfile):
        base = _VARIABLE.sub(lambda match: _value(match, arguments), image)
        base = stages.get(base.lower(), base)
        bases.append(base)
        if name:
            stages[name.lower()] = base
    return next((Image(base[:100], version_of(base)) for base in reversed(bases) if version_of(base)), None)


def _value(match: re.Match[str], arguments: Mapping[str, str]) -> str:
    return arguments.get(match[1] or match[3]) or match[2] or ""
