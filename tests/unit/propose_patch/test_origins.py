"""Where the value came from: culprits that are in no frame are in the prompt, for few tokens."""

from __future__ import annotations

import statistics
from pathlib import Path

import pytest

from functions.core.model.requests import request_tokens
from functions.propose_patch import context, syntax
from functions.propose_patch.ask import request_for
from functions.propose_patch.context import Context, build_context
from functions.propose_patch.prompt import build_prompt
from tests.origins import Case, Crashed, cases, crash

COLLECTIONS = {name: list(cases(name)) for name in ("cases", "unseen")}
CASES = [case for collection in COLLECTIONS.values() for case in collection]
SHOWN, TOKENS = 0.9, 1.15


def context_of(crashed: Crashed) -> Context:
    incident = crashed.incident
    return build_context(crashed.repository, incident.frames, crashed.roots, error=incident.title)


def tokens(crashed: Crashed, shown: Context) -> int:
    return request_tokens(request_for("a-model", build_prompt("heal", crashed.incident, shown)))


def line_of(case: Case) -> int:
    return next(
        n for n, line in enumerate(case.files[case.culprit_path].split("\n"), 1) if case.culprit in line
    )


def shows(case: Case, shown: Context) -> bool:
    line = line_of(case)
    return any(part.path == case.culprit_path and line in part.lines for part in shown.parts)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_culprit_is_in_no_frame(case: Case, tmp_path: Path) -> None:
    crashed = crash(case, tmp_path)
    tree = crashed.repository.tree(case.culprit_path)
    assert tree is not None
    for frame in context_of(crashed).frames:
        function = syntax.enclosing(tree, frame.line or 0)[0] if frame.path == case.culprit_path else None
        assert function is None or line_of(case) not in syntax.span(function)


@pytest.mark.parametrize("collection", COLLECTIONS)
def test_the_culprit_is_in_the_prompt_for_few_tokens(
    collection: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown, ratios = [], []
    for case in COLLECTIONS[collection]:
        directory = tmp_path / case.name
        directory.mkdir()
        crashed = crash(case, directory)
        ours = context_of(crashed)
        with monkeypatch.context() as without:
            without.setattr(context, "origins", lambda *_: [])
            before = context_of(crashed)
        assert collection != "cases" or not shows(case, before)
        shown.append(shows(case, ours))
        ratios.append(tokens(crashed, ours) / tokens(crashed, before))
        for part in ours.parts:
            assert part.why
    assert len(CASES) >= 20
    assert statistics.mean(shown) >= SHOWN
    assert statistics.median(ratios) <= TOKENS


def test_what_is_shown_of_it_is_bounded_and_says_why(tmp_path: Path) -> None:
    case = Case(
        "everywhere",
        "from a import f\nclass T: name = 'x'\nf(T())",
        "",
        {
            "a.py": "def f(thing):\n    return thing.name + 1\n",
            **{
                f"b{n}.py": "".join(f"def g{m}(x):\n    x.name = {m}\n" for m in range(50)) for n in range(30)
            },
        },
    )
    crashed = crash(case, tmp_path)
    parts = [p for p in context_of(crashed).parts if p.why.startswith("where the value may come from")]
    assert 0 < sum(part.tokens for part in parts) <= 400
    assert len(parts) <= 12
