"""A patch in the style of the repository that it is for."""

from __future__ import annotations

import pytest

from functions.validate_patch.style import configured, in_style
from functions.validate_patch.tree import File

UGLY = "def rate( country ):\n    return { 'DE' : 19 } [country]\n"
BEFORE = UGLY + "\n\ndef total(price):\n    return price * rate('DE')\n"
AFTER = BEFORE.replace("price * rate('DE')", "price*rate( 'DE' ) if price   else 0")
"""One line of a file that nobody ever formatted has changed."""

CONFIGURED = {
    "black": {"pyproject.toml": "[tool.black]\nskip-string-normalization = true\n"},
    "black by pre-commit": {".pre-commit-config.yaml": "repos:\n- repo: x\n  hooks:\n  - id: black\n"},
    "ruff": {"pyproject.toml": "[tool.ruff.format]\nquote-style = 'preserve'\n"},
    "ruff's own file": {"ruff.toml": "[format]\nquote-style = 'preserve'\n"},
    "yapf": {"setup.cfg": "[yapf]\nbased_on_style = pep8\n"},
    "yapf's own file": {".style.yapf": "[style]\nbased_on_style = pep8\n"},
    "autopep8": {"pyproject.toml": "[tool.autopep8]\naggressive = 1\n"},
}


def laid_out(
    before: str, after: str, settings: dict[str, str], path: str = "rates.py"
) -> tuple[str, tuple[str, ...]]:
    tree = {name: File(text.encode()) for name, text in settings.items()}
    found, by = in_style({**tree, path: File(before.encode())}, {**tree, path: File(after.encode())})
    return found[path].data.decode(), by


@pytest.mark.parametrize("name", CONFIGURED)
def test_changed_lines_are_laid_out_and_no_others(name: str) -> None:
    text, by = laid_out(BEFORE, AFTER, CONFIGURED[name])
    assert text.startswith(UGLY)
    assert text.endswith(("price * rate('DE') if price else 0\n", 'price * rate("DE") if price else 0\n'))
    assert by == (name.split("'")[0].split(" ")[0],)


def test_imports_are_sorted_where_they_were_before() -> None:
    settings = {".isort.cfg": "[settings]\nprofile = black\n", "shop/__init__.py": "", "shop/a.py": ""}
    before = "import json\n\nfrom shop import a\n\nprint(json, a)\n"
    after = before.replace("import json\n", "import json\nimport decimal\n")
    assert laid_out(before, after, settings, "shop/b.py") == (
        before.replace("import json\n", "import decimal\nimport json\n"),
        ("isort",),
    )


def test_a_new_file_is_laid_out_whole() -> None:
    settings = {"pyproject.toml": File(b"[tool.black]\n")}
    tree, by = in_style(settings, {**settings, "tests/test_a.py": File(b"def test_a( ):\n  assert 1==1\n")})
    assert (tree["tests/test_a.py"].data, by) == (b"def test_a():\n    assert 1 == 1\n", ("black",))


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"pyproject.toml": "[tool.ruff]\nline-length = 110\n"},
        {"pyproject.toml": "not TOML ["},
        {"setup.cfg": "no section\n"},
        {".pre-commit-config.yaml": "repos: [{hooks: [{id: [black]}]}]"},
        {".pre-commit-config.yaml": "&a [*a"},
        {".pre-commit-config.yaml": "- black"},
    ],
    ids=str,
)
def test_where_no_formatter_is_configured_nothing_is_laid_out(settings: dict[str, str]) -> None:
    assert laid_out(BEFORE, AFTER, settings) == (AFTER, ())


@pytest.mark.parametrize(
    ("settings", "after"),
    [
        ({"pyproject.toml": "[tool.black]\nline-length = 'x'\n"}, AFTER),
        ({"pyproject.toml": "[tool.black]\n"}, AFTER + "def broken(:\n"),
    ],
    ids=["settings that it refuses", "a file that does not parse"],
)
def test_what_a_formatter_cannot_do_is_left(settings: dict[str, str], after: str) -> None:
    assert laid_out(BEFORE, after, settings) == (after, ())


def test_files_of_the_repository_are_no_modules_of_the_formatter() -> None:
    hostile = "raise SystemExit(1)\n"
    settings = {"pyproject.toml": "[tool.black]\n", "black.py": hostile, "ast.py": hostile}
    text, by = laid_out(hostile, hostile + "x=1\n", settings, "click.py")
    assert (text, by) == (hostile + "x = 1\n", ("black",))


def test_a_formatter_gets_nothing_of_the_functions_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """ruff reads variables in paths of its settings: were this one there, it would find the file."""
    monkeypatch.setenv("OF_THE_FUNCTION", "pyproject.toml")
    settings = {"ruff.toml": 'extend = "${OF_THE_FUNCTION}"\n[format]\n', "pyproject.toml": "[tool.ruff]\n"}
    assert laid_out(BEFORE, AFTER, settings) == (AFTER, ())
    settings["ruff.toml"] = settings["ruff.toml"].replace("${OF_THE_FUNCTION}", "pyproject.toml")
    assert laid_out(BEFORE, AFTER, settings)[1] == ("ruff",)


def test_formatters_run_in_the_order_in_which_people_run_them() -> None:
    tree = {
        ".pre-commit-config.yaml": File(b"repos: [{hooks: [{id: black}, {id: isort}, {id: ruff-format}]}]"),
    }
    assert [formatter.name for formatter in configured(tree)] == ["isort", "black", "ruff"]
