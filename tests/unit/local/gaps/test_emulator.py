"""Starting and stopping the emulator, and what holds while it runs."""

from __future__ import annotations

import json
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import psutil
import pytest
from botocore.exceptions import ClientError

from infra.local.emulator import Emulator, EmulatorError
from tests.processes import commands_below
from tests.unit.local.gaps.bench import Bench

pytestmark = pytest.mark.embedded


def test_it_listens_on_loopback_only(aws: Bench) -> None:
    processes = [psutil.Process(aws.emulator.pid), *psutil.Process(aws.emulator.pid).children(recursive=True)]
    listening = []
    for process in processes:
        with suppress(psutil.NoSuchProcess):  # an environment that ended meanwhile
            listening += [c for c in process.net_connections() if c.status == psutil.CONN_LISTEN]
    assert {c.laddr.ip for c in listening} == {"127.0.0.1"}


def test_nothing_of_the_shell_leaks_in(aws: Bench) -> None:
    environment = psutil.Process(aws.emulator.pid).environ()
    assert not [name for name in environment if name.startswith("AWS_")]
    assert environment["TMPDIR"].startswith(str(aws.emulator.home))


def test_its_session_ignores_the_environment(aws: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_PROFILE", "production")
    identity = aws.emulator.session().client("sts").get_caller_identity()
    assert identity["Account"] == aws.emulator.account


def test_unknown_credentials_are_refused(aws: Bench) -> None:
    stranger = aws.session.client("s3", aws_access_key_id="AKIAIOSFODNN7EXAMPLE", aws_secret_access_key="x")
    with pytest.raises(ClientError, match="InvalidAccessKeyId"):
        stranger.list_buckets()


def test_stopping_ends_workers_in_the_middle_of_their_work(
    tmp_path: Path,
) -> None:
    source = "import subprocess\ndef handler(event, context):\n    subprocess.run(['sleep', '272'])\n"
    with Emulator(tmp_path / "home") as emulator:
        bench = Bench(emulator)
        bench.make_function("busy", source, Timeout=300)
        threading.Thread(
            target=bench.lambda_.invoke, kwargs={"FunctionName": "busy", "InvocationType": "Event"}
        ).start()
        root = psutil.Process(emulator.pid)
        bench.wait_for(lambda: any(command[:1] == ["sleep"] for _, command in commands_below(root)))
        started = root.children(recursive=True)
    gone, alive = psutil.wait_procs(started, timeout=60)
    assert not alive
    assert len(gone) >= 3
    assert not (tmp_path / "home" / "tmp").exists()


def test_a_failed_start_shows_the_log(tmp_path: Path) -> None:
    class Broken(Emulator):
        module = "infra.local.nowhere"

    with pytest.raises(EmulatorError, match="No module named infra"):
        Broken(tmp_path).start()


def test_a_conditional_update_is_won_once(aws: Bench, unique: str) -> None:
    dynamodb = aws.client("dynamodb")
    dynamodb.create_table(
        TableName=unique,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    dynamodb.put_item(TableName=unique, Item={"id": {"S": "i"}, "status": {"S": "NEW"}})

    def claim(number: int) -> bool:
        try:
            dynamodb.update_item(
                TableName=unique,
                Key={"id": {"S": "i"}},
                UpdateExpression="SET #s = :healing, winner = :n",
                ConditionExpression="#s = :new",
                ExpressionAttributeNames={"#s": "status"},
                ExpressionAttributeValues={
                    ":healing": {"S": "HEALING"},
                    ":new": {"S": "NEW"},
                    ":n": {"N": str(number)},
                },
            )
        except dynamodb.exceptions.ConditionalCheckFailedException:
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(claim, range(64))) == 1


def test_executions_run_side_by_side(aws: Bench, unique: str) -> None:
    function = aws.make_function(
        unique,
        "import time\ndef handler(event, context):\n"
        "    began = time.time()\n    time.sleep(1)\n    return {**event, 'ran': [began, time.time()]}\n",
    )
    arguments = {"FunctionName": function, "Payload": "{% $states.input %}"}
    state = {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Arguments": arguments,
        "End": True,
    }
    machine = aws.make_machine(unique, {"Only": state | {"Output": "{% $states.result.Payload %}"}})
    executions = [aws.start(machine, {"n": number}) for number in range(8)]
    outputs = [json.loads(aws.finish(execution)["output"]) for execution in executions]
    assert [output["n"] for output in outputs] == list(range(8))
    runs = sorted(output["ran"] for output in outputs)
    assert any(later[0] < earlier[1] for earlier, later in pairwise(runs)), "one waited for the other"


def test_two_emulators_do_not_meet(aws: Bench, tmp_path: Path) -> None:
    with Emulator(tmp_path) as other:
        assert other.endpoint != aws.emulator.endpoint
        assert other.session().client("sqs").list_queues().get("QueueUrls", []) == []
    port = int(other.endpoint.rpartition(":")[2])
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0
