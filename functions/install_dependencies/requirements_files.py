"""Requirements files: their lines, and those of the files that they include.

    requirements*.txt, *-requirements.txt, requirements/*.txt, the same below test folders; *.in where no .txt
    was made of it

https://pip.pypa.io/en/stable/reference/requirements-file-format/
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from functions.install_dependencies.stated import Role, Stated, StatedFiles, StatementKind, role_of

_FILE = re.compile(
    r"(?:(?:tests?|testing)/)?(?:[\w.-]*requirements?[\w.-]*|requirements?/[\w.-]+|(?:tests?|dev)[\w.-]*deps)\.(?:txt|in|pip)"
)
_COMMENT = re.compile(r"(?:^|(?<=\s))#.*")
_OPTION = re.compile(r"(?P<name>--[a-z][a-z-]*|-[a-z])(?:[=\s]\s*(?P<value>.*))?", re.DOTALL)
_ITSELF = re.compile(r"(?:\.|file:\.)/?(?:\[(?P<extras>[\w\s,-]*)\])?/?")
_PLACES = {
    **dict.fromkeys(("-i", "--index-url", "--pypi-url"), "--index-url"),
    **{name: name for name in ("--extra-index-url", "--find-links", "--no-index", "--trusted-host")},
    "-f": "--find-links",
}
# What changes nothing where only wheels are installed, each in the version that is asked for.
_WITHOUT_EFFECT = frozenset({"--prefer-binary", "--only-binary", "--no-binary", "--use-feature"})
# Lists for what tests do without.
_OTHERS = frozenset(
    {"doc", "docs", "rtd", "readthedocs", "lint", "release", "publish", "build", "pre-commit"}
)


def is_list(path: str) -> bool:
    """Whether a file is a requirements file by its place and name."""
    words = set(re.split(r"[^a-z]+", path.lower()))
    return bool(_FILE.fullmatch(path)) and not words & _OTHERS


def of_list(repository: StatedFiles, path: str) -> Iterator[Stated]:
    """Raises UnicodeDecodeError."""
    stem, extension = posixpath.splitext(path)
    if extension == ".in" and f"{stem}.txt" in repository.files:
        return
    yield from of_file(repository, path, role_of(stem) or Role.LISTED)


def of_file(
    repository: StatedFiles, path: str, role: Role, kind: StatementKind = StatementKind.REQUIREMENT
) -> Iterator[Stated]:
    """The lines of one file, wherever it lies. Raises UnicodeDecodeError."""
    yield from _of_file(repository, path, frozenset(), role, kind)


def _of_file(
    repository: StatedFiles, path: str, seen: frozenset[str], role: Role, kind: StatementKind
) -> Iterator[Stated]:
    if path in seen or path not in repository.files:
        return
    text = repository.files[path].decode("utf-8-sig").replace("\\\r\n", " ").replace("\\\n", " ")
    for raw in text.splitlines():
        line = _COMMENT.sub("", raw).strip()
        if not line:
            continue
        editable = re.sub(r"^(?:-e|--editable)[=\s]\s*", "", line)
        if itself := _ITSELF.fullmatch(editable):
            yield Stated(StatementKind.EXTRAS, itself["extras"] or "", path, role)
            continue
        option = _OPTION.fullmatch(line)
        if option is None:
            yield Stated(kind, line, path, role)
            continue
        name, value = option["name"], (option["value"] or "").strip()
        if name in ("-r", "--requirement", "-c", "--constraint"):
            inner = posixpath.normpath(posixpath.join(posixpath.dirname(path), value))
            of = kind if name.startswith(("-r", "--r")) else StatementKind.CONSTRAINT
            if inner in repository.files:
                yield from _of_file(repository, inner, seen | {path}, role, of)
            else:
                text = f"{path} includes {value[:100]!r}, which is no file of the repository"
                yield Stated(StatementKind.LOST, text, path)
        elif name in ("-e", "--editable"):
            yield Stated(StatementKind.REQUIREMENT, value, path, role)
        else:
            yield from _of_option(name, value, line, path)


def _of_option(name: str, value: str, line: str, path: str) -> Iterator[Stated]:
    if name in _PLACES:
        yield Stated(StatementKind.PLACE, f"{_PLACES[name]} {value}".strip(), path)
    elif name == "--require-hashes":
        yield Stated(StatementKind.HASHES_ONLY, line, path)
    elif name == "--pre":
        yield Stated(StatementKind.EARLY_VERSIONS, line, path)
    elif name not in _WITHOUT_EFFECT:
        yield Stated(StatementKind.UNKNOWN, line, path)
