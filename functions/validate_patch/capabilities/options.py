"""What the standard library is asked for is not asked with more: an option may be a power of its own.

`ArgumentParser(fromfile_prefix_chars="@")` reads files, `run(shell=True)` takes a language,
`loads(object_hook=f)` calls.
"""

from __future__ import annotations

import ast
import builtins
import re
import sys
from collections.abc import Iterator

from functions.core.source.syntax_tree import nodes_of
from functions.validate_patch.candidate import Candidate
from functions.validate_patch.capabilities.changed import changed_modules
from functions.validate_patch.capabilities.names import ModuleIndex, ResolvedNames

# Options that say how something is done, and let nothing in or out.
_HARMLESS = re.compile(
    "abs_tol|base|count|day|default|encoding|end|ensure_ascii|errors|exc_info|exist_ok|fillvalue|flags|fold|func"
    "|hour|indent|initial|key|lazy|maxlen|maxsplit|microsecond|minute|missing_ok|mode|month|n|ndigits|newline"
    "|parents|prec|rel_tol|repeat|return_exceptions|reverse|rounding|second|sep|separators|sort_keys|stacklevel"
    "|start|step|stop|strict|timeout|tz|tzinfo|year"
)


def findings(candidate: Candidate, before: ModuleIndex, after: ModuleIndex) -> Iterator[str]:
    """One sentence for each option that a function of the library is newly given, by a file that called it
    before."""
    for path, old, new in changed_modules(candidate, before, after):
        known = {(name, option) for name, option, _ in _options(old)}
        called = {name for name, _ in known}
        for name, option, line in _options(new):
            if not option or _HARMLESS.fullmatch(option) or (name, option) in known:
                continue
            if name in called:
                yield f"reach: {path}:{line}: newly gives {name} the option {option!r}"


def _options(names: ResolvedNames) -> Iterator[tuple[str, str, int]]:
    """(function, option, line) of calls of the library; "" stands for the call itself."""
    for node in nodes_of(names.module):
        if isinstance(node, ast.Call):
            name = names.of(node.func)
            if name.partition(".")[0] in sys.stdlib_module_names or hasattr(builtins, name):
                yield name, "", node.lineno
                yield from ((name, keyword.arg, node.lineno) for keyword in node.keywords if keyword.arg)
