"""What a function does without one of its permissions: something has to fail.

    python -m tests.removal [FUNCTION...]

looks for a test of each permission of each function, or of these, and writes them into
`tests/data/permissions.toml`. Each of these is run once more by `tests/unit`, without that permission, and
passes if it fails then.

A call belongs to the function whose folder is on its stack; what AWS asks for it is the Service Authorization
Reference's, and of the key that tables, objects and topics are encrypted by, what KEY says: moto asks for
nothing. A permission is `FUNCTION ACTION TARGET`: the table, parameter or topic, where a function has the
same action on several. `s3:GetObject` stands for `s3:GetObjectVersion`, too: a reference names a version
where the bucket keeps them.
https://docs.aws.amazon.com/service-authorization/latest/reference/reference.html
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import tempfile
import time
import tomllib
from collections import defaultdict
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any
from xml.etree import ElementTree

import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError

from infra.catalog import EVERY

ROOT = Path(__file__).parents[1]
FILE = ROOT / "tests/data/permissions.toml"
_TRIED = 6
"""Tests of one permission, the quickest first, before it counts as one that nothing needs."""

_TABLES = ("incidents", "approvals", "deliveries")
_PARAMETERS = (
    *("stopped", "discovered", "apps", "model", "credentials", "link-key", "webhooks"),
    *("slack-signing", "sign-in-client-secret"),
)
_TOPICS = ("personal",)
_ACTIONS = {
    "Converse": ("bedrock:InvokeModel",),
    "Invoke": ("lambda:InvokeFunction",),
    "AssumeRole": ("sts:AssumeRole", "sts:TagSession"),
    "ListObjectsV2": ("s3:ListBucket",),
    "HeadObject": ("s3:GetObject",),
    "RunMicrovm": ("lambda:RunMicrovm", "lambda:PassNetworkConnector"),
}
_PREFIXES = {"bedrock-runtime": "bedrock", "lambda-microvms": "lambda", "stepfunctions": "states"}


_READ, _WRITTEN, _BOTH = ("kms:Decrypt",), ("kms:GenerateDataKey",), ("kms:Decrypt", "kms:GenerateDataKey")
KEY: dict[str, tuple[dict[str, tuple[str, ...]], tuple[str, ...]]] = {
    "dynamodb": ({}, _READ),
    "s3": ({"GetObject": _READ, "HeadObject": _READ, "PutObject": _WRITTEN, "ListObjectsV2": ()}, _BOTH),
    "sns": ({}, _BOTH),
}
"""What a caller must be allowed to do with the key by way of a service that encrypts: for an
operation, and for any other.

DynamoDB has its table's key decrypted in the name of whoever reads or writes, and everything else is done in
that of whoever makes the table. S3 asks for nothing else where an object is written at once; of HeadObject it
asks less than this.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/encryption.usagenotes.html#dynamodb-cmk-trail
https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html
https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
"""


def target(action: str, name: str) -> str:
    """What a call's or a policy's resource is, in a word; "" where nobody has the action on several."""
    service = action.partition(":")[0]
    if service == "ssm":
        return next((word for word in _PARAMETERS if word in name.split("/")), "")
    words = {"dynamodb": _TABLES, "sns": _TOPICS}.get(service, ())
    return next((word for word in words if word in name.lower()), "")


def asked_for(service: str, operation: str, given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The actions that a call asks for, each with its target; of the key, with the service that uses it."""
    yield from _asked_of(service, operation, given)
    if service in KEY:
        of, others = KEY[service]
        yield from ((action, service) for action in of.get(operation, others))


def _asked_of(service: str, operation: str, given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if operation == "TransactWriteItems":
        for item in given["TransactItems"]:
            for kind, request in item.items():
                action = f"dynamodb:{kind if kind == 'ConditionCheck' else kind + 'Item'}"
                yield action, target(action, request["TableName"])
        return
    if operation == "BatchGetItem":
        yield from (("dynamodb:BatchGetItem", target("dynamodb:", table)) for table in given["RequestItems"])
        return
    name = next((str(given[key]) for key in ("TableName", "Name", "Path", "TopicArn") if key in given), "")
    prefix = _PREFIXES.get(service, service)
    for action in _ACTIONS.get(operation, (f"{prefix}:{operation}",)):
        yield action, target(action, name)
    if operation == "Converse":
        if "guardrailConfig" in given:
            yield "bedrock:ApplyGuardrail", ""
        if "prompt-router/" in given["modelId"]:
            yield "bedrock:GetPromptRouter", ""


class Removal:
    """Refuses what a permission allows, or takes down what is asked for where there is none."""

    def __init__(self) -> None:
        self.permission = ""
        self.refused = 0
        self.used: set[str] = set()

    def check(self, operation: str, *actions: tuple[str, str]) -> None:
        """Raises ClientError where a function asks for what it may no longer do."""
        folder = _function()
        for action, where in actions if folder else ():
            permission = f"{folder} {action} {where}".strip()
            self.used.add(permission)
            if permission == self.permission:
                self.refused += 1
                message = f"not authorized to perform: {action}"
                raise ClientError({"Error": {"Code": "AccessDenied", "Message": message}}, operation)

    @contextmanager
    def of(self, permission: str) -> Iterator[None]:
        """While this lasts, that permission is gone; "" for none."""
        self.permission, self.refused, self.used = permission, 0, set()
        original = BaseClient._make_api_call  # type: ignore[attr-defined]  # all calls, of resources and paginators, too
        prepare = BaseClient._emit_api_params  # type: ignore[attr-defined]  # what signs an address begins here

        def call(client: Any, operation: str, given: Mapping[str, Any]) -> Any:
            service = client.meta.service_model.service_name
            self.check(operation, *asked_for(service, operation, given))
            try:
                answer = original(client, operation, given)
                if service == "ssm" and given.get("WithDecryption") and '"SecureString"' in _dumped(answer):
                    self.check(operation, ("kms:Decrypt", "ssm"))
                return answer
            except ClientError as error:
                # Who may not list is not told that there is no such object.
                if service == "s3" and error.response["Error"]["Code"] in ("NoSuchKey", "404"):
                    self.check(operation, ("s3:ListBucket", ""))
                raise

        def signed(client: Any, api_params: Any, operation_model: Any, context: Any) -> Any:
            # An address is good for what its signer may do; whoever uses it finds out.
            if context.get("is_presign_request"):
                service, name = client.meta.service_model.service_name, operation_model.name
                self.check(name, *asked_for(service, name, api_params))
            return prepare(client, api_params, operation_model, context)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(BaseClient, "_make_api_call", call)
            patch.setattr(BaseClient, "_emit_api_params", signed)
            try:
                yield
            finally:
                self.permission = ""


REMOVAL = Removal()


def _dumped(answer: Any) -> str:
    return json.dumps(answer, default=str)


def _function() -> str:
    """The folder of the function that is at work; "" where a test itself is."""
    frame: FrameType | None = sys._getframe(1)
    found = ""
    while frame is not None:
        _, _, inside = frame.f_code.co_filename.partition(f"{ROOT}/functions/")
        folder = inside.partition("/")[0]
        if folder and folder not in ("core", "harness"):
            found = folder
        frame = frame.f_back
    return found


def needed() -> dict[str, str]:
    """Permission → the test that fails without it."""
    return {
        f"{folder} {permission}": test
        for folder, rows in tomllib.loads(FILE.read_text()).items()
        for permission, test in rows.items()
    }


def add_removals(items: list[pytest.Item]) -> None:
    """Have each test that needs a permission run without it, too."""
    permissions = defaultdict(list)
    for permission, test in needed().items():
        permissions[test].append(permission)
    for item in list(items):
        for permission in permissions.get(item.nodeid, ()):
            assert isinstance(item, pytest.Function)
            again = pytest.Function.from_parent(
                item.parent,
                name=f"{item.name} without {permission.partition(' ')[2]}",
                callspec=getattr(item, "callspec", None),
                callobj=item.obj,
                fixtureinfo=item._fixtureinfo,
                originalname=item.originalname,
            )
            again.user_properties.append(("removed", permission))
            again.own_markers.extend(m for m in item.own_markers if m not in again.own_markers)
            items.append(again)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    permission = dict(item.user_properties).get("removed")
    if not permission:
        return (yield)
    with REMOVAL.of(str(permission)):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    permission = dict(pyfuncitem.user_properties).get("removed")
    if not permission:
        return (yield)
    try:
        yield
    except (Exception, pytest.fail.Exception):
        if REMOVAL.refused:
            return True
        raise
    raise AssertionError(f"nothing fails without {permission}: asked for {REMOVAL.refused} times")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, object, object]:
    """What fails half-way leaves answers that nobody asked for."""
    try:
        return (yield)
    except AssertionError:
        if dict(item.user_properties).get("removed"):
            return None
        raise


class _Recorder:
    """Which permissions each test uses, and how long it takes, in seconds."""

    def __init__(self) -> None:
        self.tests: dict[str, dict[str, float]] = defaultdict(dict)

    @pytest.hookimpl(wrapper=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> Generator[None, object, object]:
        began = time.monotonic()
        with REMOVAL.of(""):
            answer = yield
        for permission in REMOVAL.used:
            self.tests[permission][pyfuncitem.nodeid] = time.monotonic() - began
        return answer


def _missed(chosen: Mapping[str, str]) -> set[str]:
    """Of these permissions, with a test each, those without which the test fails."""
    _write(chosen)
    with tempfile.TemporaryDirectory() as directory:
        report = Path(directory) / "report.xml"
        command = ["-q", "-n", "2", "-k", "without", f"--junitxml={report}", *sorted(set(chosen.values()))]
        subprocess.run([sys.executable, "-m", "pytest", *command], cwd=ROOT, check=False)
        cases = ElementTree.parse(report).iter("testcase")
        return {
            str(named.get("value"))
            for case in cases
            for named in case.iter("property")
            if case.find("failure") is None and case.find("error") is None
        }


def _write(chosen: Mapping[str, str]) -> None:
    rows: dict[str, list[str]] = defaultdict(list)
    for permission, test in sorted(chosen.items()):
        folder, _, action = permission.partition(" ")
        rows[folder].append(f"{json.dumps(action)} = {json.dumps(test, ensure_ascii=False)}\n")
    tables = (f"[{folder}]\n{''.join(lines)}" for folder, lines in rows.items())
    FILE.write_text(_HEADER + "\n".join(tables))


_HEADER = """\
# Each permission of each function, and a test that fails without it. Made by: python -m tests.removal

"""


def main(only: Sequence[str] = ()) -> None:
    """Find a test for each permission that any test uses. only: folders of functions, for all others what was
    found before stays."""
    text, known = FILE.read_text(), needed()
    try:
        chosen, missing = _found([spec.folder for spec in EVERY if spec.folder in only or not only], known)
    except BaseException:
        FILE.write_text(text)
        raise
    _write(
        {name: test for name, test in known.items() if only and name.partition(" ")[0] not in only} | chosen
    )
    print(f"{len(chosen)} permissions; no test fails without: {missing or 'none'}")


def _found(folders: Sequence[str], known: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """A test for each permission of these functions that any test uses, and those without one. known: what
    was found before, which goes first; then the quickest."""
    _write({})
    recorder = _Recorder()
    # A step's test may lie with the step that goes before.
    searched = {"commit_patch": "create_pull_request"}
    paths = {f"tests/unit/{name}" for each in folders for name in (each, searched.get(each, each))}
    pytest.main(["-q", "-m", "moto", *sorted(filter(os.path.isdir, paths))], plugins=[recorder])
    waiting = {
        permission: sorted(found, key=lambda test: (test != known.get(permission), found[test]))
        for permission, found in recorder.tests.items()
        if permission.partition(" ")[0] in folders
    }
    chosen: dict[str, str] = {}
    for number in range(_TRIED):
        tried = {permission: tests[number] for permission, tests in waiting.items() if len(tests) > number}
        found = _missed(tried) if tried else set()
        chosen |= {permission: tried[permission] for permission in found}
        waiting = {permission: tests for permission, tests in waiting.items() if permission not in found}
    return chosen, sorted(waiting)


if __name__ == "__main__":
    # As the tests import it: what they use is recorded there.
    importlib.import_module("tests.removal").main(sys.argv[1:])
