"""What held back an effect before holds it back still: on every way to it, as far as the code shows.

In terms of control flow: a check that dominated an effect before the patch dominates it after. A check is a
condition that leaves when it is met, of which each part of an `or` refuses alone, or a call of a function of
the repository that may raise. An effect is a call, something that is stored where others see it, or a result.
What a patch adds may refuse more; what it lets pass by a check, or move in front of one, is told.
"""

from __future__ import annotations

import ast
import builtins
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from functions.core.source.syntax_tree import Function, dotted, functions_of, nodes_of, same_code
from functions.validate_patch.candidate import Candidate
from functions.validate_patch.capabilities import library
from functions.validate_patch.capabilities.changed import changed_modules
from functions.validate_patch.capabilities.checks import alternatives
from functions.validate_patch.capabilities.leaks import LOGS
from functions.validate_patch.capabilities.names import UNKNOWN, ModuleIndex, ResolvedNames, definition

Passed = frozenset[str]
"""Checks that were passed, as source text; those of one branch alone with the condition: see `_where`."""
_LEAVES = (ast.Return, ast.Raise, ast.Continue, ast.Break)
_LATER = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)
_MAYBE = (ast.IfExp, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_READS = frozenset((*dir(str), "get", "keys", "values", "items", "copy"))
"""Methods of texts and tables that change nothing."""
_RESULT, _WHERE, _DONE = "return", " where ", "done: "


@dataclass(frozen=True, slots=True)
class Effect:
    """Something that is done, and the checks that were passed on every way there."""

    name: str
    line: int
    passed: Passed
    refuses: bool = False
    """Whether it may raise itself, as a check does."""


def findings(candidate: Candidate, before: ModuleIndex, after: ModuleIndex) -> Iterator[str]:
    """One sentence for each check that something is done without."""
    for path, old, new in changed_modules(candidate, before, after):
        failing = {place.line for place in candidate.places if place.path == path}
        had, has = functions_of(old.module), functions_of(new.module)
        for name in had.keys() & has.keys():
            if not same_code(had[name], has[name]):
                was = _followed(had[name], old, before, {}, failing)
                now = _followed(has[name], new, after, _fresh(had[name], has[name]), set())
                for effect, check in _lost(was, now, _replaced(has[name])):
                    yield f"check: {path}:{effect.line}: {name} {_said(effect, check)}"


def _said(effect: Effect, check: str) -> str:
    if check.startswith(_DONE):
        return f"gives a result without `{check.removeprefix(_DONE)}`, or not always with that"
    what = "gives a result" if effect.name == _RESULT else f"does `{effect.name.rstrip(' =')}`"
    return f"{what} where `{check}` was not checked, or not always"


def _lost(was: _Flow, now: _Flow, replaced: Callable[[str], bool]) -> Iterator[tuple[Effect, str]]:
    """Effects after the patch, each with a check that stood before every one of its name, and does not.

    replaced: whether another condition asks about what a check asks about. Where that is one that ends early
    and raises nothing, what it gives is compared by running it.
    """
    needed: dict[str, Passed] = {}
    for effect in was.effects:
        needed[effect.name] = needed.get(effect.name, effect.passed) & effect.passed
    # What is done now and was not is held back by what held back all that was, if it raises.
    held_back = [hard for passed in needed.values() if (hard := passed - was.ending)]
    common = frozenset.intersection(*held_back) if held_back else frozenset()
    told: set[str] = set()
    for effect in now.effects:
        before = needed.get(effect.name, frozenset() if effect.refuses else common)
        for check in sorted(before - effect.passed - told):
            plain = check.partition(_WHERE)[0]
            matters = effect.name == _RESULT or not check.startswith(_DONE)
            if matters and plain not in effect.passed and not (plain in was.ending and replaced(plain)):
                told.add(check)
                yield effect, check


def _replaced(function: Function) -> Callable[[str], bool]:
    tests = [node.test for node in nodes_of(function) if isinstance(node, ast.If | ast.IfExp | ast.While)]

    def replaced(check: str) -> bool:
        asked = _named(ast.parse(check, mode="eval"))
        about = [ast.unparse(test) for test in tests if asked & _named(test)]
        return bool(about) and not any(check in text for text in about)

    return replaced


def _named(node: ast.AST) -> set[str]:
    names = {inner.id for inner in nodes_of(node) if isinstance(inner, ast.Name)}
    return (names - {"self", "cls"} - set(dir(builtins))) | {
        inner.attr for inner in nodes_of(node) if isinstance(inner, ast.Attribute)
    }


def _followed(
    function: Function,
    names: ResolvedNames,
    repository: ModuleIndex,
    fresh: dict[str, ast.expr],
    failing: set[int],
) -> _Flow:
    def refusing(call: ast.Call) -> type[ast.stmt] | None:
        own = definition(names, call.func, repository) if call.lineno not in failing else None
        if own is None or not any(isinstance(node, ast.Raise) for node in nodes_of(own)):
            return None
        return type(own.body[-1])

    bound = {n.id for n in nodes_of(function) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}

    def pure(called: ast.expr) -> bool:
        name, last = names.of(called), getattr(called, "attr", "")
        harmless = library.is_standard(name) and library.is_harmless(name)
        return harmless or hasattr(builtins, name) or (last in _READS and name.startswith(UNKNOWN))

    flow = _Flow(refusing, fresh, failing, bound, pure)
    flow.block(function.body, frozenset())
    return flow


def _fresh(old: Function, new: Function) -> dict[str, ast.expr]:
    """Names that only the patched function binds, once, with what they stand for."""
    known = {node.id for node in nodes_of(old) if isinstance(node, ast.Name)}
    bound = Counter(n.id for n in nodes_of(new) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store))
    return {
        target.id: node.value
        for node in nodes_of(new)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name) and target.id not in known and bound[target.id] == 1
    }


@dataclass
class _Flow:
    """Follows a function. refusing: of a call that may refuse, how it ends else; fresh: names that are read
    as what they stand for."""

    refusing: Callable[[ast.Call], type[ast.stmt] | None]
    fresh: dict[str, ast.expr]
    failing: set[int]
    local: set[str]
    """Names that the function binds."""
    pure: Callable[[ast.expr], bool]
    """Whether a function only works something out."""
    ending: set[str] = field(default_factory=set)
    """Checks that end the function, or a round of a loop, without an error."""
    effects: list[Effect] = field(default_factory=list)

    def block(self, statements: Iterable[ast.stmt], passed: Passed) -> Passed | None:
        """What was passed at its end; None where that is never reached."""
        for statement in statements:
            after = self._statement(statement, passed)
            if after is None:
                return None
            passed = after
        return passed

    def _statement(self, node: ast.stmt, passed: Passed) -> Passed | None:
        if isinstance(node, _LATER):
            return passed
        if isinstance(node, ast.If):
            return self._branches(node, self._evaluated(node.test, passed))
        if isinstance(node, ast.For | ast.AsyncFor | ast.While):
            passed = self._evaluated(node.test if isinstance(node, ast.While) else node.iter, passed)
            self.block(node.body, passed)
            return self.block(node.orelse, passed)
        if isinstance(node, ast.With | ast.AsyncWith):
            for item in node.items:
                passed = self._evaluated(item.context_expr, passed)
            ended = self.block(node.body, passed)
            cut = any("suppress" in ast.unparse(item.context_expr) for item in node.items)
            return passed if cut else ended
        if isinstance(node, ast.Try | ast.TryStar):
            return self._tried(node, passed)
        if isinstance(node, ast.Match):
            passed = self._evaluated(node.subject, passed)
            return _common([passed, *(self.block(case.body, passed) for case in node.cases)])
        return self._simple(node, passed)

    def _simple(self, node: ast.stmt, passed: Passed) -> Passed | None:
        call = node.value if isinstance(node, ast.Expr) else None
        if isinstance(node, ast.Raise) or (isinstance(call, ast.Call) and self.refusing(call) is ast.Raise):
            return None
        passed = self._evaluated(node, passed)
        for name in _stored(node):
            self.effects.append(Effect(name, node.lineno, passed))
        if node.lineno not in self.failing:
            passed |= {f"{_DONE}{text}" for text in _done(node, self.local)}
        if isinstance(node, ast.Return) and node.value is not None and not _is_fixed(node.value):
            self.effects.append(Effect(_RESULT, node.lineno, passed))
        return None if isinstance(node, _LEAVES) else passed

    def _branches(self, node: ast.If, passed: Passed) -> Passed | None:
        met, other = self.block(node.body, passed), self.block(node.orelse, passed)
        test = ast.unparse(node.test)
        if met is None and other is not None:
            refused = alternatives(node.test, self.fresh)
            self.ending |= set() if isinstance(node.body[-1], ast.Raise) else refused
            return other | refused
        if other is None:
            return None if met is None else met | {f"not ({test})"}
        if met is None:
            return other
        return (met & other) | _where(met - other, test) | _where(other - met, f"not ({test})")

    def _tried(self, node: ast.Try | ast.TryStar, passed: Passed) -> Passed | None:
        ended = self.block(node.body, passed)
        ended = self.block(node.orelse, ended) if ended is not None else None
        ends = [ended, *(self.block(handler.body, passed) for handler in node.handlers)]
        after = _common(ends)
        final = self.block(node.finalbody, passed)
        return None if after is None or final is None else after | final

    def _evaluated(self, node: ast.AST, passed: Passed) -> Passed:
        """The calls of an expression, or of a simple statement, those inside others first."""
        for call, surely in _calls(node, True):
            refuses = self.refusing(call) is not None
            if not self.pure(call.func):
                self.effects.append(Effect(ast.unparse(call.func), call.lineno, passed, refuses))
            if surely and refuses:
                passed |= alternatives(call, self.fresh)
        return passed


def _where(checks: Passed, condition: str) -> set[str]:
    """Checks of one branch alone, with its condition; those of branches in branches are left out."""
    plain = (check for check in checks if not check.startswith(_DONE) and _WHERE not in check)
    return {f"{check}{_WHERE}{condition}" for check in plain}


def _common(ends: list[Passed | None]) -> Passed | None:
    reached = [end for end in ends if end is not None]
    return frozenset.intersection(*reached) if reached else None


def _calls(node: ast.AST, surely: bool) -> Iterator[tuple[ast.Call, bool]]:
    """Calls in the order in which they are made, and whether they are made whenever the whole is."""
    if isinstance(node, _LATER):
        return
    for number, inner in enumerate(ast.iter_child_nodes(node)):
        first = number == 0 and isinstance(node, ast.IfExp | ast.BoolOp)
        short = isinstance(node, ast.BoolOp) and number > 1  # the operator is a child, too
        yield from _calls(inner, surely and not (short or (isinstance(node, _MAYBE) and not first)))
    if isinstance(node, ast.Call):
        yield node, surely


def _stored(node: ast.stmt) -> Iterator[str]:
    """What is changed that others may see: attributes and items, without what they are found by."""
    for inner in nodes_of(node):
        if isinstance(inner, ast.Attribute | ast.Subscript) and not isinstance(inner.ctx, ast.Load):
            yield f"{ast.unparse(inner.value)} = "


def _done(node: ast.stmt, local: set[str]) -> Iterator[str]:
    """What a statement does for its effect alone: a call of what the function did not make itself, but for
    the log, or a store, with what is fixed."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        name = dotted(node.value.func)
        if name.partition(".")[0] not in local and not LOGS.fullmatch(name):
            yield f"{ast.unparse(node.value.func)}()"
    elif isinstance(node, ast.Assign):
        value = f" = {node.value.value!r}" if isinstance(node.value, ast.Constant) else ""
        for target in node.targets:
            if isinstance(target, ast.Attribute):
                yield f"{ast.unparse(target)}{value}"


def _is_fixed(node: ast.expr) -> bool:
    """Whether a result tells nothing but what the code says, with no value of this call in it, or that
    something is wrong: a status of 400 or more, `error`, `ok: False`."""
    first: ast.expr | None = None
    if isinstance(node, ast.Dict):
        pairs = zip(node.keys, node.values, strict=True)
        keys = {key.value: value for key, value in pairs if isinstance(key, ast.Constant)}
        first = next((keys[key] for key in ("statusCode", "status_code", "status") if key in keys), None)
        refused = any(getattr(keys.get(key), "value", None) is False for key in ("ok", "success", "valid"))
        if refused or keys.keys() & {"error", "errors"}:
            return True
    elif isinstance(node, ast.Tuple | ast.Call):
        first = next(iter(node.args if isinstance(node, ast.Call) else node.elts), None)
    if isinstance(first, ast.Constant) and isinstance(first.value, int) and first.value >= 400:
        return True
    called = {id(n) for call in nodes_of(node) if isinstance(call, ast.Call) for n in nodes_of(call.func)}
    names = (inner for inner in nodes_of(node) if isinstance(inner, ast.Name) and id(inner) not in called)
    return all(name.id.isupper() or hasattr(builtins, name.id) for name in names)
