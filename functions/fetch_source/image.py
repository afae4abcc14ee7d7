"""What the image of a Lambda function says of its Python, in its labels and its variables.

Of an image's variables, which may hold secrets, only one is looked at, and of its labels two.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import urllib3
from botocore.exceptions import ClientError

from functions.fetch_source.dockerfile import version_of
from functions.fetch_source.interpreter import Word

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient

LABEL = "self-heal.python"
"""A label that names the version, for images that nothing else tells of."""
# Open Container Initiative, "Annotations": the image that this one is built on, by its name and tag.
_BASE = "org.opencontainers.image.base.name"
# What Docker's official Python images set, and with them all that are built on them.
_VARIABLE = "PYTHON_VERSION"

_URI = re.compile(
    r"(\d{12})\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?/([a-z0-9._/-]{2,256})@(sha256:[0-9a-f]{64})"
)
# Of one platform, as Lambda's are. OCI, "Image Manifest Specification"; Docker, "Manifest V2, Schema 2".
_MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_LARGEST = 1024 * 1024
_TIMEOUT = urllib3.Timeout(connect=3, read=8)
# What a heal goes on without. "Errors" of BatchGetImage and GetDownloadUrlForLayer in the ECR API reference.
_NO_ANSWER = ("AccessDeniedException", "RepositoryNotFoundException", "LayersNotFoundException")


def python_of_uri(uri: str, client: Callable[[str], ECRClient]) -> Word:
    """What the image at a URI with a digest says. `client`: ECR's for a region.

    Raises botocore's ClientError and urllib3's HTTPError for what passes.
    """
    place = _URI.fullmatch(uri)
    if place is None:
        return Word(why="the function's image is in no ECR repository")
    registry, region, repository, digest = place.groups()
    try:
        config = _config(client(region), registry, repository, digest)
    except ClientError as error:
        if error.response["Error"]["Code"] not in _NO_ANSWER:
            raise
        return Word(why=f"image of repository {repository}: {error.response['Error']['Code']}")
    return _told(repository, config)


def _config(client: ECRClient, registry: str, repository: str, digest: str) -> Mapping[str, Any]:
    """The image's configuration, which the registry keeps as a blob beside the layers; {} when there is none
    that can be read."""
    answer = client.batch_get_image(
        registryId=registry,
        repositoryName=repository,
        imageIds=[{"imageDigest": digest}],
        acceptedMediaTypes=list(_MANIFESTS),
    )
    manifests = [image["imageManifest"] for image in answer.get("images", [])]
    named = _at(_json(manifests[0]), "config", "digest") if manifests else None
    if not isinstance(named, str) or not _DIGEST.fullmatch(named):
        return {}
    url = client.get_download_url_for_layer(
        registryId=registry, repositoryName=repository, layerDigest=named
    )["downloadUrl"]
    with urllib3.PoolManager(timeout=_TIMEOUT, retries=False).request(
        "GET", url, preload_content=False, redirect=False
    ) as response:
        body = response.read(_LARGEST + 1)
        if response.status != 200 or len(body) > _LARGEST:
            return {}
    config = _at(_json(body), "config")
    return config if isinstance(config, dict) else {}


def _told(repository: str, config: Mapping[str, Any]) -> Word:
    labels = config.get("Labels")
    label = labels.get(LABEL) if isinstance(labels, dict) else None
    base = labels.get(_BASE) if isinstance(labels, dict) else None
    if version := _version(label):
        return Word(version, f"label {LABEL} of image {repository} names it")
    if isinstance(base, str) and (version := version_of(base)):
        return Word(version, f"image {repository} is built on Python {version}, says its label {_BASE}")
    variables = config.get("Env")
    for variable in variables if isinstance(variables, list) else ():
        name, _, value = str(variable).partition("=")
        if name == _VARIABLE and (version := _version(value)):
            return Word(version, f"variable {_VARIABLE} of image {repository} names it")
    return Word(why=f"image {repository} says nothing of its Python")


def _version(value: object) -> str:
    match = re.fullmatch(r"(\d{1,2}\.\d{1,2})(?:\.[0-9a-z]+)?", value) if isinstance(value, str) else None
    return match[1] if match else ""


def _json(text: str | bytes) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _at(data: Any, *keys: str) -> Any:
    for key in keys:
        data = data.get(key) if isinstance(data, dict) else None
    return data
