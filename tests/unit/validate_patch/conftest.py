"""What the tests of ValidatePatch share: the sample repository, incidents in it, and proposals."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from functions.core.app import App
from functions.core.archive import members_of
from functions.core.facts import Facts
from functions.core.incident import Frame, Incident, Status
from functions.core.proposal import Edit, Proposal, RegressionTest
from functions.validate_patch.sandbox.sandbox import Sandbox
from functions.validate_patch.tree import Tree
from functions.validate_patch.validate import tree_of

REPOSITORY = Path(__file__).parents[2] / "data" / "validate" / "shop"


@pytest.fixture(scope="session")
def shop() -> Tree:
    """A small repository of an orders service with its tests and documentation."""
    return {path: file for path, file in tree_of(members_of(REPOSITORY)).items() if "__pycache__" not in path}


@pytest.fixture(scope="session")
def facts_of() -> Callable[..., Facts]:
    """Facts of an incident: its type and the places it passed through, innermost last."""

    def make(error_type: str, *places: tuple[str, int, str, str], message: str = "") -> Facts:
        frames = tuple(
            Frame(f"/var/task/{path}", line, function, code, in_app=True, why="below /var/task")
            for path, line, function, code in places
        )
        incident = Incident(
            incident_id="shop-1f3c",
            fingerprint="1f3c",
            app="shop",
            status=Status.HEALING,
            error_type=error_type,
            title=f"{error_type}: {message}",
            sample=f"Traceback (most recent call last):\n{error_type}: {message}\n",
            frames=frames,
        )
        return Facts(incident, App("shop", ("/aws/lambda/shop",), "https://git.example/shop/shop"))

    return make


@pytest.fixture(scope="session")
def propose() -> Callable[..., Proposal]:
    """A proposal of (path, search, replace) edits, with a regression test's code if given."""

    def make(
        *edits: tuple[str, str, str], test: str = "", path: str = "tests/test_regression.py"
    ) -> Proposal:
        return Proposal(
            root_cause="cause",
            title="Mend it",
            explanation="why",
            edits=tuple(Edit(*edit) for edit in edits),
            confidence=0.9,
            regression_test=RegressionTest(path, test) if test else None,
        )

    return make


@pytest.fixture(scope="session")
def incidents(shop: Tree, facts_of: Callable[..., Facts]) -> dict[str, Facts]:
    """Incidents of the shop by a short name. Line numbers are those of the code named."""

    def place(path: str, function: str, code: str) -> tuple[str, int, str, str]:
        lines = [line.strip() for line in shop[path].data.decode().split("\n")]
        return path, lines.index(code) + 1, function, code

    pricing, customers, reports = "shop/pricing.py", "shop/customers.py", "shop/reports.py"
    none = "'NoneType' object has no attribute"
    shipping = place(pricing, "shipping", 'return rate_for(order["country"]) * order["weight"]')
    rate = place(pricing, "rate_for", "return RATES[country]")
    discount = place(pricing, "discounted", 'return order["price"] - order["discount"]')
    calls_check = place(pricing, "shipping", "check_weight(order)")
    weight = place(pricing, "check_weight", 'raise ValueError("an order weighs something")')
    greeting = place(customers, "greeting", 'return f"Dear {find(customer_id).name},"')
    dial = place(customers, "dial", 'return find(customer_id).phone.lstrip("+")')
    average = place(reports, "average", 'return sum(order["amount"] for order in orders) / len(orders)')
    share = place(reports, "share", "return part / whole")
    names = place(reports, "names", 'return [order["name"].title() for order in orders]')
    listed = (*names[:2], "<listcomp>", names[3])
    first = place(reports, "first_amount", 'return int(text.split(";")[0])')
    label = place(reports, "label", 'return "ORD-" + order["number"]')
    return {
        "rate": facts_of("KeyError", shipping, rate, message="'NZ'"),
        "discount": facts_of("KeyError", discount, message="'discount'"),
        "weight": facts_of("ValueError", calls_check, weight, message="an order weighs something"),
        "greeting": facts_of("AttributeError", greeting, message=f"{none} 'name'"),
        "dial": facts_of("AttributeError", dial, message=f"{none} 'lstrip'"),
        "average": facts_of("ZeroDivisionError", average, message="division by zero"),
        "share": facts_of("ZeroDivisionError", share, message="division by zero"),
        "names": facts_of("AttributeError", names, listed, message=f"{none} 'title'"),
        "first": facts_of("ValueError", first, message="invalid literal for int() with base 10: ''"),
        "label": facts_of("TypeError", label, message='can only concatenate str (not "int") to str'),
    }


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    """One sandbox for many validations: runs in it do not know of each other."""
    with Sandbox() as box:
        yield box
