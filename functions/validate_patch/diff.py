"""The patch as bytes: a git-format diff that `git apply --index` turns into exactly the validated tree.

Written here rather than by git: the result must not depend on a machine's git version or configuration,
because a human approves its hash.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from functions.validate_patch.tree import Change, File

_CONTEXT = 3
_NULL_ID = "0" * 40


@dataclass(frozen=True, slots=True)
class Lines:
    """Numbers (1-based) of the lines that a change removes from the old file and adds to the new one."""

    removed: frozenset[int]
    added: frozenset[int]


def patch_of(changes: Iterable[Change]) -> bytes:
    """The unified diff of text changes, files in the order given."""
    return b"".join(_file_diff(change) for change in changes)


def changed_lines(change: Change) -> Lines:
    """Which lines differ."""
    before, after = _lines(change.before), _lines(change.after)
    removed: set[int] = set()
    added: set[int] = set()
    for tag, i1, i2, j1, j2 in opcodes(before, after):
        if tag != "equal":
            removed.update(range(i1 + 1, i2 + 1))
            added.update(range(j1 + 1, j2 + 1))
    return Lines(frozenset(removed), frozenset(added))


def _file_diff(change: Change) -> bytes:
    before, after = change.before, change.after
    old, new = _quoted("a/", change.path), _quoted("b/", change.path)
    header = [f"diff --git {old} {new}"]
    old_id = before.blob_id if before else _NULL_ID
    new_id = after.blob_id if after else _NULL_ID
    if before is None and after is not None:
        header.append(f"new file mode {after.mode:o}")
        header.append(f"index {old_id}..{new_id}")
    elif before is not None and after is None:
        header.append(f"deleted file mode {before.mode:o}")
        header.append(f"index {old_id}..{new_id}")
    elif before is not None and after is not None:
        if before.mode != after.mode:
            header += [f"old mode {before.mode:o}", f"new mode {after.mode:o}"]
            header.append(f"index {old_id}..{new_id}")
        else:
            header.append(f"index {old_id}..{new_id} {before.mode:o}")
    hunks = b"".join(_hunks(_lines(before), _lines(after)))
    if hunks:
        # git ends a name that holds a space with a tab here, so that tools can tell it from a time stamp.
        tab = "\t" if " " in change.path else ""
        header.append(f"--- {old + tab if before else '/dev/null'}")
        header.append(f"+++ {new + tab if after else '/dev/null'}")
    return "".join(line + "\n" for line in header).encode() + hunks


def _hunks(before: Sequence[bytes], after: Sequence[bytes]) -> Iterable[bytes]:
    for group in _grouped(opcodes(before, after)):
        (_, i1, _, j1, _), (_, _, i2, _, j2) = group[0], group[-1]
        yield f"@@ -{_range(i1, i2)} +{_range(j1, j2)} @@\n".encode()
        for tag, a1, a2, b1, b2 in group:
            if tag == "equal":
                yield from (_line(b" ", line) for line in before[a1:a2])
            else:
                yield from (_line(b"-", line) for line in before[a1:a2])
                yield from (_line(b"+", line) for line in after[b1:b2])


Opcode = tuple[str, int, int, int, int]


def opcodes(before: Sequence[bytes], after: Sequence[bytes]) -> list[Opcode]:
    """Like SequenceMatcher's, but looks only between the common head and tail: large files cost nothing."""
    head = 0
    while head < min(len(before), len(after)) and before[head] == after[head]:
        head += 1
    tail = 0
    while tail < min(len(before), len(after)) - head and before[-1 - tail] == after[-1 - tail]:
        tail += 1
    a, b = before[head : len(before) - tail], after[head : len(after) - tail]
    codes: list[Opcode] = [("equal", 0, head, 0, head)] if head else []
    for tag, i1, i2, j1, j2 in SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        codes.append((tag, i1 + head, i2 + head, j1 + head, j2 + head))
    if tail:
        codes.append(("equal", len(before) - tail, len(before), len(after) - tail, len(after)))
    return codes


def _grouped(codes: list[Opcode]) -> Iterable[list[Opcode]]:
    """Changes with their context; changes closer than two contexts share a hunk."""
    group: list[Opcode] = []
    for number, (tag, i1, i2, j1, j2) in enumerate(codes, 1):
        if tag != "equal":
            group.append((tag, i1, i2, j1, j2))
            continue
        if group:
            keep = min(i2 - i1, _CONTEXT)
            if i2 - i1 <= 2 * _CONTEXT and number != len(codes):
                group.append((tag, i1, i2, j1, j2))
                continue
            group.append((tag, i1, i1 + keep, j1, j1 + keep))
            yield group
        keep = min(i2 - i1, _CONTEXT)
        group = [(tag, i2 - keep, i2, j2 - keep, j2)]
    if any(tag != "equal" for tag, *_ in group):
        yield group


def _range(start: int, end: int) -> str:
    """A hunk's range: `first,count`; an empty one names the line before it."""
    count = end - start
    first = start + 1 if count else start
    return f"{first}" if count == 1 else f"{first},{count}"


def _line(sign: bytes, line: bytes) -> bytes:
    return sign + line if line.endswith(b"\n") else sign + line + b"\n\\ No newline at end of file\n"


def _lines(file: File | None) -> list[bytes]:
    return lines_of(file.data) if file is not None else []


def lines_of(data: bytes) -> list[bytes]:
    """Lines as git sees them, ends included: only `\\n` ends one."""
    parts = data.split(b"\n")
    lines = [part + b"\n" for part in parts[:-1]]
    return [*lines, parts[-1]] if parts[-1] else lines


def _quoted(prefix: str, path: str) -> str:
    """The name as git writes it: quoted when it holds more than printable ASCII, a quote or a backslash."""
    raw = path.encode()
    if all(0x20 <= byte < 0x7F and byte not in b'"\\' for byte in raw):
        return prefix + path
    escaped = "".join(
        chr(byte) if 0x20 <= byte < 0x7F and byte not in b'"\\' else f"\\{byte:03o}" for byte in raw
    )
    return f'"{prefix}{escaped}"'
