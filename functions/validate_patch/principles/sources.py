"""What the tree as fetched states: where it says what is to be given when something is missing or malformed.

    declaration     the return type allows None; a parameter, field or `.get` of this name has this default
    documentation   the function's docstring or comments, or a sentence elsewhere that names the subject
    a constant      that the code names, and that is named for the case or for the subject
    a test          that asserts this value of this function
    convention      another function of the file, declared alike, gives the same for an empty or missing input

A patch cannot vouch for itself: nothing of the patched tree is read here.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from functions.core.source.stated_values import stated_values
from functions.core.source.syntax_tree import (
    Function,
    functions_around,
    functions_of,
    module_constants,
    names_in,
    nodes_of,
)
from functions.harness.names import is_test
from functions.validate_patch.candidate import Candidate, FrameLocation, parsed
from functions.validate_patch.principles import sentences
from functions.validate_patch.principles.defaults import defaults_in, literal
from functions.validate_patch.principles.results import Unwritten, is_nothing, same

_ABSENT = re.compile(
    r"\b(?:optional\w*|omitted|left out|may be (?:missing|absent|empty|none|null|left out|omitted))\b"
)
_LEFT_OUT = re.compile(
    r"\b(?:skip\w*|ignor\w*|left out|leav\w* out|drop\w*|exclud\w*|forget\w*|remov\w*"
    r"|do(?:es)? not count|(?:is|are) not (?:built|counted|listed|sent|shown|included|reported|written)"
    r"|only)\b"
)
_BLANK = re.compile(r"\b(?:blank|empty)\b")
_PASSED_OVER = re.compile(r"\b(?:skipped|ignored|do(?:es)? not count)\b")
_KEPT = re.compile(r"\b(?:keeps?|kept|unchanged|as (?:it|they) (?:is|are|came)|as given|itself|echo\w*)\b")
_RAISED = re.compile(r"\b[Rr]aises?:?\s+`?([A-Z]\w+)")
_DEFAULT_NAME = re.compile(r"default|fallback|unknown|missing|empty|none|other|no_|nan", re.IGNORECASE)
_VALUE = re.compile(r"\d|[`'\"]\w+[`'\"].*[`'\"]\w+[`'\"]")
"""A sentence with a number, or with a value in quotes beside the subject, gives another value."""
_SAME_WORDS = 2
"""Words in common by which a sentence is of what a docstring is of."""
_MOST_FILES = 50
"""Files that are read for defaults: one that so many others use, too, is a name that says little."""
_DOCUMENTS = (".md", ".rst", ".txt")


@dataclass(frozen=True)
class Sources:
    """What the tree says about one function, and about what it failed to find."""

    candidate: Candidate
    place: FrameLocation
    """The function that failed."""
    message: str
    """The incident's, which quotes what is missing."""

    def of(self, value: Any, named: Sequence[str] = ()) -> str:
        """What states that this value is given in the case that failed; "" where nothing does.

        named: names of constants in the code, or of keys in its tables, that have this value.
        """
        if value is None and self._may_be_none:
            return f"{self.function} is declared to return None"
        if found := self._constant(named):
            return f"{found} is what the code names for it"
        if self._default(value):
            return "the same default is given elsewhere"
        if said := self._said(value, sentences.spellings(value, named)):
            return said
        if is_nothing(value) and (self._asserted(value) or self._convention(value)):
            return "the code gives it elsewhere for the same case"
        return ""

    def _said(self, value: Any, words: Sequence[str]) -> str:
        """The sentence that speaks of the case, and of this value for it."""
        text = value.text.lower() if isinstance(value, Unwritten) else ""
        nothing = is_nothing(value)
        for sentence in self._own:
            if sentences.says(sentence, words) or (text and text in sentence):
                return sentence
        for sentence in self._others:
            optional = value is not None and nothing and _ABSENT.search(sentence)
            if sentences.says(sentence, words) or (optional and not _VALUE.search(sentence)):
                return sentence
        if isinstance(value, str):
            return next((s for s in self._of_input if value and sentences.says(s, words)), "")
        spoken = (*self._own, *self._others, *self._of_input) if nothing else ()
        return next((s for s in spoken if _PASSED_OVER.search(s)), "")

    @cached_property
    def errors(self) -> dict[str, str]:
        """Exceptions of the repository that documentation says the function raises, and that it does not yet
        raise → the sentence."""
        nodes = nodes_of(self.node) if self.node is not None else ()
        raised = {name for node in nodes if isinstance(node, ast.Raise) for name in names_in(node)}
        named = [text for text in self._documents if self.function in text]
        found: dict[str, str] = {}
        for sentence in (
            s for text in (*self._own_text[:1], *named) for s in re.split(r"(?<=[.;])\s+", text)
        ):
            for name in _RAISED.findall(sentence):
                if name in self.candidate.binders and name not in raised:
                    found.setdefault(name, " ".join(sentence.split()))
        return found

    @cached_property
    def _documents(self) -> list[str]:
        """Paragraphs of the repository's documents."""
        files = (f for path, f in self.candidate.before.items() if path.endswith(_DOCUMENTS))
        return [part for f in files for part in re.split(r"\n\s*\n", f.data.decode(errors="replace"))]

    @cached_property
    def promised(self) -> tuple[tuple[Any, ...], str]:
        """Values that the docstring or comments give for a missing case, and the sentence that does."""
        constants = module_constants(self.module) if self.module is not None else {}
        values, sentence = stated_values("\n\n".join(self._own_text), constants)
        return tuple(map(literal, values)), sentence

    def leaving_out(self, blank: bool = True) -> str:
        """What states that the case may be passed over. blank: whether it is one of blank input."""
        spoken = (*self._own, *self._others, *self._of_input)
        said = (s for s in spoken if _LEFT_OUT.search(s) and (blank or not _BLANK.search(s)))
        return next(said, "")

    def naming(self, names: Iterable[str]) -> str:
        """What states that one of these parts of the input stands in for what is missing, and is not that."""
        keys = frozenset(name.strip("'\"") for name in names if re.search(r"[a-z]{2}", name)) - self.keys
        spoken = (s for s in (*self._own, *self._others) if sentences.speaks_of_absence(s))
        return next((s for s in spoken if sentences.names_any(s, keys)), "")

    def speaks_of(self, what: re.Pattern[str]) -> bool:
        """Whether the documentation of the function, or of the subject, uses such a word."""
        return any(what.search(sentence) for sentence in (*self._own, *self._others))

    def keeping(self) -> str:
        """What states that the input is given back."""
        return next((s for s in (*self._own, *self._others) if _KEPT.search(s)), "")

    @property
    def function(self) -> str:
        return self.node.name if self.node is not None else self.place.function

    @cached_property
    def module(self) -> ast.Module | None:
        return parsed(self.candidate.before, self.place.path)

    @cached_property
    def node(self) -> Function | None:
        """The function that failed; of a lambda or comprehension, the one around it."""
        holding = functions_around(self.module, self.place.line) if self.module is not None else []
        return holding[-1][1] if holding else None

    @cached_property
    def keys(self) -> frozenset[str]:
        """What is missing: keys that the message quotes, and keys and attributes that the failing line reads;
        of a line that reads none, its names, and the function's parameters."""
        nodes = [*nodes_of(self._line), *self._made_of]
        methods = {id(node.func) for node in nodes if isinstance(node, ast.Call)}
        found = {node.attr for node in nodes if isinstance(node, ast.Attribute) and id(node) not in methods}
        texts = {n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str)}
        quoted = set(re.findall(r"['\"]([^'\"]{1,60})['\"]", self.message))
        if quoted & texts:
            return sentences.telling(quoted & texts) | sentences.telling({self.function})
        found |= texts | quoted
        keys = sentences.telling(found)
        if not keys & set(re.findall(r"\w+", self.place.code)):
            names = {node.id for node in nodes if isinstance(node, ast.Name)}
            keys |= sentences.telling(names) | self._parameters
        return keys | sentences.telling({self.function})

    @property
    def _made_of(self) -> Iterator[ast.AST]:
        """What the names on the failing line are bound to in the function: that is read by them."""
        names = {node.id for node in nodes_of(self._line) if isinstance(node, ast.Name)}
        for node in nodes_of(self.node) if self.node is not None else ():
            bound = {t.id for t in getattr(node, "targets", ()) if isinstance(t, ast.Name)}
            if isinstance(node, ast.Assign) and bound & names and node.lineno <= self.place.line:
                yield from nodes_of(node.value)

    @cached_property
    def _parameters(self) -> frozenset[str]:
        arguments = nodes_of(self.node.args) if self.node is not None else ()
        names = {a.arg for a in arguments if isinstance(a, ast.arg)}
        return frozenset(name for name in names if len(name) > 2) - {"self", "cls"}

    @property
    def _line(self) -> ast.AST:
        """The statement that failed, as far as its line tells."""
        for text in (self.place.code, f"{self.place.code} pass", self.place.code.partition("return ")[2]):
            try:
                return ast.parse(text)
            except SyntaxError:
                continue
        return ast.Module([], [])

    @cached_property
    def _may_be_none(self) -> bool:
        note = (
            ast.unparse(self.node.returns) if self.node is not None and self.node.returns is not None else ""
        )
        return note != "None" and bool(re.search(r"\bOptional\[|\bNone\b", note))

    def _constant(self, named: Sequence[str]) -> str:
        """A constant that the tree has, named for the case or for the subject."""
        subject = {part for key in self.keys for part in sentences.parts(key)}
        for name in named:
            if name.lower() in ("default", "other", "else"):
                return name
            known = bool(re.fullmatch(r"[A-Z][A-Z0-9_]*", name)) or name.isupper()
            if (
                known
                and (_DEFAULT_NAME.search(name) or set(sentences.parts(name)) & subject)
                and self._has(name)
            ):
                return name
        return ""

    def _has(self, name: str) -> bool:
        return any(name in module_constants(module) for _, module in self.candidate.modules_binding([name]))

    def _default(self, value: Any) -> bool:
        """Whether a parameter, a field, a `.get` or a table of defaults gives this value for a key."""
        return any(key in self.keys and same(default, value) for key, default in self._defaults)

    @cached_property
    def _defaults(self) -> list[tuple[str, Any]]:
        """The defaults of the files that may give one for a key. A test's helpers state none."""
        keys = "|".join(map(re.escape, sorted(self.keys)))
        hint = re.compile(rf"\b(?:{keys})(?:['\"]\s*[,:]|\s*+(?::[^=\n]{{0,200}})?=(?!=))".encode())
        files = [
            path
            for path, file in self.candidate.before.items()
            if path.endswith(".py") and not is_test(path) and hint.search(file.data)
        ]
        modules = (parsed(self.candidate.before, path) for path in files[:_MOST_FILES])
        return [pair for module in modules if module is not None for pair in defaults_in(module)]

    @cached_property
    def _own(self) -> tuple[str, ...]:
        """Sentences of the function's docstring, of the comments in it and right before it, and of the
        docstrings of its callers in the traceback, whose results are its own."""
        return tuple(
            sentence for text in (*self._own_text, *self._callers) for sentence in sentences.split(text)
        )

    @cached_property
    def _callers(self) -> tuple[str, ...]:
        found = []
        for place in self.candidate.places:
            module = parsed(self.candidate.before, place.path)
            for name, function in functions_of(module).items() if module is not None else ():
                if name.rpartition(".")[2] == place.function and function is not self.node:
                    found.append(ast.get_docstring(function) or "")
        return tuple(found)

    @cached_property
    def _own_text(self) -> tuple[str, ...]:
        if self.node is None:
            return ()
        lines = self.candidate.before[self.place.path].data.decode(errors="replace").split("\n")
        first = self.node.lineno - 1
        while first > 0 and lines[first - 1].strip().startswith(("#", "@")):
            first -= 1
        code = lines[first : self.node.end_lineno]
        comments = "\n".join(found[1] for line in code if (found := re.search(r"#[ ]?(.*)", line)))
        return ast.get_docstring(self.node) or "", comments

    @cached_property
    def _others(self) -> tuple[str, ...]:
        """Sentences elsewhere that name what is missing."""
        own = sentences.content(" ".join(self._own[:1]))
        return tuple(
            sentence
            for sentence in self._elsewhere
            if sentences.names_any(sentence, self.keys)
            or len(own & sentences.content(sentence)) >= _SAME_WORDS
        )

    @cached_property
    def _of_input(self) -> tuple[str, ...]:
        """Sentences elsewhere that name a parameter."""
        return tuple(
            sentence for sentence in self._elsewhere if sentences.names_any(sentence, self._parameters)
        )

    @cached_property
    def _elsewhere(self) -> tuple[str, ...]:
        """Sentences of documents, and of the file's comments and docstrings of modules and classes."""
        found: list[str] = []
        for path, file in self.candidate.before.items():
            if path.endswith(_DOCUMENTS):
                found += sentences.split(file.data.decode(errors="replace"))
            elif path == self.place.path:
                text = file.data.decode(errors="replace")
                found += sentences.split("\n".join(re.findall(r"#[ ]?(.*)", text)))
                for node in nodes_of(self.module) if self.module is not None else ():
                    if isinstance(node, ast.Module | ast.ClassDef):
                        found += sentences.split(ast.get_docstring(node) or "")
        return tuple(found)

    def _asserted(self, value: Any) -> bool:
        """Whether a test asserts this value of the function where something is missing or empty."""
        for path, file in self.candidate.before.items():
            if not (is_test(path) and path.endswith(".py") and self.function.encode() in file.data):
                continue
            module = parsed(self.candidate.before, path)
            for node in nodes_of(module) if module is not None else ():
                if not isinstance(node, ast.Compare) or not _calls_with_nothing(node.left, self.function):
                    continue
                if any(same(literal(side), value) for side in node.comparators):
                    return True
        return False

    def _convention(self, value: Any) -> bool:
        """Whether another function of the file gives this where the same input is empty or missing."""
        note = ast.dump(self.node.returns) if self.node is not None and self.node.returns is not None else ""
        for other in functions_of(self.module).values() if self.module is not None else ():
            declared = ast.dump(other.returns) if other.returns is not None else ""
            names = {a.arg for a in nodes_of(other.args) if isinstance(a, ast.arg)}
            if other is self.node or declared != note or not names & self._parameters:
                continue
            for node in nodes_of(other):
                given: ast.expr | None = None
                if isinstance(node, ast.If) and len(node.body) == 1 and isinstance(node.body[0], ast.Return):
                    given = node.body[0].value or ast.Constant(None)
                elif isinstance(node, ast.IfExp):
                    given = node.orelse
                if given is not None and _tests_emptiness(node) and same(literal(given), value):
                    return True
        return False


def _calls_with_nothing(node: ast.expr, function: str) -> bool:
    """Whether an expression calls the function with something that is missing or empty."""
    text = ast.unparse(node)
    return f"{function}(" in text and bool(re.search(r"None|\[\]|\{\}|''|\(\)", text))


def _tests_emptiness(node: ast.AST) -> bool:
    """`if not x`, `if x is None`, `x if x else`."""
    test = getattr(node, "test", None)
    if isinstance(test, ast.UnaryOp):
        return isinstance(test.op, ast.Not)
    if isinstance(test, ast.Compare) and len(test.ops) == 1:
        return is_nothing(literal(test.comparators[0]))
    return isinstance(test, ast.Name | ast.Attribute)
