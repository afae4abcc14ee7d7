"""What protects is not taken off: calls that make secrets, compare or digest them, escape, confine or end
what takes too long are still made, with the same fixed arguments; and a secret is given to nothing else."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator

from functions.core.source.syntax_tree import nodes_of
from functions.validate_patch.candidate import Candidate
from functions.validate_patch.capabilities.changed import changed_modules
from functions.validate_patch.capabilities.names import ModuleIndex, ResolvedNames

_PROTECTS = re.compile(
    r"(?:secrets|hmac|hashlib|ssl|ipaddress|bcrypt|argon2|jwt|itsdangerous|markupsafe|bleach|defusedxml|nh3)\..*"
    r"|uuid\.uuid4|random\.SystemRandom.*|html\.escape|shlex\.quote|urllib\.parse\.quote\w*|re\.escape"
    r"|asyncio\.(?:wait_for|timeout)|ast\.literal_eval"
    r"|.*\.(?:safe_substitute|compare_digest|is_relative_to|resolve|realpath|escape|quote|quantize)"
)


_SECRET = re.compile(
    r"(?i).*(?:secret|passwo?r?d|credential|private_?key|api_?key|signing_?key|access_?token|session_?token).*|key"
)


def findings(candidate: Candidate, before: ModuleIndex, after: ModuleIndex) -> Iterator[str]:
    """One sentence for each such call of a file that is gone, or is given another fixed argument."""
    for path, old, new in changed_modules(candidate, before, after):
        known = Counter(text for _, text in _secrets(old))
        for line, text in _secrets(new):
            known[text] -= 1
            if known[text] < 0:
                yield f"reach: {path}:{line}: {text}, which it was not before"
        left = Counter(text for _, text in _protecting(new))
        for line, text in _protecting(old):
            left[text] -= 1
            if left[text] < 0:
                yield f"check: {path}:{line}: `{text}` protects, and is gone or is another"


def _protecting(names: ResolvedNames) -> Iterator[tuple[int, str]]:
    """(line, source text with what is not fixed as `…`) of calls that protect."""
    for node in nodes_of(names.module):
        if isinstance(node, ast.Call) and _PROTECTS.fullmatch(names.of(node.func)):
            fixed = [ast.unparse(a) if isinstance(a, ast.Constant) else "…" for a in node.args]
            fixed += [
                f"{k.arg}={ast.unparse(k.value) if isinstance(k.value, ast.Constant) else '…'}"
                for k in node.keywords
            ]
            called = node.func.attr if isinstance(node.func, ast.Attribute) else ast.unparse(node.func)
            yield node.lineno, f"{called}({', '.join(fixed)})"


def _secrets(names: ResolvedNames) -> Iterator[tuple[int, str]]:
    """(line, what is given to what) of what is named like a secret and is no local name."""
    for node in nodes_of(names.module):
        if isinstance(node, ast.Compare):
            continue
        for part in _handed_on(node):
            name = part.attr if isinstance(part, ast.Attribute) else getattr(part, "id", "")
            own = isinstance(part, ast.Attribute) or name.isupper()
            if own and _SECRET.fullmatch(name):
                to = f"`{ast.unparse(node.func)}`" if isinstance(node, ast.Call) else "a result"
                yield part.lineno, f"`{ast.unparse(part)}` is given to {to}"


def _handed_on(node: ast.AST) -> Iterator[ast.expr]:
    if isinstance(node, ast.Call):
        yield from (*node.args, *(keyword.value for keyword in node.keywords))
    elif isinstance(node, ast.Dict):
        yield from node.values
    elif isinstance(node, ast.Return | ast.Yield | ast.FormattedValue) and node.value is not None:
        yield node.value
    elif isinstance(node, ast.Tuple | ast.List | ast.Set):
        yield from node.elts
    elif isinstance(node, ast.BinOp):
        yield from (node.left, node.right)
