"""CODEOWNERS, as GitHub's and GitLab's documentation say that it is read."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from functions.core.forge.code_owners import Rules, github_rules, gitlab_rules, owners

Reading = Callable[[str], Rules]

GITHUB = r"""
# Anybody's, unless a later line says more
*       @everybody   @org/all
*.js    @js-owner #inline comment
*.go    docs@example.com
/build/logs/ @doctocat
docs/*  @direct
apps/   @octocat
/scripts/ @doctocat @octocat
**/logs @logs
/apps/github
/apps/github/team @org/team
with\ blank.txt @blank
src/**/deep.py @deep
lib/[a].py @brackets
"""


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("README.md", "everybody org/all"),
        ("web/a.js", "js-owner"),
        ("a.go", "docs@example.com"),
        ("build/logs/x/y.txt", "logs"),
        ("other/build/logs.txt", "everybody org/all"),
        ("docs/a.md", "direct"),
        ("docs/build/a.md", "everybody org/all"),
        ("x/docs/a.md", "everybody org/all"),
        ("x/apps/a.py", "octocat"),
        ("apps", "everybody org/all"),
        ("scripts/deep/a.sh", "doctocat octocat"),
        ("x/scripts/a.sh", "everybody org/all"),
        ("deep/logs/a", "logs"),
        ("apps/github", ""),
        ("apps/github/a.py", ""),
        ("apps/github/team/a.py", "org/team"),
        ("with blank.txt", "blank"),
        ("src/deep.py", "deep"),
        ("src/a/b/deep.py", "deep"),
        ("lib/[a].py", "brackets"),
        ("lib/a.py", "everybody org/all"),
    ],
)
def test_github_s_last_match_wins(path: str, expected: str) -> None:
    assert " ".join(owners(github_rules(GITHUB), [path])) == expected


GITLAB = r"""
* @default
README.md @readme # everywhere
/docs/ @writers
/docs/*.tmp
\#odd.txt @odd
path\ with\ blank/ @blank

[Database] @dba
model/db/
*.sql @sql @@maintainer

^[Reviews][2] @a @b
*.py
!*_pb2.py
[database]
/special.txt @special
"""


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("x.txt", "default"),
        ("deep/README.md", "readme"),
        ("docs/a/b.md", "writers"),
        ("x/docs/a.md", "default"),
        ("docs/a.tmp", ""),
        ("#odd.txt", "odd"),
        ("deep/path with blank/a", "blank"),
        ("model/db/a.txt", "default dba"),
        ("x/model/db/a.txt", "default dba"),
        ("a.sql", "default sql"),
        ("a.py", "default a b"),
        ("a_pb2.py", "default"),
        ("special.txt", "default special"),
    ],
)
def test_gitlab_s_last_match_in_each_section_wins(path: str, expected: str) -> None:
    assert " ".join(owners(gitlab_rules(GITLAB), [path])) == expected


@pytest.mark.parametrize("rules", [github_rules, gitlab_rules])
def test_several_files_owners_are_each_named_once_in_the_files_order(rules: Reading) -> None:
    text = "*.py @a @b\n*.sql @c @a\n"
    assert owners(rules(text), ["x.sql", "y.py", "z.md"]) == ("c", "a", "b")


@pytest.mark.parametrize("rules", [github_rules, gitlab_rules])
@pytest.mark.parametrize(
    "text", ["", "\0", "[", "[]", "^", "@a", "/ @a", "!", "# @a", "\\", "* a b\n[[x] @a"]
)
def test_what_is_no_rule_names_nobody_for_a_file(rules: Reading, text: str) -> None:
    assert owners(rules(text), ["rates.py"]) == ()
