"""What a repair rule is, and what it is given."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar

import libcst as cst

from infra.local.model.prompt import PromptFrame, PromptReport
from infra.local.model.source import NodeT, SourceFile, Splice, Statement


@dataclass(frozen=True, slots=True)
class RepairExample:
    """A module before and after the repair; `call` is run in it to make it crash."""

    before: str
    call: str
    after: str


@dataclass(frozen=True, slots=True)
class Repair:
    """One possible repair: changes to one file, and the words for the pull request.

    `confidence` 0 to 1: how far the change follows from the source itself (1) rather than from a likely
    intention. `trigger` gives literal arguments that reproduce the crash, by parameter name, and
    `expects` a line of test code that holds afterwards, with `{call}` for the call.
    """

    title: str
    root_cause: str
    explanation: str
    confidence: float
    file: SourceFile
    splices: tuple[Splice, ...]
    trigger: dict[str, str] = field(default_factory=dict)
    expects: str = ""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a rule that knows the crash will not repair it, as the `abstain` tool wants it."""

    abstention_class: str
    reason: str
    next_action: str


@dataclass(frozen=True)
class Crash:
    """The report, the readable files, and the place in the app's code where the error came from."""

    report: PromptReport
    files: dict[str, SourceFile]
    file: SourceFile
    line: int
    frame: PromptFrame | None

    @property
    def error(self) -> str:
        return self.report.error_type

    @property
    def message(self) -> str:
        return self.report.message

    @property
    def where(self) -> str:
        return f"{self.file.path}:{self.line}"

    def matches(self, pattern: str) -> re.Match[str] | None:
        """The pattern searched in the error's message."""
        return re.search(pattern, self.message)

    @cached_property
    def function(self) -> cst.FunctionDef | None:
        """The innermost function around the failing line."""
        inside = [
            f
            for f in self.file.all(cst.FunctionDef)
            if self.file.start(f)[0] <= self.line <= self.file.end(f)[0]
        ]
        return inside[-1] if inside else None

    @property
    def scope(self) -> cst.CSTNode:
        """The function around the failing line, else the module."""
        return self.function or self.file.module

    @property
    def function_name(self) -> str:
        return self.function.name.value if self.function else "the module"

    def failing(self, kind: type[NodeT]) -> list[NodeT]:
        """Nodes of that kind that begin on the failing line; the one the carets mark, when they mark one."""
        nodes = [n for n in self.file.all(kind, self.scope) if self.file.start(n)[0] == self.line]
        columns = self.frame.columns if self.frame else None
        if columns is not None:
            text = self.file.lines.get(self.line, "")
            indent = len(text) - len(text.lstrip())
            span = ((self.line, columns[0] + indent), (self.line, columns[1] + indent))
            exact = [n for n in nodes if (self.file.start(n), self.file.end(n)) == span]
            return exact or nodes
        return nodes

    def the_failing(self, kind: type[NodeT]) -> NodeT | None:
        """The node of that kind that failed, when only one can have."""
        nodes = self.failing(kind)
        return nodes[0] if len(nodes) == 1 else None

    def in_loop(self, node: cst.CSTNode) -> bool:
        """Whether a loop of the same function surrounds the node: what a `return` there should mean for the
        other rounds is anyone's guess."""
        for up in self.file.ancestors(node):
            if isinstance(up, cst.FunctionDef):
                return False
            if isinstance(up, cst.For | cst.While):
                return True
        return False

    def statement_of(self, node: cst.CSTNode) -> Statement | None:
        """The node's statement, when a guard can be put above it and would see the same names: the
        statement stands alone, and no comprehension, lambda or loop test lies between."""
        hidden = (
            cst.BaseComp,
            cst.Lambda,
            cst.While,
            cst.BooleanOperation,
            cst.IfExp,
            cst.ClassDef,
            cst.Decorator,
        )
        for up in (node, *self.file.ancestors(node)):
            if isinstance(up, cst.While) or (isinstance(up, hidden) and up is not node):
                return None
            if isinstance(up, Statement):
                return up if self.file.stands_alone(up) else None
        return None


class Rule(ABC):
    """A repair for one class of crash. The engine asks every rule whose `errors` name the error's type."""

    crash_class: ClassVar[str]
    errors: ClassVar[tuple[str, ...]]
    message: ClassVar[str] = ""
    """A pattern that the error's message must contain."""
    precondition: ClassVar[str]
    """What must hold in the source for the rule to speak."""
    examples: ClassVar[tuple[RepairExample, ...]] = ()

    @abstractmethod
    def candidates(self, crash: Crash) -> Iterator[Repair | Refusal]:
        """Possible repairs, best first; a Refusal ends them and is used when no rule repairs."""
