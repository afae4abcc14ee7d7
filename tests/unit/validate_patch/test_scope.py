"""What a patch may touch: paths, kinds of files, amounts, and what app and repository allow."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from functions.core.workflow.proposal import Proposal
from functions.core.workflow.validation_context import ValidationContext
from functions.validate_patch import edits, scope
from functions.validate_patch.candidate import Candidate
from functions.validate_patch.rules import Rules, matches
from functions.validate_patch.tree import SYMLINK, File, Tree, changes_between

Findings = Callable[..., tuple[str, ...]]


@pytest.fixture
def findings(facts_of: Callable[..., ValidationContext], propose: Callable[..., Proposal]) -> Findings:
    """The gate's findings for edits of a tree."""

    def run(tree: Tree, *changes: tuple[str, str, str], allowed: tuple[str, ...] = ()) -> tuple[str, ...]:
        context = facts_of("KeyError")
        context = replace(
            context, app=replace(context.app, allowed_paths=allowed or context.app.allowed_paths)
        )
        proposal = propose(*changes)
        after = edits.apply(tree, proposal).tree
        rules = Rules.of(context.app, tree)
        return scope.findings(Candidate(tree, after, changes_between(tree, after), proposal, context, rules))

    return run


def test_another_repository_s_files_are_out_of_the_lane(
    facts_of: Callable[..., ValidationContext], propose: Callable[..., Proposal]
) -> None:
    context = replace(facts_of("KeyError"), submodules=("vendor/lib",))
    tree = {path: File(b"x = 1\n") for path in ("vendor/lib/a.py", "vendor/library.py")}
    proposal = propose(("vendor/lib/a.py", "1", "2"), ("vendor/library.py", "1", "2"))
    after = edits.apply(tree, proposal).tree
    rules = Rules.of(context.app, tree)
    found = scope.findings(Candidate(tree, after, changes_between(tree, after), proposal, context, rules))
    assert found == ("vendor/lib/a.py: belongs to the submodule vendor/lib, which is another repository",)


@pytest.mark.parametrize(
    "path", ["app.py", "src/app/pricing.py", "app/tasks.py", "app/deploy.py", "tests/test_a.py"]
)
def test_source_files_are_in_the_lane(path: str, findings: Findings) -> None:
    assert findings({path: File(b"x = 1\n")}, (path, "1", "2")) == ()


@pytest.mark.parametrize(
    "path",
    [
        "a/../b.py",
        "./a.py",
        "a//b.py",
        "/a.py",
        "~/a.py",
        "a\\b.py",
        "c:a.py",
        "a.py ",
        " a.py",
        "a./b.py",
        "a\nb.py",
        "a\u202eyp.b",
        ".git/config.py",
        "sub/.GIT/hooks/a.py",
        "git~1/a.py",
        ".github/a.py",
        ".circleci/a.py",
        "noxfile.py",
        "setup.py",
        "sub/setup.py",
        "requirements.txt",
        "REQUIREMENTS-dev.TXT",
        "uv.lock",
        "Pipfile",
        "infra/a.py",
        "stacks/cdk/a.py",
        "terraform/a.py",
        "Dockerfile",
        "template.yaml",
        "main.tf",
        "iam/a.py",
        "deploy-policy.json",
        "conftest.py",
        "tests/conftest.py",
        "pytest.ini",
        "sitecustomize.py",
        "evil.pth",
        ".selfheal.toml",
        "_pytest/a.py",
        "json.py",
    ],
)  # fmt: skip
def test_other_files_are_not_whatever_the_app_allows(path: str, findings: Findings) -> None:
    assert findings({"a.py": File(b"")}, (path, "", "x = 1\n"), allowed=("**",))


@pytest.mark.parametrize("path", ["link.py", "link/b.py"])
def test_nothing_is_written_through_a_link(path: str, findings: Findings) -> None:
    tree = {"link": File(b"/etc", SYMLINK), "link.py": File(b"", SYMLINK)}
    (finding,) = findings(tree, (path, "", "x = 1\n"))
    assert "symbolic link" in finding


def test_a_file_is_no_directory(findings: Findings) -> None:
    (finding,) = findings({"a.py": File(b"x\n")}, ("a.py/b.py", "", "x = 1\n"))
    assert "is a file, not a directory" in finding


@pytest.mark.parametrize(
    ("pattern", "path", "fits"),
    [
        ("**/*.py", "a.py", True),
        ("**/*.py", "a/b/c.py", True),
        ("src/**", "src/a/b.py", True),
        ("src/*.py", "src/a/b.py", False),
        ("src/?.py", "src/a.py", True),
        ("src/?.py", "src//py", False),
        ("src/**/tests/**/*.py", "src/tests/a.py", True),
        ("src**/a.py", "srcs/b/a.py", True),
        ("a.py", "abpy", False),
        ("**", "", True),
    ],
)
def test_globs(pattern: str, path: str, fits: bool) -> None:
    assert matches(pattern, path) is fits


@pytest.mark.parametrize("part", ["**/", "**/a/", "*a", "**a", "*"])
def test_a_glob_takes_steps_in_proportion_to_the_path(part: str) -> None:
    """A regular expression for it would not come to its end: what runs away meets the suite's own limit."""
    assert not matches(part * 60 + "b", "a/" * 400)


def test_a_path_has_a_length(findings: Findings) -> None:
    assert any(
        "longer than 1000 bytes" in found for found in findings({}, ("a/" * 500 + "b.py", "", "x = 1\n"))
    )


def test_repository_narrows_what_the_app_allows(findings: Findings) -> None:
    settings = b'[tool.selfheal]\nallowed_paths = ["src/**/*.py"]\n'
    tree = {"pyproject.toml": File(settings), "src/a/b.py": File(b"1\n"), "other.py": File(b"1\n")}
    assert findings(tree, ("src/a/b.py", "1", "2")) == ()
    assert findings(tree, ("other.py", "1", "2"))
    assert findings(tree, ("src/a/b.py", "1", "2"), allowed=("lib/*.py",))


def test_binary_files_are_not(findings: Findings) -> None:
    (finding,) = findings({"a.py": File(b"\0x\n")}, ("a.py", "x", "y"))
    assert "binary" in finding


def test_amounts_are_bounded(findings: Findings) -> None:
    many = [(f"n{i}.py", "", "x = 1\n") for i in range(scope.FILES_LIMIT + 1)]
    assert any("files changed" in f for f in findings({}, *many))
    long = "x = 1\n" * (scope.LINES_LIMIT + 1)
    assert any("lines changed" in f for f in findings({}, ("n.py", "", long)))


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        (b"not toml [", "cannot be read"),
        (b"allowed_paths = 'src'", "must be a list of strings"),
        (b"[accept]\nresult_stated = ''", "a reason"),
    ],
)
def test_broken_settings_are_ignored_and_said(
    settings: bytes, problem: str, facts_of: Callable[..., ValidationContext]
) -> None:
    rules = Rules.of(facts_of("KeyError").app, {".selfheal.toml": File(settings)})
    assert problem in rules.problem
    assert rules.allows("a.py")


@pytest.mark.parametrize("path", ["-x.py", "tests/-p.py", "--rootdir=/tmp/test_a.py"])
def test_a_name_that_programs_take_for_an_option_is_refused(path: str) -> None:
    assert "begins with a dash" in scope.path_problem(path, {})
