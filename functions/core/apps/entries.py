"""The registry's entries as they lie in Parameter Store: encrypted, and decrypted when they have changed.

Each value that is decrypted is a request to KMS, and whoever is asked per log batch looks at all entries once
a minute and oftener. So they are listed as they lie, and only where one has changed are they decrypted.
https://docs.aws.amazon.com/systems-manager/latest/userguide/secure-string-parameter-kms-encryption.html
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient

BESIDE = ".rewriting"
"""Behind the name of an entry: its copy, read while the entry itself is away. A parameter cannot be given
another type, so one that is not encrypted yet is deleted and made anew. No app's entry has a dot in its
name."""
_NOTE = "renamed_to"


def note(name: str) -> str:
    """What is left under an app's former name: the one that it has now."""
    return json.dumps({_NOTE: name})


def noted(text: str) -> str:
    """The name that a note tells; "" for an entry."""
    return str(json.loads(text)[_NOTE]) if text.startswith(f'{{"{_NOTE}"') else ""


class _Kept(NamedTuple):
    """version: a parameter that was deleted and made anew begins at 1 again."""

    version: int
    modified: datetime
    text: str


class Entries:
    """Below one path. clock: seconds, which never go back."""

    def __init__(self, client: SSMClient, path: str, clock: Callable[[], float]) -> None:
        self._client = client
        self._path = path
        self._clock = clock
        self._kept: dict[bool, tuple[float, Mapping[str, _Kept]]] = {}

    def texts(self, max_age: float = 0, *, recursive: bool = False) -> dict[str, str]:
        """Name below the path → text. max_age: in seconds, how old what is told may be; recursive: also of
        what lies deeper."""
        looked, kept = self._kept.get(recursive, (float("-inf"), {}))
        if self._clock() - looked >= max_age:
            kept = self._changed(kept, recursive)
            self._kept[recursive] = self._clock(), kept
        texts = {name: each.text for name, each in kept.items()}
        for name in [name for name in texts if name.endswith(BESIDE)]:
            texts.setdefault(name.removesuffix(BESIDE), texts.pop(name))
        return texts

    def _changed(self, kept: Mapping[str, _Kept], recursive: bool) -> Mapping[str, _Kept]:
        """What is kept as it is now, decrypted where anything is new."""
        if kept:
            sealed = self._listed(recursive, decrypt=False)
            if {name: each[:2] for name, each in sealed.items()} == {n: e[:2] for n, e in kept.items()}:
                return kept
        return self._listed(recursive, decrypt=True)

    def _listed(self, recursive: bool, *, decrypt: bool) -> dict[str, _Kept]:
        pages = self._client.get_paginator("get_parameters_by_path").paginate(
            Path=self._path, Recursive=recursive, WithDecryption=decrypt
        )
        return {
            row["Name"].removeprefix(f"{self._path}/"): _Kept(
                row["Version"], row["LastModifiedDate"], row["Value"]
            )
            for page in pages
            for row in page["Parameters"]
        }
