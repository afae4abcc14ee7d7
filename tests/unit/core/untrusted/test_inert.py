"""Strangers' text where programs act on it: readable, and nothing comes alive."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.core.untrusted.inert import inert, inert_line

# What GitHub documents as acting in commit messages, written apart from the code's own list.
ALIVE = re.compile(
    r"(?i)(?:^|\W)@\w|#\d|\bgh-\d|https?://|\bwww\.|\[(?:skip[ -]ci|ci[ -]skip|no[ -]ci|skip[ -]actions|"
    r"actions[ -]skip)\]|\*\*\*no_ci\*\*\*|^skip-checks:"
    # GitLab's own references, and what is the same once a program has normalised it.
    r"|[!%&$]\d|%\"|~[\w\"]|[＠＃！％＆＄～]\w"
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("fixes #7, closes acme/core#8", "fixes [#]7, closes acme/core[#]8"),
        ("resolves GH-13", "resolves GH[-]13"),
        ("cc @octocat @acme/security", "cc [@]octocat [@]acme/security"),
        ("fixes ＃7, ﹟8, cc ＠octocat", "fixes [＃]7, [﹟]8, cc [＠]octocat"),
        (
            'see acme/core!7 %7 %"v 1" &5 $5 ~bug ~"old bug" ！7 ％7 ＆5 ～bug',
            'see acme/core[!]7 [%]7 [%]"v 1" [&]5 [$]5 [~]bug [~]"old bug" [！]7 [％]7 [＆]5 [～]bug',
        ),
        ("a != 7, 50 % of it, %s, a & b, ~/x, $x, 2>&1", "a != 7, 50 % of it, %s, a & b, ~/x, $x, 2>[&]1"),
        ("done [skip ci]", "done (skip ci)"),
        ("[CI-Skip] [no ci] [actions skip] ***NO_CI***", "(CI-Skip) (no ci) (actions skip) **NO_CI**"),
        ("skip-checks: true", "skip-checks : true"),
        ("see https://evil.example/a", "see https[:]//evil[.]example/a"),
        ("www.evil.example or evil.example/x", "www[.]evil.example or evil[.]example/x"),
        ("mailto:eve@evil.example", "mailto[:]eve[@]evil.example"),
        # Mail programs make links of these; of names in code they do, too, but nobody takes such names.
        (
            "see evil.com, evil-bank.co.uk or evil\u3002com",
            "see evil[.]com, evil-bank.co[.]uk or evil[\u3002]com",
        ),
        ("log.info(x), rates.py, urllib.request, a.net()", "log.info(x), rates.py, urllib.request, a.net()"),
        # Issues of a tracker behind GitLab.
        ("Closes SHOP-12, SHOP-13 and PAY_2-1", "Closes SHOP[-]12, SHOP[-]13 and PAY_2[-]1"),
        ("fixes UTF-8 of 2026-11-30, not SHA-256", "fixes UTF-8 of 2026-11-30, not SHA-256"),
        ("SHOP-12 is slow", "SHOP-12 is slow"),
        ("x\u202ey\x1b[31m", "x y"),
        ("KeyError: 'NZ' in rates[0][1] a.b.c(list[str])", "KeyError: 'NZ' in rates[0][1] a.b.c(list[str])"),
    ],
)
def test_what_would_act_stands_in_brackets(text: str, expected: str) -> None:
    assert inert(text) == expected
    assert not ALIVE.search(inert(text))


PIECES = [
    *'@#＠＃!%&$~"1a:.[]\n\u200b-',
    "//",
    "***",
    "GH",
    "www",
    "skip",
    "ci",
    "no",
    " ",
    "https",
    "mailto",
]


@given(st.lists(st.sampled_from(PIECES)))
def test_no_combination_comes_alive(parts: list[str]) -> None:
    assert not ALIVE.search(inert_line("".join(parts)))
    assert "\n" not in inert_line("\n".join(parts))
