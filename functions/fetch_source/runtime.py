"""What a Lambda function says of the Python that it runs on."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from functions.core.apps.deployed import NO_ANSWER, Failed
from functions.core.incidents.incident import Incident
from functions.fetch_source.interpreter import Word

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

_RUNTIME = re.compile(r"python(\d{1,2}\.\d{1,2})")


def runtime_of_function(client: LambdaClient, incident: Incident, image: Callable[[str], Word]) -> Word:
    """The Python of the function whose log group the incident is from. `image`: what an image's URI tells.

    Raises botocore's ClientError, but not for a function that is gone or may not be looked at.
    """
    failed = Failed.of(incident)
    if failed is None:
        return Word()
    try:
        found = client.get_function_configuration(FunctionName=failed.arn, Qualifier=failed.version)
        if found.get("PackageType") == "Image":
            code = client.get_function(FunctionName=failed.arn, Qualifier=failed.version)["Code"]
            return image(code.get("ResolvedImageUri", ""))
    except ClientError as error:
        why = NO_ANSWER.get(error.response["Error"]["Code"])
        if why is None:
            raise
        return Word(why=f"configuration of function {failed.name}: {why}")
    runtime = found.get("Runtime", "")
    if match := _RUNTIME.fullmatch(runtime):
        return Word(match[1], f"function {failed.name} has Runtime {runtime}")
    return Word(why=f"function {failed.name} has Runtime {runtime!r}, which names no Python")
