"""Which repository file a deployed file is: by the app's rules, by a long suffix, or said not to be known."""

from __future__ import annotations

import pytest

from functions.core.source.code_mappings import locate

ROOTS = {"/var/task": "", "/app": "service", "/app/lib": "shared"}
PATHS = frozenset(
    {
        "handler.py",
        "orders/pricing.py",
        "orders/utils.py",
        "billing/utils.py",
        "service/main.py",
        "shared/money.py",
        "src/cart/models/line.py",
        "old/cart/models/line.py",
        "src/cart/models/total.py",
    }
)


@pytest.mark.parametrize(
    ("file", "path"),
    [
        ("/var/task/orders/pricing.py", "orders/pricing.py"),
        ("/var/task/handler.py", "handler.py"),
        ("/app/main.py", "service/main.py"),
        ("/app/lib/money.py", "shared/money.py"),
        ("/tmp/ministack-lambda-orders-abc123/code/orders/pricing.py", "orders/pricing.py"),
        ("/srv/releases/42/src/cart/models/line.py", "src/cart/models/line.py"),
        ("/srv/releases/42/cart/models/total.py", "src/cart/models/total.py"),
        ("/usr/local/lib/python3.13/site-packages/cart/models/total.py", "src/cart/models/total.py"),
        ("/app/.venv/lib/python3.13/site-packages/orders/utils.py", "orders/utils.py"),
        ("/var/task/./orders/../orders/pricing.py", "orders/pricing.py"),
        ("C:\\service\\orders\\pricing.py", "orders/pricing.py"),
        ("orders/pricing.py", "orders/pricing.py"),
        ("handler.py", "handler.py"),
    ],
)
def test_found(file: str, path: str) -> None:
    assert locate(file, PATHS, ROOTS).path == path


@pytest.mark.parametrize(
    ("file", "problem"),
    [
        ("/srv/pricing.py", "no file of the repository"),
        ("/srv/handler.py", "no file of the repository"),
        ("utils.py", "no file of the repository"),
        ("/srv/myorders/pricing.py", "no file of the repository"),
        ("/srv/cart/models/line.py", "2 files of the repository end in cart/models/line.py"),
        ("<string>", "no file of the repository"),
        ("", "no file of the repository"),
        ("/", "no file of the repository"),
    ],
)
def test_not_guessed(file: str, problem: str) -> None:
    location = locate(file, PATHS, ROOTS)
    assert location.path is None
    assert problem in location.problem
