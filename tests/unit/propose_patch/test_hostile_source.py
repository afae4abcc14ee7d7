"""Where a value came from is looked for in whatever a repository holds: no file ends the search, makes it
dear, or has a secret told."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from functions.core.incidents.incident import Frame
from functions.core.source.archive import Member
from functions.propose_patch.context import Context, build_context
from functions.propose_patch.flow import Flow
from functions.propose_patch.repository import SourceTree

FAILS = "def handler(x):\n    y = make(x)\n    return y.name + 1\n"
NAME = "'name'"
SECRET = "Tr0ub4dor&3xyzK"


def context_of(files: dict[str, str], error: str = "TypeError: 'name'") -> Context:
    repository = SourceTree(Member(path, text.encode()) for path, text in files.items())
    frame = Frame("/srv/app/main.py", 3, "handler", "return y.name + 1", in_app=True)
    return build_context(repository, [frame], {}, error=error)


DEEP = {
    "elif": "if a == 0:\n    name = 0\n" + "".join(f"elif a == {n}:\n    name = {n}\n" for n in range(900)),
    "sum": "name = " + " + ".join(["a"] * 900) + "\n",
    "chain": "name = a" + ".filter(b)" * 900 + "\n",
    "fields": "class T:\n    name: str\n" + "".join(f"    f{n}: int\n" for n in range(1_500)),
}


@pytest.mark.parametrize("code", DEEP.values(), ids=DEEP)
@pytest.mark.parametrize("path", ["app/main.py", "app/other.py"])
def test_no_code_ends_the_search(path: str, code: str) -> None:
    files = {"app/main.py": FAILS, "app/maker.py": "def f(x):\n    x.name = None\n"}
    context = context_of({**files, path: files.get(path, "") + code})
    assert context.parts[0].function == "handler"
    assert any(part.path == "app/maker.py" for part in context.parts) or path == "app/main.py"


WIDE: dict[str, Callable[[int], str]] = {
    "call": lambda n: f"make({', '.join(f'a{m}' for m in range(n))})\n",
    "list": lambda n: f"NAMES = [{', '.join(f'a{m}, {NAME}' for m in range(n))}]\n",
    "taken": lambda n: (
        f"def f():\n    name = [{', '.join(f'a{m}' for m in range(n))}]\n" + "    name.append(1)\n" * n
    ),
}


@pytest.mark.parametrize("code", WIDE.values(), ids=WIDE)
def test_what_is_noted_grows_as_the_code_does(code: Callable[[int], str]) -> None:
    def noted(n: int) -> int:
        tree = SourceTree([Member("a.py", code(n).encode())]).tree("a.py")
        assert tree
        writes = [write for each in Flow("a.py", tree).writes.values() for write in each]
        return len(writes) + sum(len(write.reads) for write in writes)

    assert noted(800) < 2.5 * noted(400)


def test_a_reason_tells_no_secret() -> None:
    fails = FAILS.replace("make(x)", f"make(x, password='{SECRET}')")
    settings = f"D = {{\n  'password': '{SECRET}',\n  '{SECRET}': 1}}\n"
    context = context_of({"app/main.py": fails, "app/settings.py": settings})
    shown = [part for part in context.parts if part.path == "app/settings.py"]
    assert shown
    assert not any(SECRET in part.why or SECRET in str(part.lines) for part in context.parts)


def test_no_name_is_read_out_of_a_path() -> None:
    files = {"app/main.py": FAILS, "a.json": "{}\n", "b.json": "[1]\n"}
    context = context_of(files, "FileNotFoundError: './config'")
    assert not [part for part in context.parts if part.path.endswith(".json")]


def test_a_file_that_was_generated_tells_nothing_and_costs_nothing() -> None:
    lines = "".join(f"name = make({n}, 'name')\n" for n in range(20_000))
    context = context_of({"app/main.py": FAILS, "app/generated.py": lines})
    assert [part.path for part in context.parts] == ["app/main.py"]
