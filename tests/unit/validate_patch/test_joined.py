"""Incidents of one cause: each that joined is reproduced, too, and has to be mended by the patch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from functions.core.workflow.evidence import GateResult, Result
from functions.core.workflow.proposal import Proposal
from functions.core.workflow.validation_context import ValidationContext
from functions.harness.experiment import names_in
from functions.harness.proof import NotBelieved
from functions.harness.runner import Runner
from functions.validate_patch import order, told
from functions.validate_patch.tree import File, Tree
from functions.validate_patch.validate import Validation, examine, validate

CODES = '''"""Codes."""


def code(number):
    return "ORD-" + number
'''
FILES = {
    "shop/codes.py": CODES,
    "shop/invoices.py": "from shop.codes import code\n\n\ndef invoice(number):\n"
    "    return code(number) + '/I'\n",
    "shop/letters.py": "from shop.codes import code\n\n\ndef letter(name, number):\n"
    "    return name + code(number)\n",
    "shop/posts.py": "from shop.codes import code\n\n\ndef post(event, context):\n"
    "    return code(context.find(event.body).number + 0)\n",
    "shop/bills.py": "from shop.codes import code\n\n\nclass BillError(Exception):\n    pass\n\n\n"
    "def bill(number):\n    try:\n        return code(number)\n    except TypeError as error:\n"
    "        raise BillError('no bill') from error\n",
}
LINE = ("shop/codes.py", 5, "code", 'return "ORD-" + number')
MESSAGE = 'can only concatenate str (not "int") to str'
MENDED = ("shop/codes.py", '"ORD-" + number', 'f"ORD-{number}"')
BY_CALLER = ("shop/invoices.py", "code(number)", "code(str(number))")
TEST = "from shop.invoices import invoice\n\n\ndef test_invoice():\n    assert invoice(17) == 'ORD-17/I'\n"


@pytest.fixture
def tree(shop: Tree) -> Tree:
    return {**shop, **{path: File(text.encode()) for path, text in FILES.items()}}


@pytest.fixture
def context(facts_of: Callable[..., ValidationContext]) -> Callable[..., ValidationContext]:
    """An invoice failed, and so did others: those that joined by name."""
    named: dict[str, Any] = {
        "letter": (
            "TypeError",
            (("shop/letters.py", 5, "letter", "return name + code(number)"), LINE),
            MESSAGE,
        ),
        "post": (
            "TypeError",
            (("shop/posts.py", 5, "post", "return code(context.find(event.body).number + 0)"), LINE),
            MESSAGE,
        ),
        "bill": (
            "BillError",
            (("shop/bills.py", 12, "bill", "raise BillError('no bill') from error"),),
            "no bill",
        ),
    }

    def make(*joined: str) -> ValidationContext:
        caller = ("shop/invoices.py", 5, "invoice", "return code(number) + '/I'")
        found = facts_of("TypeError", caller, LINE, message=MESSAGE)
        others = []
        for name in joined:
            kind, places, message = named[name]
            incident = facts_of(kind, *places, message=message).incident
            others.append(replace(incident, incident_id=f"shop-{name}", fingerprint=name))
        return replace(found, joined=tuple(others))

    return make


@pytest.fixture
def prove(
    tree: Tree, context: Callable[..., ValidationContext], propose: Callable[..., Proposal], runner: Runner
) -> Callable[..., Validation]:
    def run(edit: tuple[str, str, str], *joined: str, test: str = "") -> Validation:
        return validate(tree, propose(edit, test=test), context(*joined), "0" * 40, runner)

    return run


def joined_in(result: Validation) -> GateResult:
    return next(gate for gate in result.evidence.gates if gate.gate == "joined_reproduce")


@pytest.mark.parametrize("test", ["", TEST], ids=["searched", "with a test"])
def test_each_is_reproduced_by_its_own_way_in_and_mended(prove: Callable[..., Validation], test: str) -> None:
    result = prove(MENDED, "letter", "bill", test=test)
    assert (joined_in(result).result, joined_in(result).detail) == (
        Result.PASS,
        "2 of 2 that joined fail before the patch as they did, and pass after it",
    )
    assert result.evidence.accepted
    assert result.evidence.joined == ("shop-letter", "shop-bill")
    assert b"test_selfheal_letter" not in result.patch, "one regression test is enough to review"


def test_a_patch_of_one_caller_leaves_the_others_failing(prove: Callable[..., Validation]) -> None:
    result = prove(BY_CALLER, "letter", test=TEST)
    assert next(g for g in result.evidence.gates if g.gate == "reproduces").result is Result.PASS
    assert joined_in(result).result is Result.FAIL
    assert joined_in(result).detail.startswith(f"shop-letter, which joined (TypeError: {MESSAGE}): letter(")
    assert not result.evidence.accepted


@pytest.mark.parametrize(
    ("edit", "said", "proven"),
    [
        (MENDED, "1 of 1 that joined fail before", True),
        (
            BY_CALLER,
            "0 of 1 that joined fail before the patch as they did, and pass after it; not repro",
            False,
        ),
    ],
    ids=["the line that both share is mended", "another caller is mended"],
)
def test_where_its_own_way_in_cannot_be_called(
    prove: Callable[..., Validation], edit: tuple[str, str, str], said: str, proven: bool
) -> None:
    gate = joined_in(prove(edit, "post", test=TEST))
    assert (gate.result, gate.detail[: len(said)]) == (Result.PASS if proven else Result.NOT_RUN, said)


def test_more_than_one_proof_has_time_for_are_told_of_as_not_reproduced(
    tree: Tree, context: Callable[..., ValidationContext], propose: Callable[..., Proposal], runner: Runner
) -> None:
    given = replace(context("letter"), joined_beyond=3)
    result = validate(tree, propose(MENDED, test=TEST), given, "0" * 40, runner)
    assert joined_in(result).result is Result.NOT_RUN
    assert joined_in(result).detail == (
        "1 of 4 that joined fail before the patch as they did, and pass after it;"
        " not reproduced: 3 more, as one proof has time for 1"
    )
    assert result.evidence.joined == ("shop-letter",)


def test_where_nothing_is_run_that_is_said_of_them_too(prove: Callable[..., Validation]) -> None:
    assert joined_in(prove(("shop/codes.py", "not there", ""), "letter")).result is Result.NOT_RUN


def test_a_report_that_leaves_one_of_them_out_is_not_believed(
    tree: Tree, context: Callable[..., ValidationContext], propose: Callable[..., Proposal], runner: Runner
) -> None:
    proposal = propose(MENDED, test=TEST)
    alone, both = (examine(tree, proposal, context(*joined)).candidate for joined in ((), ("letter",)))
    asked = order.asked(alone)
    ran = runner.run(order.job_of(alone, asked, "5ca1ab1e" * 4))
    own = names_in(tree)
    assert told.read(ran, "5ca1ab1e" * 4, asked, own).proof.reproduction
    with pytest.raises(NotBelieved):
        told.read(ran, "5ca1ab1e" * 4, order.asked(both), own)
