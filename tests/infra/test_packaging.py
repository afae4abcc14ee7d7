"""What is in a function's package, and that both ways of packaging deploy the same system."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from functions.harness import interpreters
from infra import assets
from infra.catalog import EVERY, FUNCTIONS
from infra.layer import layer_tree, packages
from infra.packaging import (
    PYTHON,
    ROOT,
    Packaging,
    digest,
    handler,
    locked_versions,
    requirements,
    source,
    tree,
    write,
)
from infra.spec import Spec
from tests.deployment_uses import DEPLOYMENT, imports

if TYPE_CHECKING:
    from tests.infra.conftest import Template

LIGHT = [spec for spec in EVERY if not spec.image]
IMAGE = [spec for spec in FUNCTIONS if spec.image]

# What Lambda's Python runtime brings.
# https://docs.aws.amazon.com/lambda/latest/dg/lambda-python.html
IN_RUNTIME = ("boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six", "urllib3")
# Imports a handler where nothing that is installed here can be reached but what is given.
IMPORT_ALONE = """
import importlib, sys
sys.path[:0] = sys.argv[2:]
found = importlib.import_module(sys.argv[1])
assert found.__file__.startswith(sys.argv[2]), found.__file__
assert callable(found.handler)
"""

DIFFERENCES = ("Code", "Handler", "ImageConfig", "Layers", "PackageType", "Runtime")


def test_a_light_function_has_its_own_code_and_core_and_nothing_else() -> None:
    for spec in LIGHT:
        folders = {path.split("/")[1] for path in tree(spec)}
        assert folders == {"__init__.py", "core", spec.folder}


def test_an_image_has_all_code_and_what_it_installs() -> None:
    (files,) = {digest(tree(spec)): tree(spec) for spec in IMAGE}.values()

    assert {f"functions/{spec.folder}/handler.py" for spec in FUNCTIONS} <= files.keys()
    assert {"Dockerfile", "requirements.txt", "uv.txt", "harness.txt"} <= files.keys()


def test_no_package_holds_bytecode_or_tests() -> None:
    paths = {path for spec in FUNCTIONS for path in tree(spec)}

    assert not [path for path in paths if "__pycache__" in path or path.endswith(".pyc") or "tests/" in path]


@pytest.fixture(scope="module")
def layer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The layer as Lambda unpacks it; its modules."""
    return write(layer_tree(), tmp_path_factory.mktemp("opt")) / "python"


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What Lambda's Python runtime brings, and nothing else that is installed here."""
    folder = tmp_path_factory.mktemp("runtime")
    site = Path(str(metadata.distribution("boto3").locate_file("")))
    for name in IN_RUNTIME:
        found = next(path for path in (site / name, site / f"{name}.py") if path.exists())
        (folder / found.name).symlink_to(found)
    return folder


@pytest.mark.parametrize("spec", LIGHT, ids=lambda spec: spec.folder)
def test_a_light_function_starts_with_the_layer_alone(
    spec: Spec, layer: Path, runtime: Path, tmp_path: Path
) -> None:
    staged = write(tree(spec), tmp_path)
    module = handler(spec).rpartition(".")[0]

    done = subprocess.run(
        [sys.executable, "-ISB", "-c", IMPORT_ALONE, module, str(staged), str(layer), str(runtime)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.parametrize("spec", LIGHT, ids=lambda spec: spec.folder)
def test_a_light_function_never_imports_beyond_the_layer_not_even_later(spec: Spec, layer: Path) -> None:
    """Imports within functions run on the first call that needs them: nothing at start-up tells.

    Of the deployment, which imports each thing with what makes it, that is what some module asks it for.
    """
    held = {path.name.partition(".")[0] for path in layer.iterdir()}
    allowed = {*IN_RUNTIME, *held, *sys.stdlib_module_names, "functions"}
    seen: set[str] = set()
    waiting = [handler(spec).rpartition(".")[0]]
    while waiting:
        module = waiting.pop()
        if module in seen:
            continue
        seen.add(module)
        path = ROOT / f"{module.replace('.', '/')}.py"
        asked = () if path == DEPLOYMENT else imports(path.read_text())
        for name in (*_imports(path, at_start=path == DEPLOYMENT), *asked):
            assert name.partition(".")[0] in allowed, f"{module} imports {name}"
            if name.startswith("functions.") and (ROOT / f"{name.replace('.', '/')}.py").is_file():
                waiting.append(name)


def test_a_deployment_goes_by_its_name_everywhere() -> None:
    """What is asked of it is read from the code by that name."""
    names = {"deployment", "_deployment"}
    strangers: list[str] = []
    for path in (ROOT / "functions").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.arg(name, annotation) | ast.AnnAssign(ast.Name(name), annotation):
                    typed = annotation is not None and ast.unparse(annotation) == "Deployment"
                case ast.Assign([ast.Name(name) | ast.Attribute(attr=name)], value):
                    typed = bool(re.fullmatch(r"(\w+\.)?_?deployment(\(\))?", ast.unparse(value)))
                case _:
                    continue
            if typed and name not in names:
                strangers.append(f"{path.relative_to(ROOT)}:{node.lineno} {name}")
    assert not strangers


def test_the_layer_is_what_the_lock_says_and_nothing_compiled() -> None:
    versions = locked_versions()

    assert {"aws-lambda-powertools", "aws-xray-sdk", "jinja2", "pygments"} <= set(packages())
    assert {name: metadata.version(name) for name in packages()} == {n: versions[n] for n in packages()}
    assert not [path for path in layer_tree() if path.endswith((".so", ".pyc", ".pyd"))]
    assert sum(map(len, layer_tree().values())) < 25e6, "a tenth of what Lambda takes"


def test_a_package_that_was_altered_here_is_not_deployed(monkeypatch: pytest.MonkeyPatch) -> None:
    read = metadata.PackagePath.read_binary
    monkeypatch.setattr(
        metadata.PackagePath, "read_binary", lambda self: read(self) + b"#" * (self.name == "ext.py")
    )

    with pytest.raises(LookupError, match="is not what its wheel brought"):
        layer_tree()


def test_another_version_than_the_lock_says_is_not_deployed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infra.layer.locked_versions", lambda: dict.fromkeys(packages(), "0.1"))

    with pytest.raises(LookupError, match=r"says 0\.1"):
        layer_tree()


def _imports(path: Path, *, at_start: bool = False) -> list[str]:
    """All modules that a file imports anywhere but for type checking; at_start: but within functions, too."""
    tree_of_file = ast.parse(path.read_text())
    skipped = {
        id(node)
        for block in ast.walk(tree_of_file)
        if (isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING")
        or (at_start and isinstance(block, ast.FunctionDef))
        for node in ast.walk(block)
    }
    found: list[str] = []
    for node in ast.walk(tree_of_file):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return found


def test_the_digest_depends_on_paths_and_contents_only(tmp_path: Path) -> None:
    files = {"a/b.py": b"x = 1\n", "c.py": b""}
    moved = {"a/c.py": b"x = 1\n", "c.py": b""}
    shifted = {"a/b.py": b"x = 1\nc.py", "": b""}

    assert digest(files) == digest(dict(reversed(files.items())))
    assert len({digest(files), digest(moved), digest(shifted), digest({**files, "c.py": b"#"})}) == 4


def test_writing_a_tree_restores_it(tmp_path: Path) -> None:
    files = tree(LIGHT[0])

    folder = write(files, tmp_path / "staged")

    found = {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    assert found == files


# Requirements


def test_requirements_are_pinned_with_hashes_and_name_no_index() -> None:
    lines = requirements().splitlines()
    pins = [line for line in lines if not line.startswith(" ")]

    assert all(re.match(r"[A-Za-z0-9._-]+(\[[a-z,]+\])?==\S+", pin) for pin in pins)
    assert all(line.strip().startswith("--hash=sha256:") for line in lines if line.startswith(" "))
    assert "://" not in requirements()


def test_requirements_hold_what_the_image_runs_and_no_tool() -> None:
    names = {re.split(r"[=\[ ]", line)[0] for line in requirements().splitlines() if line[0] != " "}

    assert {"gitpython", "pygithub", "detect-secrets", "jinja2", "pytest", "pynacl", "gitdb"} <= names
    assert not names & {"aws-cdk-lib", "ministack", "moto", "mypy", "typer", "colorama", "pytest-xdist"}


def test_requirements_are_the_versions_that_are_tested_here() -> None:
    pinned = dict(re.findall(r"(?m)^([a-z0-9-]+)(?:\[.*\])?==([^ \\;]+)", requirements()))

    assert pinned == {name: metadata.version(name) for name in pinned}


def test_requirements_are_complete() -> None:
    """The image installs them with `--no-deps`: nothing that they need may be missing."""
    pinned = dict(re.findall(r"(?m)^([a-z0-9-]+)(?:\[.*\])?==([^ \\;]+)", requirements()))
    needed = {
        re.split(r"[^A-Za-z0-9._-]", text)[0].lower().replace("_", "-").replace(".", "-")
        for name in pinned
        for text in metadata.requires(name) or ()
        if ";" not in text
    }

    assert needed <= pinned.keys()


# Image and zip


def test_image_and_zip_deploy_the_same_system(image_template: Template, zip_template: Template) -> None:
    def without_packaging(template: Any) -> Any:
        raw = json.loads(re.sub(r"(CurrentVersion\w{8})\w{32}", r"\1", json.dumps(template.raw)))
        raw["Resources"] = {
            name: r for name, r in raw["Resources"].items() if r["Type"] != "AWS::Lambda::LayerVersion"
        }
        for resource in raw["Resources"].values():
            if resource["Type"] == "AWS::Lambda::Function":
                for key in DIFFERENCES:
                    resource["Properties"].pop(key, None)
                # Here apps run on the Pythons of this machine.
                resource["Properties"].get("Environment", {}).get("Variables", {}).pop("PYTHONS", None)
        return raw

    assert without_packaging(image_template) == without_packaging(zip_template)


@pytest.mark.parametrize("spec", IMAGE, ids=lambda spec: spec.folder)
def test_an_image_function_has_its_command_and_the_zip_the_same_handler(
    spec: Spec, image_template: Template, zip_template: Template
) -> None:
    image, zipped = image_template.function(spec.folder), zip_template.function(spec.folder)

    assert image["PackageType"] == "Image"
    assert image["ImageConfig"] == {"Command": [handler(spec)]}
    assert "Handler" not in image
    assert (zipped["Handler"], zipped["Runtime"]) == (handler(spec), f"python{PYTHON}")
    assert "Layers" not in zipped


@pytest.mark.parametrize("spec", [s for s in LIGHT if s in FUNCTIONS], ids=lambda spec: spec.folder)
def test_a_light_function_is_a_zip_in_both(
    spec: Spec, image_template: Template, zip_template: Template
) -> None:
    deployed, embedded = image_template.function(spec.folder), zip_template.function(spec.folder)

    (layer,) = image_template.of_type("AWS::Lambda::LayerVersion")
    assert deployed["Layers"] == [layer]
    assert "Layers" not in embedded
    assert not zip_template.of_type("AWS::Lambda::LayerVersion")
    assert deployed["Code"] == embedded["Code"]
    assert deployed["Handler"] == embedded["Handler"] == handler(spec)


def test_what_is_deployed_as_zip_is_compiled_for_the_interpreter_that_runs_it(
    image_template: Template,
) -> None:
    """Lambda cannot write beside it, and would compile at every cold start."""
    tag = f"cpython-{PYTHON.replace('.', '')}"
    manifest = json.loads(image_template.path.with_name("SelfHealingCode.assets.json").read_text())
    zips = [f["source"]["path"] for f in manifest["files"].values() if f["source"]["packaging"] == "zip"]

    for path in zips:
        folder = image_template.path.parent / path
        sources = {p.relative_to(folder) for p in folder.rglob("*.py")}
        compiled = {p.relative_to(folder) for p in folder.rglob(f"__pycache__/*.{tag}.pyc")}
        expected = {p.parent / "__pycache__" / f"{p.stem}.{tag}.pyc" for p in sources}
        assert compiled == (expected if interpreters.find(PYTHON) else set())


def test_bytecode_is_made_by_an_interpreter_of_the_functions_version_wherever_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not only by the one that runs the synthesis."""
    version = interpreters.available()[0]
    monkeypatch.setattr(assets, "PYTHON", version)

    folder = assets.Package(Packaging.IMAGE, tmp_path)._stage_compiled({"a/b.py": b"X = 1\n"})

    (made,) = folder.rglob("*.pyc")
    assert made.name == f"b.cpython-{version.replace('.', '')}.pyc"
    assert str(tmp_path).encode() not in made.read_bytes(), "the same wherever it is made"


@pytest.mark.parametrize("spec", LIGHT, ids=lambda spec: spec.folder)
def test_a_light_function_needs_no_newer_sdk_than_its_runtime_brings(spec: Spec) -> None:
    """Services and parameters that AWS added when the runtime was there already, or with it."""
    code = b"\n".join(content for path, content in source(spec).items() if spec.folder in path)
    assert not [name for name in (b"TenantId", b"lambda-microvms") if name in code]


def test_there_are_two_images_from_one_tree(image_template: Template) -> None:
    manifest = json.loads(image_template.path.with_name("SelfHealingCode.assets.json").read_text())
    sources = [image["source"] for image in manifest["dockerImages"].values()]

    assert {source["platform"] for source in sources} == {"linux/amd64"}
    assert sorted(source["dockerBuildTarget"] for source in sources) == ["functions", "runner"]
    architectures = {
        f["FunctionName"]: (f.get("PackageType", "Zip"), *f["Architectures"])
        for f in image_template.of_type("AWS::Lambda::Function").values()
    }
    # Images run wheels for the platform of apps; Python alone runs where it costs a fifth less.
    assert set(architectures.values()) == {("Image", "x86_64"), ("Zip", "arm64")}
    assert architectures["self-heal-decide-approval"] == ("Zip", "arm64"), "zips never fall asleep"
