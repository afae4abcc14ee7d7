"""Which frames are the app's own code, and where a file lies below its deployment root.

One rule table, tried from the top; the first rule that applies decides, and its sentence is shown as the
frame's `why`. Paths are compared with "/" as the separator, so Windows paths follow the same rules.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from functions.detect_errors.formats import FORMATS, pattern

# Bound on what one instance remembers: a warm Lambda process must not grow with the paths it is shown.
MAX_REMEMBERED = 4096

WELL_KNOWN = frozenset(FORMATS["well_known"]["names"].split())

# Linux's PATH_MAX: what is longer was never a file's path, and patterns need not look at it.
MAX_PATH = 4096

_PATHS = {name: tuple(words.split()) for name, words in FORMATS["paths"].items()}
_INSTALLED, _VENDORED, _RUNTIME, _ROOTS = (_PATHS[n] for n in ("installed", "vendored", "runtime", "roots"))
_LAYER = "/opt/python/"
# Where installers put packages, one directory or module per top-level name: the last one in a path counts.
_SITE = re.compile(r".*(?:/(?:site|dist)-packages|\.egg)/")
_ROOT_PATTERN, _STDLIB = pattern("root"), pattern("stdlib", re.IGNORECASE)
_ARCHIVE = re.compile(r".*?\.(?:pyz|pex|zip|whl)/")
_BIN = re.compile(r"(?:^|/)(?:bin|sbin|Scripts)/[^/]+$")


@dataclass(frozen=True, slots=True)
class InAppDecision:
    """in_app and why, and the path below the deployment root (None when the root is unknown)."""

    in_app: bool
    why: str
    below: str | None


class AppRules:
    """Decides for one app. Remembers its verdicts, so one instance should serve many texts.

    packages: the app's own top-level packages and modules, wherever they are installed; empty means that
    paths decide. roots: directories that the app is deployed to, besides the conventional ones.
    """

    def __init__(self, packages: Sequence[str] = (), roots: Sequence[str] = ()) -> None:
        self.packages = frozenset(packages)
        # The longest first, so that a root inside another one wins.
        self._roots = tuple(
            sorted((r.replace("\\", "/").rstrip("/") + "/" for r in roots if r.strip("/")), key=len)
        )[::-1]
        self._judged = lru_cache(MAX_REMEMBERED)(self._judge)

    def verdict(self, file: str, function: str | None = None) -> InAppDecision:
        """Judge one frame by its file, as printed, and its function."""
        # Only Cython prints dotted function names, and only there does the function matter.
        return self._judged(file[: MAX_PATH + 1], function if function and "." in function else None)

    def _judge(self, file: str, function: str | None) -> InAppDecision:
        if len(file) > MAX_PATH:
            return InAppDecision(False, "longer than any path", None)
        path = file.replace("\\", "/")
        below = self._below_site(path) or self._below_root(path)
        for applies, in_app, why in _RULES:
            if applies(self, path, below, function):
                return InAppDecision(in_app, why, below)
        return InAppDecision(True, "outside every library directory", below)

    def _below_site(self, path: str) -> str | None:
        """The path of one of the app's packages below the directory that it is installed into, if it is."""
        site = _SITE.match(path) if self.packages else None
        if site is None:
            return None
        below = path[site.end() :]
        # What a package of the app brings along is still somebody else's.
        return below if _first_part(below) in self.packages and not _is_installed(below) else None

    def _below_root(self, path: str) -> str | None:
        for root in self._roots:
            if path.startswith(root):
                return path[len(root) :]
        if archive := _ARCHIVE.match(path):
            return path[archive.end() :]
        for root in _ROOTS:
            if path.startswith(root):
                return path[len(root) :].removeprefix("src/")
        if pattern := _ROOT_PATTERN.match(path):
            return path[pattern.end() :].removeprefix("src/")
        if path.startswith("/") or path[1:3] == ":/":
            return self._below_package(path)
        return path.removeprefix("./")

    def _below_package(self, path: str) -> str | None:
        parts = path.split("/")
        for index, part in enumerate(parts):
            if part in self.packages or part.removesuffix(".py") in self.packages:
                return "/".join(parts[index:])
        return None

    def _owns(self, path: str, below: str | None) -> bool:
        first = (below if below is not None else path.strip("/")).split("/", 1)[0].removesuffix(".py")
        return first in self.packages or (below is None and self._below_package(path) is not None)


def _is_installed(path: str) -> bool:
    return any(part in path for part in _INSTALLED)


def _is_stdlib(path: str) -> bool:
    return bool(_STDLIB.search(path)) or "/Python.framework/" in path


def _is_compiled(path: str, function: str | None) -> bool:
    """Cython prints the .pyx path of its build, or a dotted function that repeats the module's path."""
    module = path.rpartition(".")[0].replace("/", ".").removesuffix(".__init__")
    return path.endswith((".pyx", ".pxi", ".pxd")) or bool(
        function and module and function.startswith(module + ".")
    )


def _first_part(path: str) -> str:
    return path.lstrip("/").split("/", 1)[0].removesuffix(".py")


_Rule = tuple[Callable[[AppRules, str, str | None, str | None], bool], bool, str]

_RULES: tuple[_Rule, ...] = (
    (lambda _a, p, _b, _f: p.startswith("<"), False, "code without a file (interpreter, eval, console)"),
    (lambda _a, p, _b, _f: p.startswith(("Cell In[", "<ipython")), False, "interactive cell, not a file"),
    (lambda a, p, _b, _f: _is_installed(p) and not a._below_site(p), False, "installed package"),
    (lambda a, p, _b, _f: _is_stdlib(p) and not a._below_site(p), False, "standard library"),
    (lambda _a, p, _b, _f: p.startswith(_RUNTIME), False, "the platform's runtime"),
    (lambda _a, p, _b, f: _is_compiled(p, f), False, "compiled extension"),
    (lambda a, p, b, _f: bool(a.packages) and a._owns(p, b), True, "one of the app's packages"),
    (lambda a, _p, _b, _f: bool(a.packages), False, "not among the app's packages"),
    (lambda _a, p, _b, _f: p.startswith(_LAYER), False, "Lambda layer"),
    (lambda _a, p, _b, _f: any(part in "/" + p for part in _VENDORED), False, "vendored directory"),
    (lambda _a, p, _b, _f: p.startswith(("/usr/lib", "/usr/share/", "/lib/")), False, "system library"),
    (lambda _a, p, _b, _f: bool(_BIN.search(p)), False, "launcher script"),
    (
        lambda _a, _p, b, _f: b is not None and "/" in b and _first_part(b) in WELL_KNOWN,
        False,
        "well-known library next to the app",
    ),
    (lambda _a, _p, b, _f: b is not None, True, "below a deployment root"),
)
