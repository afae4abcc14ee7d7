"""The step as a whole: order of gates, what is said when nothing can be proven, the app's own rules."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace

import pytest

from functions.core.source.python import Python
from functions.core.workflow.evidence import GateResult, Result
from functions.core.workflow.proposal import Justification, Proposal
from functions.core.workflow.validation_context import ValidationContext
from functions.harness.interpreters import available
from functions.harness.job import Job
from functions.harness.runner import Ran, Runner
from functions.validate_patch import order
from functions.validate_patch.tree import File, Tree
from functions.validate_patch.validate import RUNNING, Validation, validate
from infra.local.wall import program

FORMAT = ("shop/reports.py", '"ORD-" + order["number"]', "f\"ORD-{order['number']}\"")
INVENTED = ("shop/pricing.py", "RATES[country]", "RATES.get(country, 0)")
Check = Callable[..., Validation]
HERE = "{}.{}".format(*sys.version_info[:2])
OTHER = next((version for version in reversed(available()) if version != HERE), HERE)


@pytest.fixture
def check(propose: Callable[..., Proposal], runner: Runner, incidents: dict[str, ValidationContext]) -> Check:
    """Put edits of a tree through all gates."""

    def run(
        tree: Tree,
        incident: str,
        *edits: tuple[str, str, str],
        context: ValidationContext | None = None,
        test: str = "",
    ) -> Validation:
        given = context or incidents[incident]
        return validate(tree, propose(*edits, test=test), given, "0" * 40, runner)

    return run


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Gives the repository's tests so many seconds for each run."""

    def give(seconds: float) -> None:
        asked = order.asked
        monkeypatch.setattr(order, "asked", lambda candidate: asked(candidate, suite_seconds=seconds))

    return give


def gate(result: Validation, name: str) -> GateResult:
    return next(gate for gate in result.evidence.gates if gate.gate == name)


def test_gates_after_a_failure_say_that_they_did_not_run(shop: Tree, check: Check) -> None:
    result = check(shop, "label", ("shop/reports.py", "not there", ""))
    assert gate(result, "applies").result is Result.FAIL
    assert {g.result for g in result.evidence.gates[1:]} == {Result.NOT_RUN}
    assert result.patch == b""


def test_evidence_shows_both_runs(shop: Tree, check: Check) -> None:
    runs = gate(check(shop, "label", FORMAT), "reproduces").runs
    assert [(run.tree, run.exit_code) for run in runs] == [("before", 1), ("after", 0)]
    assert "TypeError" in runs[0].output


def test_evidence_says_what_held_the_code_under_test_and_on_which_python(shop: Tree, check: Check) -> None:
    detail = gate(check(shop, "label", FORMAT), "reproduces").detail
    assert detail.endswith(f"({program.holds()}; Python {sys.version.split()[0]})")


def test_nothing_is_run_when_the_dependencies_could_not_be_installed(
    shop: Tree, incidents: dict[str, ValidationContext], propose: Callable[..., Proposal]
) -> None:
    class Never:
        def run(self, job: Job) -> Ran:
            raise AssertionError("nothing is to be run")

    result = validate(
        shop, propose(FORMAT), incidents["label"], "0" * 40, Never(), not_installed="no wheel for a"
    )
    assert (result.evidence.accepted, result.proven) == (True, False)
    told = {gate.gate: gate.detail for gate in result.evidence.gates if gate.result is Result.NOT_RUN}
    expected = "not run: the repository's dependencies are not installed: no wheel for a"
    assert {name: told[name] for name in RUNNING} == dict.fromkeys(RUNNING, expected)
    assert gate(result, "result_stated").result is Result.QUESTION, "nobody saw what it gives"


def test_repository_without_tests_is_not_called_unbroken(shop: Tree, check: Check) -> None:
    tree = {path: file for path, file in shop.items() if not path.startswith("tests/")}
    result = check(tree, "label", FORMAT)
    assert result.evidence.accepted
    assert gate(result, "regression_tests").result is Result.NOT_RUN
    assert (
        "not proven: The repository's tests pass as before: not run: the repository has no tests"
        in result.reason
    )


def test_missing_dependency_is_said_and_nothing_is_called_proven(shop: Tree, check: Check) -> None:
    reports = File(b"import leftpad_of_nobody\n" + shop["shop/reports.py"].data)
    result = check({**shop, "shop/reports.py": reports}, "label", FORMAT)
    assert result.evidence.accepted
    assert not result.proven
    for name in ("reproduces", "regression_tests"):
        assert gate(result, name).result is Result.NOT_RUN
        assert "leftpad_of_nobody" in gate(result, name).detail


def test_tests_that_failed_before_are_shown_and_do_not_count(shop: Tree, check: Check) -> None:
    broken = File(b"def test_broken():\n    assert 1 == 2\n")
    result = check({**shop, "tests/test_broken.py": broken}, "label", FORMAT)
    assert result.evidence.accepted
    assert (
        "1 failed before already (tests/test_broken.py::test_broken)"
        in gate(result, "regression_tests").detail
    )


def test_options_for_missing_plugins_are_left_out_and_said(shop: Tree, check: Check) -> None:
    settings = shop["pyproject.toml"].data + b'addopts = "--cov=shop -n auto"\n'
    result = check({**shop, "pyproject.toml": File(settings)}, "label", FORMAT)
    assert gate(result, "regression_tests").result is Result.PASS
    assert "without the options" in gate(result, "regression_tests").detail


SLOW = File(b"import time\n\n\ndef test_slow():\n    time.sleep(30)\n\n\ndef test_later():\n    pass\n")


def test_when_time_runs_out_the_changed_modules_tests_ran_first_and_the_rest_is_said(
    shop: Tree, check: Check, slow: Callable[[float], None]
) -> None:
    slow(4.0)
    result = check({**shop, "tests/test_a_slow.py": SLOW}, "label", FORMAT)
    detail = gate(result, "regression_tests").detail
    assert gate(result, "regression_tests").result is Result.PASS, detail
    assert detail.startswith(
        "13 tests passed before the patch and pass after it; tests of the changed modules first"
    )
    assert "not run: 2 of 15 tests (stopped after" in detail


def test_a_patch_that_makes_the_tests_run_out_of_time_is_rejected(
    shop: Tree, check: Check, slow: Callable[[float], None]
) -> None:
    hangs = (
        FORMAT[0],
        "    return " + FORMAT[1],
        "    while order['number'] == '17':\n        order = dict(order)\n    return " + FORMAT[2],
    )
    slow(3.0)
    result = check(shop, "label", hangs)
    assert gate(result, "regression_tests").result is Result.FAIL
    assert "out of time" in gate(result, "regression_tests").detail


@pytest.mark.parametrize("version", ["3.99", OTHER])
def test_everything_runs_on_the_apps_python_or_not_at_all(
    version: str,
    shop: Tree,
    incidents: dict[str, ValidationContext],
    propose: Callable[..., Proposal],
    runner: Runner,
) -> None:
    context = replace(incidents["label"], python=Python(version, "the app's entry names it"))
    result = validate(shop, propose(FORMAT), context, "0" * 40, runner)
    detail = gate(result, "reproduces").detail
    if version == "3.99":
        assert {gate(result, name).result for name in RUNNING} == {Result.NOT_RUN}
        assert detail.startswith("not run: Python 3.99 is none that tests can run on")
        assert (result.evidence.accepted, result.proven) == (True, False)
    else:
        assert {gate(result, name).result for name in RUNNING} == {Result.PASS}
        assert f"; Python {version}." in detail


def test_syntax_must_be_that_of_the_apps_python(
    shop: Tree, incidents: dict[str, ValidationContext], propose: Callable[..., Proposal], runner: Runner
) -> None:
    code = (
        "    match RATES.get(country):\n"
        "        case None:\n"
        "            raise UnknownCountry(country)\n"
        "        case rate:\n"
        "            return rate"
    )
    matched = ("shop/pricing.py", "    return RATES[country]", code)
    context = replace(incidents["rate"], python=Python("3.9", ".selfheal.toml names it"))
    result = validate(shop, propose(matched), context, "0" * 40, runner)
    assert gate(result, "parses").result is Result.FAIL
    assert "match" in gate(result, "parses").detail


def test_a_python_that_is_no_version_is_said(shop: Tree, check: Check) -> None:
    result = check({**shop, ".selfheal.toml": File(b'python = "../bin/python"\n')}, "label", FORMAT)
    assert "'python' must be a version" in gate(result, "scope").detail
    assert "they are ignored: .selfheal.toml: 'python' must be a version" in result.evidence.warnings[0]


def test_a_rule_that_does_not_exist_is_said_and_what_else_is_set_holds(shop: Tree, check: Check) -> None:
    settings = b'allowed_paths = ["docs/**"]\naccept = {result_stted = "by contract"}\n'
    narrowed = check({**shop, ".selfheal.toml": File(settings)}, "label", FORMAT)
    assert gate(narrowed, "scope").result is Result.FAIL
    only = b'accept = {result_stted = "by contract"}\n'
    result = check({**shop, ".selfheal.toml": File(only)}, "label", FORMAT)
    said = "'accept' names 'result_stted', which is no rule; known: result_stated, worked_stays"
    assert said in gate(result, "scope").detail
    (warning,) = result.evidence.warnings
    assert said in warning


@pytest.mark.parametrize(
    ("command", "result"),
    [
        (("python", "-m", "pytest", "tests/test_shop.py"), Result.PASS),
        (("python", "-m", "unittest"), Result.PASS),
        (("python", "-c", "import shop.reports"), Result.PASS),
        (("python", "-c", "raise SystemExit(3)"), Result.NOT_RUN),
        (("no-such-program",), Result.NOT_RUN),
        # It succeeds whatever the code does, so it proves nothing.
        (("true",), Result.NOT_RUN),
        (
            ("python", "-c", "import shop.reports as r; assert r.label({'number': '1'}) == 'ORD-1'"),
            Result.FAIL,
        ),
    ],
)
def test_apps_own_test_command(
    command: tuple[str, ...],
    result: Result,
    shop: Tree,
    check: Check,
    incidents: dict[str, ValidationContext],
) -> None:
    context = incidents["label"]
    context = replace(context, app=replace(context.app, test_command=command))
    edit = ("shop/reports.py", '"ORD-" + order["number"]', "f\"ORD{order['number']}\"")
    wrong = result is Result.FAIL
    assert (
        gate(check(shop, "label", edit if wrong else FORMAT, context=context), "regression_tests").result
        is result
    )


def test_a_principle_that_is_switched_off_needs_a_reason_and_is_said(shop: Tree, check: Check) -> None:
    asked = check(shop, "rate", INVENTED)
    assert gate(asked, "result_stated").result is Result.QUESTION
    settings = b'[accept]\nresult_stated = "unknown countries are free"\n'
    result = check({**shop, ".selfheal.toml": File(settings)}, "rate", INVENTED)
    assert gate(result, "result_stated").result is Result.PASS
    (warning,) = result.evidence.warnings
    assert warning.startswith("The repository switches the rule result_stated off, because 'unknown")
    assert 'it objects to this patch (rate_for("NZ") failed, and gives 0 after the patch' in warning


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (b'["true"]', "The repository replaces its tests by what its settings say: true."),
        (
            b'["pytest", "tests/unit"]',
            "The repository narrows its tests to what its settings say: pytest tests/unit.",
        ),
        (b'["pytest"]', ""),
    ],
)
def test_tests_that_the_repository_replaces_or_narrows_are_said(
    shop: Tree, check: Check, command: bytes, said: str
) -> None:
    settings = {".selfheal.toml": File(b"test_command = " + command)}
    result = check({**shop, **settings}, "label", FORMAT)
    assert result.evidence.warnings == ((said,) if said else ())


def test_same_input_gives_the_same_patch(shop: Tree, check: Check) -> None:
    first, second = check(shop, "label", FORMAT), check(shop, "label", FORMAT)
    assert first.patch == second.patch
    assert first.evidence.patch_sha256 == second.evidence.patch_sha256


def test_generated_test_reads_as_a_person_would_write_it(shop: Tree, check: Check) -> None:
    patch = check(
        shop, "rate", ("shop/pricing.py", "RATES[country]", "RATES.get(country, DEFAULT_RATE)")
    ).patch
    added = "\n".join(
        line[1:] for line in patch.decode().split("tests/test_selfheal_1f3c.py\n@@")[1].split("\n")[1:]
    )
    assert added == (
        '"""`rate_for` in shop/pricing.py raised KeyError in production."""\n\n'
        "from shop.pricing import rate_for\n\n\n"
        "def test_rate_for_does_not_raise_keyerror():\n"
        '    assert rate_for("NZ") == 19.5\n'
    )


def test_a_repository_of_thousands_of_files_is_searched_all_the_same(shop: Tree, check: Check) -> None:
    filler = {f"shop/generated/module_{n}_with_quite_a_long_name.py": File(b"X = 1\n") for n in range(5000)}
    result = check({**shop, **filler}, "label", FORMAT)
    assert gate(result, "reproduces").result is Result.PASS


def test_a_library_s_own_repository_may_import_itself(shop: Tree, check: Check) -> None:
    own = {"requests/__init__.py": File(b""), "requests/utils.py": File(b"def text(x):\n    return str(x)\n")}
    edit = ("shop/reports.py", '"ORD-" + order["number"]', '"ORD-" + requests.utils.text(order["number"])')
    before = shop["shop/reports.py"].data
    importing = File(before.replace(b'"""\n', b'"""\n\nimport requests.utils\n', 1))
    tree = {**shop, **own, "shop/reports.py": importing}
    assert gate(check(tree, "label", edit), "capabilities").result is Result.PASS


def test_what_calls_that_worked_newly_log_is_asked_about(shop: Tree, check: Check) -> None:
    path, old, new = FORMAT
    logs = f'    import logging\n\n    logging.warning("a label")\n    return {new}'
    told = check(shop, "label", (path, f"    return {old}", logs))
    asked = [question.text for question in told.evidence.questions if question.principle == "worked_stays"]
    assert all("logs nothing before the patch and WARNING a label after it" in text for text in asked)
    assert asked


def test_what_only_raises_may_be_left_unrun(shop: Tree, check: Check) -> None:
    path, old, new = FORMAT
    line = f"    return {old}"
    guarded = f'    if "number" not in order:\n        raise LookupError(order)\n    return {new}'
    result = check(shop, "label", (path, line, guarded))
    assert result.evidence.accepted, result.reason
    assert gate(result, "worked_stays").result is Result.PASS, result.reason


def test_the_behaviour_table_begins_with_the_incident_and_each_row_can_be_made_again(
    shop: Tree, check: Check
) -> None:
    refusing = (
        "shop/pricing.py",
        "    return RATES[country]",
        "    if country not in RATES:\n        raise UnknownCountry(country)\n    return RATES[country]",
    )
    rows = check(shop, "rate", refusing).evidence.behaviour
    first = rows[0]
    assert (first.call, first.why) == ('rate_for("NZ")', "incident")
    assert (first.before, first.after) == ("KeyError: 'NZ'", "UnknownCountry: NZ")
    assert first.command == """python -c 'from shop.pricing import rate_for; print(repr(rate_for("NZ")))'"""
    assert {row.why for row in rows} == {"incident", "like it", "refused", "worked"}


@pytest.mark.parametrize(
    ("says", "line", "result"),
    [
        ("A missing discount means 5", 5, Result.QUESTION),
        ("Notes are optional.", 6, Result.QUESTION),
        ("unlisted countries cost 7.5", 8, Result.PASS),
        ("unlisted countries cost 7.5", 7000, Result.QUESTION),
    ],
    ids=["nothing of the kind is there", "it says something else", "it says so", "the line is not there"],
)
def test_a_question_is_answered_by_a_line_of_the_repository_that_says_so(
    shop: Tree,
    runner: Runner,
    incidents: dict[str, ValidationContext],
    propose: Callable[..., Proposal],
    says: str,
    line: int,
    result: Result,
) -> None:
    readme = shop["README.md"].data.rstrip() + b"\n\nUnlike others,\nunlisted countries cost 7.5\n"
    tree = {**shop, "README.md": File(readme)}
    proposal = propose(("shop/pricing.py", "RATES[country]", "RATES.get(country, 7.5)"))
    given = replace(proposal, justifications=(Justification("README.md", line, says),))
    judged = validate(tree, given, incidents["rate"], "0" * 40, runner)
    assert gate(judged, "result_stated").result is result, judged.reason


def test_a_test_that_passes_on_every_mutant_of_the_patch_proves_nothing(shop: Tree, check: Check) -> None:
    test = (
        "from shop import reports\n\n\ndef test():\n    assert type(reports.label({'number': 1})).__name__\n"
    )
    reproduces = gate(check(shop, "label", FORMAT, test=test), "reproduces")
    assert reproduces.result is Result.NOT_RUN
    assert "passes on every mutant of the patch" in reproduces.detail


def test_the_tests_as_fetched_run_on_the_patched_code(shop: Tree, check: Check) -> None:
    """A patch that bends a test to what it does breaks the test as it was."""
    bent = (
        "tests/test_shop.py",
        'assert pricing.rate_for("DE") == 4.9',
        'assert pricing.rate_for("DE") == 5',
    )
    result = check(shop, "rate", ("shop/pricing.py", '"DE": 4.9', '"DE": 5, "NZ": 19.5'), bent)
    assert gate(result, "regression_tests").result is Result.FAIL
    assert gate(result, "tests_kept").result is Result.QUESTION


def test_a_result_that_changes_by_chance_is_not_held_against_the_patch(shop: Tree, check: Check) -> None:
    code = shop["shop/reports.py"].data.decode().replace('"ORD-" +', "str(random.random()) +")
    tree = {**shop, "shop/reports.py": File(("import random\n" + code).encode())}
    test = "from shop import reports\n\n\ndef test():\n    reports.label({'number': 1})\n"
    edit = ("shop/reports.py", 'order["number"]', 'str(order["number"])')
    result = check(tree, "label", edit, test=test)
    assert gate(result, "worked_stays").result is Result.PASS, result.reason
