"""Which frames are the app's own, and why."""

from __future__ import annotations

import pytest

from functions.core.incidents.incident import ErrorClass
from functions.detect_errors.in_app import MAX_PATH, MAX_REMEMBERED, AppRules
from functions.detect_errors.read import read_errors

OWN = "below a deployment root"
OUTSIDE = "outside every library directory"


@pytest.mark.parametrize(
    ("file", "in_app", "why", "below"),
    [
        ("/var/task/handler.py", True, OWN, "handler.py"),
        ("/app/shop/views.py", True, OWN, "shop/views.py"),
        ("/app/src/shop/views.py", True, OWN, "shop/views.py"),
        ("/usr/src/app/svc/a.py", True, OWN, "svc/a.py"),
        ("/home/deploy/releases/20240611093021/a.py", True, OWN, "a.py"),
        ("/srv/shop/current/billing/core.py", True, OWN, "billing/core.py"),
        ("/tmp/tmpk3v9x1qz/svc/a.py", True, OWN, "svc/a.py"),
        ("/app/bundle.pyz/tool.py", True, OWN, "tool.py"),
        ("main.py", True, OWN, "main.py"),
        ("./pkg/main.py", True, OWN, "pkg/main.py"),
        ("[...]/shop/views.py", True, OWN, "shop/views.py"),
        ("templates/invoice.html", True, OWN, "templates/invoice.html"),
        ("/home/ines/projects/ingest/main.py", True, OUTSIDE, None),
        ("D:\\apps\\shop\\web.py", True, OUTSIDE, None),
        ("<frozen importlib._bootstrap>", False, "code without a file (interpreter, eval, console)", None),
        ("<stdin>", False, "code without a file (interpreter, eval, console)", None),
        ("Cell In[2]", False, "interactive cell, not a file", None),
        ("/app/.heroku/python/lib/python3.11/site-packages/x.py", False, "installed package", None),
        ("/app/.heroku/python/lib/python3.11/_strptime.py", False, "standard library", None),
        ("/opt/conda/lib/python3.11/asyncio/runners.py", False, "standard library", None),
        ("/home/d/.pyenv/versions/3.12.1/lib/python3.12/os.py", False, "standard library", None),
        ("/usr/lib/python3/dist-packages/six.py", False, "installed package", None),
        ("D:\\apps\\.venv\\Lib\\site-packages\\x.py", False, "installed package", None),
        ("C:\\Python312\\Lib\\asyncio\\runners.py", False, "standard library", None),
        ("/var/runtime/botocore/client.py", False, "the platform's runtime", None),
        ("/var/lang/lib/python3.12/json/decoder.py", False, "standard library", None),
        ("/opt/python/shared/config.py", False, "Lambda layer", None),
        ("pandas/_libs/index.pyx", False, "compiled extension", None),
        ("/var/task/vendor/proto.py", False, "vendored directory", None),
        ("/usr/local/bin/gunicorn", False, "launcher script", None),
        ("/var/task/requests/sessions.py", False, "well-known library next to the app", None),
        ("/var/task/requests.py", True, OWN, "requests.py"),
        ("x" * (MAX_PATH + 1), False, "longer than any path", None),
    ],
)
def test_paths_decide_while_packages_are_unknown(
    file: str, in_app: bool, why: str, below: str | None
) -> None:
    verdict = AppRules().verdict(file)
    assert (verdict.in_app, verdict.why) == (in_app, why)
    if in_app:
        assert verdict.below == below


@pytest.mark.parametrize(
    ("file", "in_app"),
    [
        ("/var/task/shop/views.py", True),
        ("/var/task/handler.py", True),
        ("/opt/python/shop/config.py", True),
        ("/efs/deploy/shop/views.py", True),
        ("/var/task/somelib/core.py", False),
        ("/var/task/vendor/shop_client.py", False),
        ("/efs/elsewhere/core.py", False),
        ("/var/task/lib/python3.12/site-packages/shop/views.py", True),
        ("/usr/local/lib/python3.13/site-packages/handler.py", True),
        ("/app/.venv/lib/python3.12/site-packages/shop/views.py", True),
        ("D:\\apps\\.venv\\Lib\\site-packages\\shop\\views.py", True),
        ("/usr/lib/python2.7/site-packages/shop-1.2-py2.7.egg/shop/views.py", True),
        ("/usr/lib/python3/dist-packages/shop/views.py", True),
        ("/usr/local/lib/python3.13/site-packages/requests/shop.py", False),
        ("/usr/local/lib/python3.13/site-packages/shopping/views.py", False),
        ("/usr/local/lib/python3.13/site-packages/pip/_vendor/shop/views.py", False),
        ("/usr/local/lib/python3.13/site-packages/shop/_vendor/attr.py", False),
        ("/usr/local/lib/python3.13/site-packages/shop/node_modules/x.py", False),
        ("/usr/local/lib/python3.13/shop/views.py", False),
    ],
)
def test_known_packages_decide(file: str, in_app: bool) -> None:
    assert AppRules(["shop", "handler"]).verdict(file).in_app is in_app


def test_the_same_bug_is_the_same_incident_wherever_the_package_is_installed() -> None:
    crash = """Traceback (most recent call last):
  File "/usr/local/bin/serve", line 8, in <module>
    sys.exit(main())
  File "{root}/shop/views.py", line 7, in total
    return rates[country]
KeyError: 'NZ'
"""
    roots = ("/var/task", "/usr/local/lib/python3.13/site-packages", "C:/venv/Lib/site-packages", "/efs/x")
    found = [read_errors(crash.format(root=root), packages=("shop",)) for root in roots]
    assert len({error.fingerprint for (error,) in found}) == 1
    assert {error.error_class for (error,) in found} == {ErrorClass.CODE}


def test_a_known_package_is_found_below_an_unknown_root() -> None:
    assert AppRules(["shop"]).verdict("/efs/deploy/shop/views.py").below == "shop/views.py"


def test_the_longest_root_wins() -> None:
    rules = AppRules(roots=["/srv/apps", "/srv/apps/shop/"])
    assert rules.verdict("/srv/apps/shop/views.py").below == "views.py"


def test_a_compiled_module_is_told_by_its_function() -> None:
    rules = AppRules()
    assert not rules.verdict("pydantic/main.py", "pydantic.main.BaseModel.__init__").in_app
    assert rules.verdict("shop/main.py", "run").in_app


def test_memory_is_bounded() -> None:
    rules = AppRules()
    for number in range(2 * MAX_REMEMBERED):
        rules.verdict(f"/app/m{number}.py")
    assert rules._judged.cache_info().currsize <= MAX_REMEMBERED
