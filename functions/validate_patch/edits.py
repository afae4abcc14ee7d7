"""Gate 1: applies the proposal's edits to the tree as fetched. Every edit must match exactly once."""

from __future__ import annotations

import difflib
import re
from bisect import bisect_left
from dataclasses import dataclass

from functions.core.notify.counts import often
from functions.core.source.encodings import encoding_of
from functions.core.workflow.proposal import Edit, Proposal, whole
from functions.validate_patch.tree import File, Tree

_PLACES = 100
"""As many places as are counted at which a search text occurs."""
_NEWLINE = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True, slots=True)
class Applied:
    """The patched tree, and what stood in the way of it (then the tree is as far as it came)."""

    tree: dict[str, File]
    findings: tuple[str, ...]


def apply(tree: Tree, proposal: Proposal) -> Applied:
    """Apply all edits and add the regression test.

    Edits are matched against the files as fetched, not against each other's results, and must not overlap.
    A file keeps its encoding and its line endings; bytes outside the matches stay as they are.
    """
    if halves := _halves(proposal):
        return Applied(dict(tree), halves)
    after, findings = dict(tree), []
    by_path: dict[str, list[Edit]] = {}
    for edit in proposal.edits:
        by_path.setdefault(edit.path, []).append(edit)
    for path, edits in by_path.items():
        try:
            after[path] = _edited(tree, path, edits)
        except _Mismatch as mismatch:
            findings.append(f"{path}: {mismatch}")
    test = proposal.regression_test
    if test is not None:
        if test.path in after:
            findings.append(
                f"{test.path}: the regression test's file exists already; give it a path of its own, "
                "or change the existing file with an edit"
            )
        else:
            after[test.path] = File(_final_newline(test.code).encode())
    if not findings and all(after.get(path) == tree.get(path) for path in by_path):
        findings.append("the edits change nothing: search and replacement are equal")
    return Applied(after, tuple(findings))


def _halves(proposal: Proposal) -> tuple[str, ...]:
    """Half of a character, a lone surrogate, can stand in JSON, but in no file."""
    texts = [text for edit in proposal.edits for text in (edit.path, edit.search, edit.replace)]
    test = proposal.regression_test
    texts += [test.path, test.code] if test is not None else []
    found = next((text for text in texts if whole(text) != text), None)
    return (
        (f"{found[:80]!r} holds half of a character (a lone surrogate), which no file can hold",)
        if found
        else ()
    )


class _Mismatch(Exception):
    """Why an edit cannot be applied."""


def _edited(tree: Tree, path: str, edits: list[Edit]) -> File:
    file = tree.get(path)
    creations = [edit for edit in edits if not edit.search]
    if creations:
        if len(edits) > 1:
            raise _Mismatch("an edit that creates the file (empty search) must be the only one for it")
        if file is not None and file.data:
            raise _Mismatch("the file exists; an empty search text only creates new files")
        return File(_final_newline(creations[0].replace).encode())
    if file is None:
        near = difflib.get_close_matches(path, tree.keys(), n=1)
        raise _Mismatch("no such file in the repository" + (f"; did you mean {near[0]}?" if near else ""))
    encoding, text = decode(path, file.data)
    spans = sorted((*_span(text, edit.search), edit.replace) for edit in edits)
    pieces, at = [], 0
    for start, end, replacement in spans:
        if start < at:
            raise _Mismatch("two edits overlap; join them into one")
        pieces += [text[at:start], _NEWLINE.sub(_line_ending(text, start), replacement)]
        at = end
    try:
        return File("".join([*pieces, text[at:]]).encode(encoding), file.mode)
    except UnicodeEncodeError as error:
        raise _Mismatch(
            f"the replacement does not fit the file's encoding {encoding}: {error.reason}"
        ) from None


def decode(path: str, data: bytes) -> tuple[str, str]:
    """(encoding, text) of a text file; a BOM stays in the text, so that encoding again gives the same bytes.

    Raises _Mismatch for what is not text.
    """
    try:
        encoding = encoding_of(path, data)
    except SyntaxError as error:
        raise _Mismatch(f"cannot be read: {error}") from None
    try:
        return encoding, data.decode(encoding)
    except (LookupError, UnicodeError):  # also what a file declares that is no encoding of text, such as hex
        raise _Mismatch(f"is not text in {encoding}") from None


def _span(text: str, search: str) -> tuple[int, int]:
    """Where `search` stands in `text`; any line ending matches any other."""
    plain, wanted = _NEWLINE.sub("\n", text), _NEWLINE.sub("\n", search)
    # Overlapping places are as ambiguous as others. `str.find` takes steps in proportion to the text, which a
    # pattern made of the search text does not; so many places are enough to tell.
    found: list[int] = []
    at = plain.find(wanted)
    while at >= 0 and len(found) < _PLACES:
        found.append(at)
        at = plain.find(wanted, at + 1)
    if not found:
        raise _Mismatch(f"the search text does not occur: {_first_line(search)!r}{_hint(text, search)}")
    if len(found) > 1:
        lines = ", ".join(str(plain.count("\n", 0, start) + 1) for start in found[:5])
        seen = often(len(found)) + (" or more" if len(found) == _PLACES else "")
        raise _Mismatch(
            f"the search text occurs {seen} (lines {lines}); add surrounding lines: {_first_line(search)!r}"
        )
    # Line endings of two characters are one in what was searched.
    wide = [match.start() for match in _NEWLINE.finditer(text) if len(match[0]) == 2]
    narrow = [place - number for number, place in enumerate(wide)]
    start, end = found[0], found[0] + len(wanted)
    return start + bisect_left(narrow, start), end + bisect_left(narrow, end)


def _line_ending(text: str, at: int) -> str:
    """The ending of the line at this place, or else of the file's first line."""
    match = _NEWLINE.search(text, at) or _NEWLINE.search(text)
    return match.group() if match else "\n"


def _hint(text: str, search: str) -> str:
    """The line that the first line of the search probably meant."""
    lines = [line.strip() for line in text.splitlines()]
    near = difflib.get_close_matches(_first_line(search), lines, n=1, cutoff=0.7)
    return f"; the file has {near[0]!r} at line {lines.index(near[0]) + 1}" if near else ""


def _first_line(text: str) -> str:
    return next((line.strip()[:120] for line in text.splitlines() if line.strip()), "")


def _final_newline(text: str) -> str:
    return text if not text or text.endswith("\n") else text + "\n"
