"""What is in a function's package, and that both ways of packaging deploy the same system."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from infra.catalog import EVERY, FUNCTIONS, Spec
from infra.packaging import PYTHON, ROOT, digest, handler, powertools_layer, requirements, tree, write

LIGHT = [spec for spec in EVERY if not spec.image]
IMAGE = [spec for spec in FUNCTIONS if spec.image]

# What Lambda's Python runtime and the Powertools layer bring.
# https://docs.aws.amazon.com/lambda/latest/dg/lambda-python.html
# https://github.com/aws-powertools/powertools-lambda-python/blob/develop/layer_v3/docker/Dockerfile
IN_RUNTIME_AND_LAYER = (
    "aws_lambda_powertools",
    "aws_xray_sdk",
    "boto3",
    "botocore",
    "dateutil",
    "fastjsonschema",
    "jmespath",
    "s3transfer",
    "six",
    "typing_extensions",
    "urllib3",
    "wrapt",
)
# Imports a handler from a staged package where everything else that is installed here is out of reach.
IMPORT_ALONE = """
import importlib, importlib.abc, sys
staged, module, *allowed = sys.argv[1:]
class Guard(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top not in sys.stdlib_module_names and top not in allowed and top != "functions":
            raise ModuleNotFoundError(f"{name} is neither in the package nor in the layer")
sys.meta_path.insert(0, Guard())
sys.path.insert(0, staged)
found = importlib.import_module(module)
assert found.__file__.startswith(staged), found.__file__
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


@pytest.mark.parametrize("spec", LIGHT, ids=lambda spec: spec.folder)
def test_a_light_function_starts_with_the_layer_alone(spec: Spec, tmp_path: Path) -> None:
    staged = write(tree(spec), tmp_path)
    module = handler(spec).rpartition(".")[0]

    done = subprocess.run(
        [sys.executable, "-c", IMPORT_ALONE, str(staged), module, *IN_RUNTIME_AND_LAYER],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.parametrize("spec", LIGHT, ids=lambda spec: spec.folder)
def test_a_light_function_never_imports_beyond_the_layer_not_even_later(spec: Spec) -> None:
    """Imports within functions run on the first call that needs them: nothing at start-up tells."""
    allowed = {*IN_RUNTIME_AND_LAYER, *sys.stdlib_module_names, "functions"}
    seen: set[str] = set()
    waiting = [handler(spec).rpartition(".")[0]]
    while waiting:
        module = waiting.pop()
        if module in seen:
            continue
        seen.add(module)
        for name in _imports(ROOT / f"{module.replace('.', '/')}.py"):
            assert name.partition(".")[0] in allowed, f"{module} imports {name}"
            if name.startswith("functions.") and (ROOT / f"{name.replace('.', '/')}.py").is_file():
                waiting.append(name)


def _imports(path: Path) -> list[str]:
    """All modules that a file imports anywhere but for type checking."""
    tree_of_file = ast.parse(path.read_text())
    skipped = {
        id(node)
        for block in ast.walk(tree_of_file)
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
        for node in ast.walk(block)
    }
    found: list[str] = []
    for node in ast.walk(tree_of_file):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.append(node.module)
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


def test_the_layer_is_the_locked_release() -> None:
    release = metadata.version("aws-lambda-powertools")

    assert powertools_layer() == (
        f"{{{{resolve:ssm:/aws/service/powertools/python/x86_64/python{PYTHON}/{release}}}}}"
    )


# Image and zip


def test_image_and_zip_deploy_the_same_system(image_template: Any, zip_template: Any) -> None:
    def without_packaging(template: Any) -> Any:
        raw = json.loads(re.sub(r"(CurrentVersion\w{8})\w{32}", r"\1", json.dumps(template.raw)))
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
    spec: Spec, image_template: Any, zip_template: Any
) -> None:
    image, zipped = image_template.function(spec.folder), zip_template.function(spec.folder)

    assert image["PackageType"] == "Image"
    assert image["ImageConfig"] == {"Command": [handler(spec)]}
    assert "Handler" not in image
    assert (zipped["Handler"], zipped["Runtime"]) == (handler(spec), f"python{PYTHON}")
    assert "Layers" not in zipped


@pytest.mark.parametrize("spec", [s for s in LIGHT if s in FUNCTIONS], ids=lambda spec: spec.folder)
def test_a_light_function_is_a_zip_in_both(spec: Spec, image_template: Any, zip_template: Any) -> None:
    deployed, embedded = image_template.function(spec.folder), zip_template.function(spec.folder)

    assert deployed["Layers"] == [powertools_layer()]
    assert deployed["Code"] == embedded["Code"]
    assert deployed["Handler"] == embedded["Handler"] == handler(spec)


def test_there_are_two_images_from_one_tree(image_template: Any) -> None:
    manifest = json.loads(image_template.path.with_name("SelfHealingCode.assets.json").read_text())
    sources = [image["source"] for image in manifest["dockerImages"].values()]

    assert {source["platform"] for source in sources} == {"linux/amd64"}
    assert sorted(source["dockerBuildTarget"] for source in sources) == ["functions", "runner"]
    architectures = {
        tuple(f["Architectures"]) for f in image_template.of_type("AWS::Lambda::Function").values()
    }
    assert architectures == {("x86_64",)}
