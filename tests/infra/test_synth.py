"""Synthesis: offline, and as rarely as possible. Tried on a copy of the project, whose files are changed."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from infra.packaging import ROOT
from infra.subscription import FILTER_PATTERN
from infra.synth import SynthesisFailed, synthesise

Synthesise = Callable[..., Path]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of everything that synthesis reads."""
    copy = tmp_path_factory.mktemp("project")
    for folder in ("functions", "infra", "statemachine"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__", "local"))
    for file in ("pyproject.toml", "requirements.lock"):
        shutil.copy(ROOT / file, copy)
    return copy


@pytest.fixture(scope="module")
def run(project: Path) -> Synthesise:
    """Calls `synthesise` of the copied project, in a process without credentials, Node or home."""

    def call(packaging: str = "zip") -> Path:
        code = f"from infra.synth import synthesise; print(synthesise(packaging={packaging!r}))"
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=project,
            env={"PATH": "/nowhere", "PYTHONPATH": str(project), "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return Path(done.stdout.strip())

    return call


@pytest.fixture(scope="module")
def first(run: Synthesise, project: Path) -> Path:
    """The first assembly: made by CDK, of the project that this is a copy of."""
    made = synthesise(packaging="zip").parent
    shutil.copytree(made, project / made.relative_to(ROOT))
    return run()


def template_of(assembly: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((assembly / "SelfHealingCode.template.json").read_text())
    return content


def code_of(assembly: Path, function: str) -> Path:
    """The staged code of a function, found as a deployment finds it."""
    (key,) = [
        resource["Properties"]["Code"]["S3Key"]
        for resource in template_of(assembly)["Resources"].values()
        if resource["Type"] == "AWS::Lambda::Function" and resource["Properties"]["FunctionName"] == function
    ]
    (source,) = [
        asset["source"]["path"]
        for asset in json.loads((assembly / "SelfHealingCode.assets.json").read_text())["files"].values()
        for destination in asset["destinations"].values()
        if destination["objectKey"] == key
    ]
    return assembly / str(source)


def version_of(assembly: Path, function_id: str) -> str:
    (version,) = [
        logical_id
        for logical_id, resource in template_of(assembly)["Resources"].items()
        if resource["Type"] == "AWS::Lambda::Version"
        and resource["Properties"]["FunctionName"]["Ref"].startswith(function_id)
    ]
    return str(version)


def test_nothing_changed_is_answered_from_the_cache(first: Path, run: Synthesise) -> None:
    assert run() == first


def test_a_cached_answer_starts_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    made = synthesise(packaging="zip")

    monkeypatch.setattr(subprocess, "Popen", None)

    assert synthesise(packaging="zip") == made


def test_files_that_are_no_modules_are_watched_too(first: Path) -> None:
    made = json.loads((first.parent / "made.json").read_text())
    assert {"infra/viewer_request.js", "statemachine/self_heal.asl.json"} <= made["inputs"].keys()


def test_changed_code_is_relinked_without_running_cdk(first: Path, run: Synthesise, project: Path) -> None:
    (project / "functions" / "claim_incident" / "added.py").write_text("ADDED = True\n")
    made = first.parent / "made.json"
    before = made.read_text()

    relinked = run()

    assert relinked != first
    assert made.read_text() == before, "the assembly that CDK made is still the newest"
    assert (code_of(relinked, "self-heal-claim-incident") / "functions/claim_incident/added.py").exists()
    assert not (code_of(relinked, "self-heal-record-outcome") / "functions/claim_incident").exists()
    (project / "functions" / "claim_incident" / "added.py").unlink()
    assert run() == first


def comparable(assembly: Path) -> dict[str, Any]:
    """A template without the state machine, and the part of the versions' ids that only CDK can compute."""
    template = template_of(assembly)
    versions = [i for i, r in template["Resources"].items() if r["Type"] == "AWS::Lambda::Version"]
    template["Resources"] = {
        logical_id: resource
        for logical_id, resource in template["Resources"].items()
        if resource["Type"] != "AWS::StepFunctions::StateMachine"
    }
    text = json.dumps(template)
    for version in versions:
        text = text.replace(version, version[:-32])
    return dict(json.loads(text))


def staged(assembly: Path) -> dict[str, bytes]:
    return {
        path.relative_to(assembly).as_posix(): path.read_bytes()
        for path in assembly.glob("asset.*/**/*")
        if path.is_file()
    }


def test_a_relinked_assembly_is_what_cdk_makes_after_a_change_of_the_state_machine(
    first: Path, run: Synthesise, project: Path
) -> None:
    changed = project / "functions" / "core" / "workflow" / "heal.py"
    changed.write_text(changed.read_text() + "\n# changed\n")
    relinked = run()
    template, files = comparable(relinked), staged(relinked)
    version, version_before = (version_of(assembly, "RecordOutcome") for assembly in (relinked, first))

    definition = project / "statemachine" / "self_heal.asl.json"
    definition.write_text(definition.read_text().replace("Heals one incident", "Heals exactly one incident"))
    fresh = run()

    assert "Heals exactly one" in (fresh / "SelfHealingCode.template.json").read_text()
    assert "Heals exactly one" not in (relinked / "SelfHealingCode.template.json").read_text()
    assert comparable(fresh) == template
    assert staged(fresh) == files
    assert version != version_before, "new code without a new version would not be deployed"


def test_the_manifest_names_the_template_that_is_there(run: Synthesise, project: Path) -> None:
    run()
    added = project / "functions" / "report_failure" / "added.py"
    added.write_text("ADDED = True\n")

    relinked = run()
    added.unlink()

    digest = hashlib.sha256((relinked / "SelfHealingCode.template.json").read_bytes()).hexdigest()
    files = json.loads((relinked / "SelfHealingCode.assets.json").read_text())["files"]
    assert files[digest]["source"]["path"] == "SelfHealingCode.template.json"
    assert f"/{digest}.json" in (relinked / "manifest.json").read_text()


def test_an_unknown_packaging_is_refused() -> None:
    with pytest.raises(ValueError, match="tarball"):
        synthesise(packaging="tarball")


def test_a_refused_option_says_so(tmp_path: Path) -> None:
    with pytest.raises(SynthesisFailed, match="belongs to this system"):
        synthesise(context={"log_groups": "/aws/lambda/self-heal-detect-errors"}, cache=tmp_path)


@pytest.fixture(scope="module")
def run_by_cdk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`cdk deploy --app "python infra/app.py"` gives the directory and the context in the environment."""
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    context = {
        "packaging": "zip",
        "log_groups": "/aws/lambda/orders,/ecs/billing",
        "reserve_concurrency": "false",
        "approval_hours": "48",
        "package_index": "https://packages.example/",
    }
    done = subprocess.run(
        [sys.executable, str(ROOT / "infra" / "app.py")],
        cwd=elsewhere,
        env={
            "PATH": "/nowhere",
            "CDK_OUTDIR": str(elsewhere / "out"),
            "CDK_CONTEXT_JSON": json.dumps(context),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == f"cloud assembly: {elsewhere / 'out'}\n", done.stderr[-2000:]
    return elsewhere / "out"


def test_it_needs_neither_credentials_nor_an_installed_node(run_by_cdk: Path) -> None:
    assert len(template_of(run_by_cdk)["Resources"]) > 100


def test_the_app_takes_its_options_from_the_cdk_command(run_by_cdk: Path) -> None:
    functions = [
        r["Properties"]
        for r in template_of(run_by_cdk)["Resources"].values()
        if r["Type"] == "AWS::Lambda::Function"
    ]

    assert not [f for f in functions if "PackageType" in f]
    assert not [f for f in functions if "ReservedConcurrentExecutions" in f]


def test_the_time_to_decide_is_a_literal_of_the_definition_and_the_life_of_a_link(run_by_cdk: Path) -> None:
    properties = [r["Properties"] for r in template_of(run_by_cdk)["Resources"].values() if "Properties" in r]
    (definition,) = [json.loads(p["DefinitionString"]) for p in properties if "DefinitionString" in p]
    lives = [
        p["Environment"]["Variables"]["APPROVAL_TTL_SECONDS"]
        for p in properties
        if "APPROVAL_TTL_SECONDS" in p.get("Environment", {}).get("Variables", {})
    ]

    assert definition["States"]["AwaitApproval"]["TimeoutSeconds"] == 48 * 3600
    assert lives == [str(48 * 3600)]


def test_packages_come_from_the_index_that_the_operator_names(run_by_cdk: Path) -> None:
    properties = [r["Properties"] for r in template_of(run_by_cdk)["Resources"].values() if "Properties" in r]
    variables = [p.get("Environment", {}).get("Variables", {}) for p in properties]
    named = [v for v in variables if isinstance(v, dict) and "PACKAGE_INDEX" in v]

    assert [(v["POWERTOOLS_SERVICE_NAME"], v["PACKAGE_INDEX"]) for v in named] == [
        ("install_dependencies", "https://packages.example/")
    ]


def test_log_groups_of_the_context_are_subscribed(run_by_cdk: Path) -> None:
    filters = [
        r
        for r in template_of(run_by_cdk)["Resources"].values()
        if r["Type"] == "AWS::Logs::SubscriptionFilter"
    ]

    assert {f["Properties"]["LogGroupName"] for f in filters} == {"/aws/lambda/orders", "/ecs/billing"}
    assert {f["Properties"]["FilterPattern"] for f in filters} == {FILTER_PATTERN}
    assert all(f["DependsOn"] for f in filters), "CloudWatch Logs tries the function when the filter is made"
