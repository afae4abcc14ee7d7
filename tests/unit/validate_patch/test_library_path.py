"""The whole proof on a Python that works only through LD_LIBRARY_PATH, as AWS's does."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from functions.core.source.python import Python
from functions.core.workflow.evidence import Result
from functions.core.workflow.proposal import Proposal
from functions.core.workflow.validation_context import ValidationContext
from functions.harness import driver
from functions.harness.interpreters import DIRECTORY
from functions.harness.runner import Ran
from functions.validate_patch import order
from functions.validate_patch.tree import Tree
from functions.validate_patch.validate import Validation, examine, judge
from tests.fakes.pythons import HERE, loaded_by_path

FIX = ("shop/pricing.py", "RATES[country]", "RATES.get(country, DEFAULT_RATE)")
Prove = Callable[[dict[str, str]], Validation]


@pytest.fixture
def prove(
    tmp_path: Path, shop: Tree, incidents: dict[str, ValidationContext], propose: Callable[..., Proposal]
) -> Prove:
    """Prove an honest patch by the driver as a program, with these variables."""

    def run(variables: dict[str, str]) -> Validation:
        context = replace(incidents["rate"], python=Python(HERE, "it runs the tests"))
        examined = examine(shop, propose(FIX), context)
        asked = order.asked(examined.candidate)
        job = order.job_of(examined.candidate, asked, "nonce")
        environment = {
            "PATH": os.defpath,
            "PYTHONPATH": str(Path(driver.__file__).parents[2]),
            "SELFHEAL_HARNESS_PACKAGES": str(Path(sys.prefix) / "harness"),
            "TMPDIR": str(tmp_path),
            **variables,
        }
        done = subprocess.run(
            [sys.executable, "-s", "-P", driver.__file__],
            input=job.pack(),
            env=environment,
            capture_output=True,
            check=True,
        )
        return judge(examined, Ran(done.stdout, "here"), "nonce", asked, "0" * 40)

    return run


def test_a_patch_is_proven_on_a_python_that_works_only_through_ld_library_path(
    tmp_path: Path, prove: Prove
) -> None:
    executable, libraries = loaded_by_path(tmp_path)
    alone = subprocess.run([executable, "-c", ""], env={}, capture_output=True, check=False)
    assert alone.returncode != 0, "it must not work without"

    validation = prove({DIRECTORY: str(tmp_path / "pythons"), "LD_LIBRARY_PATH": str(libraries)})

    assert validation.proven, validation.evidence
    assert [gate.gate for gate in validation.evidence.gates if gate.result is not Result.PASS] == []
