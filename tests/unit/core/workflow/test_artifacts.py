"""What a reference says is what is read, or nothing is."""

from __future__ import annotations

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from functions.core.workflow.artifacts import Artifacts
from functions.core.workflow.errors import ArtifactChanged


@pytest.fixture
def artifacts(aws: None) -> Artifacts:
    boto3.client("s3").create_bucket(Bucket="artifacts")
    return Artifacts(boto3.client("s3"), "artifacts")


def test_a_reference_names_the_bytes_and_reads_them(artifacts: Artifacts) -> None:
    reference = artifacts.put_json("a/1/evidence.json", {"gates": []})
    assert reference.startswith("a/1/evidence.json@sha256:")
    assert artifacts.get_json(reference) == {"gates": []}
    assert artifacts.find_json(reference) == artifacts.get_json("a/1/evidence.json")
    assert artifacts.find_json("a/2/evidence.json@sha256:" + "0" * 64) is None


def test_bytes_that_were_swapped_are_not_read(artifacts: Artifacts) -> None:
    reference = artifacts.put_json("a/1/proposal.json", {})
    artifacts.put_json("a/1/proposal.json", {"title": "forged"})
    for read in (artifacts.get, artifacts.get_text, artifacts.get_json, artifacts.find_json):
        with pytest.raises(ArtifactChanged, match=r"a/1/proposal\.json is not what was written"):
            read(reference)


def test_where_the_bucket_keeps_versions_a_reference_stays_good(artifacts: Artifacts) -> None:
    boto3.client("s3").put_bucket_versioning(
        Bucket="artifacts", VersioningConfiguration={"Status": "Enabled"}
    )
    first = artifacts.put_json("a/1/evidence.json", {"seconds": 1})
    second = artifacts.put_json("a/1/evidence.json", {"seconds": 2})
    assert artifacts.get_json(first) == {"seconds": 1}
    assert artifacts.get_json(second) == artifacts.get_json("a/1/evidence.json")
    with pytest.raises(ArtifactChanged):
        artifacts.get(first.partition("@")[0] + "@" + second.partition("@")[2])


@pytest.mark.parametrize(
    ("listed", "missing"),
    [
        ([], True),
        (["a/1/evidence.json.old"], True),
        (["a/1/evidence.json"], False),
    ],
)
def test_who_may_list_a_heals_prefix_alone_sees_there_what_is_missing(
    listed: list[str], missing: bool, aws: None
) -> None:
    """S3 tells them 403 of an object that is not there, as of one that they may not read."""
    client = boto3.client("s3")
    with Stubber(client) as s3:
        s3.add_client_error("get_object", "AccessDenied", http_status_code=403)
        s3.add_response("list_objects_v2", {"Contents": [{"Key": key} for key in listed]})
        artifacts = Artifacts(client, "artifacts")
        if missing:
            assert artifacts.find_json("a/1/evidence.json") is None
        else:
            with pytest.raises(ClientError, match="AccessDenied"):
                artifacts.find_json("a/1/evidence.json")
