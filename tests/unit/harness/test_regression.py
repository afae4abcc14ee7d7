"""The test that is written from a reported call becomes part of the patch: nothing but a call gets in."""

from __future__ import annotations

import ast
from typing import Any

import pytest

from functions.harness.regression import NotACall, code_of

INCIDENT = {"type": "KeyError", "message": "", "places": [{"path": "shop/pricing.py", "function": "rate"}]}
DEFINED = {"shop.pricing": ["Unknown", "rate"], "shop": [], "tools.clock": ["Clock", "now"]}
IMPORT = [["shop.pricing", "rate"]]


def code(call: str, imports: Any = None, **answer: Any) -> str:
    given = {"call": call, "imports": IMPORT if imports is None else imports}
    return code_of(INCIDENT, DEFINED, given, answer or {"value": "1"})


@pytest.mark.parametrize(
    ("call", "answer", "line"),
    [
        ("rate('DE')", {"value": "4.9"}, 'assert rate("DE") == 4.9'),
        ("rate('DE', {'a': [1, (2, -3)]})", {"value": "{'x': None}"}, None),
        ("rate(None)", {"value": "None"}, "assert rate(None) is None"),
        ("rate(1)", {"value": "True"}, "assert rate(1) is True"),
        ("rate(1)", {"value": ""}, "rate(1)"),
        ("rate(OSError('no'))", {"value": "1"}, 'assert rate(OSError("no")) == 1'),
        ("rate(1) # ", {"value": "1"}, "assert rate(1) == 1"),
        ("list(rate(1))", {"value": "[1, 2]"}, "assert list(rate(1)) == [1, 2]"),
        ("rate('X')", {"raised": {"type": "ValueError"}}, "with pytest.raises(ValueError):"),
        ("rate('X')", {"raised": {"type": "shop.pricing.Unknown"}}, "with pytest.raises(Unknown):"),
    ],
)
def test_a_call_becomes_a_test(call: str, answer: dict[str, Any], line: str | None) -> None:
    written = code(call, **answer)
    ast.parse(written)
    assert "def test_rate_does_not_raise_keyerror():" in written
    assert "from shop.pricing import " in written
    assert line is None or f"    {line}\n" in written


FORGED = {
    "another function": "open('/etc/passwd')",
    "a builtin": "exec('import os')",
    "an import": "__import__('os').system('id')",
    "a name of nobody": "os.system('id')",
    "an attribute that is hidden": "rate.__globals__",
    "a way to the builtins": "rate.__class__.__base__.__subclasses__()",
    "a lambda": "(lambda: rate(1))()",
    "a comprehension": "[rate(x) for x in (1, 2)]",
    "a conditional": "rate(1) if rate(2) else rate(3)",
    "an assignment": "(x := rate(1))",
    "text with values": "rate(f'{rate}')",
    "a subscript": "rate(1)[0]",
    "arithmetic": "rate(9 ** 9)",
    "a comparison": "rate(1) == 2",
    "await": "await rate(1)",
    "unpacking": "rate(*[1])",
    "a second statement": "rate(1); import os",
    "a second line": "rate(1)\nimport os",
    "a second line with a return": "rate(1)\r\nimport os",
    "the end of the block": "rate(1)\n\nimport os\nos.system('id')",
    "a bracket left open": "rate(1",
    "a bracket too many": "rate(1))",
    "nothing": "",
    "a NUL": "rate('\0')",
    "nesting without end": "(" * 5000 + ")" * 5000,
    "a number without end": "rate(" + "9" * 10_000 + ")",
}


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_call_is_refused(name: str) -> None:
    with pytest.raises(NotACall):
        code(FORGED[name])


@pytest.mark.parametrize("name", sorted(set(FORGED) - {"nothing"}))
def test_a_forged_value_is_refused(name: str) -> None:
    with pytest.raises(NotACall):
        code("rate(1)", value=FORGED[name])


@pytest.mark.parametrize(
    "imports",
    [
        [["os", "system"]],
        [["", "os"]],
        [["shop.pricing", "rate; import os"]],
        [["shop.pricing", "rate\nimport os"]],
        [["shop.pricing\nimport os\nfrom shop.pricing", "rate"]],
        [["shop.pricing", "*"]],
        [["shop.pricing", ""]],
        [["builtins", "exec"]],
        [["", "importlib; import os"]],
    ],
    ids=str,
)
def test_what_is_not_the_repositorys_is_not_imported(imports: list[list[str]]) -> None:
    with pytest.raises(NotACall):
        code("rate(1)", [*IMPORT, *imports])


@pytest.mark.parametrize(
    "kind",
    [
        "",
        "a b",
        "ValueError)\n    import os\n    (",
        "a..b",
        "1.Error",
        "x.y;z",
        "ValueError, KeyError",
        ".Error;",
    ],
)
def test_an_exception_without_a_name_is_refused(kind: str) -> None:
    with pytest.raises(NotACall):
        code("rate(1)", raised={"type": kind})


def test_an_incidents_own_words_cannot_leave_the_docstring() -> None:
    place = {"path": "shop/pricing.py", "function": 'rate"""\nimport os\n"""'}
    incident = {"type": 'KeyError"""\nimport os', "message": "", "places": [place]}
    given = {"call": "rate(1)", "imports": IMPORT}
    module = ast.parse(code_of(incident, DEFINED, given, {"value": "1"}))
    imported = [name.name for node in ast.walk(module) if isinstance(node, ast.Import) for name in node.names]
    assert "os" not in imported
