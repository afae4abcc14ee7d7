"""Gate 5: a patch leaks nothing and opens nothing: no secret, and no power that was not there before."""

from __future__ import annotations

import ast
import builtins
import re
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from functions.core.redaction import redact
from functions.harness.names import is_test
from functions.validate_patch import hidden_text
from functions.validate_patch.candidate import Candidate, parsed
from functions.validate_patch.diff import changed_lines
from functions.validate_patch.tree import Change, Tree


@dataclass(frozen=True, slots=True)
class _Power:
    """Something that a fix for a crash has no business to begin doing. Names are dotted, after imports."""

    name: str
    what: str
    names: re.Pattern[str]
    tests_may: bool = False


def _power(name: str, what: str, names: str, *, tests_may: bool = False) -> _Power:
    return _Power(name, what, re.compile(names), tests_may)


_POWERS = (
    _power(
        "network",
        "talks to the network",
        r"(?:requests|httpx|aiohttp|urllib3|urllib\.request|http\.client|socket|ssl|smtplib|ftplib|telnetlib|poplib"
        r"|imaplib|xmlrpc|paramiko|websockets?|grpc|asyncio\.open_connection|asyncio\.start_server|dns|boto3|botocore"
        r"|socketserver|http\.server|webbrowser|nntplib)(?:\..*)?",
    ),
    _power(
        "process",
        "starts processes or ends this one",
        r"(?:subprocess|pty|multiprocessing|concurrent\.futures\.ProcessPoolExecutor|pexpect|sh|signal)(?:\..*)?"
        r"|os\.(?:system|popen|exec\w*|spawn\w*|posix_spawn\w*|fork\w*|kill\w*|_exit|abort|startfile)"
        r"|asyncio\.create_subprocess_\w+|sys\.exit|exit|quit",
    ),
    _power(
        "dynamic_code",
        "runs text as code or reaches names by text",
        r"eval|exec|compile|__import__|importlib(?:\..*)?|runpy(?:\..*)?|code\.\w+|codeop\..*|globals|locals|vars"
        r"|breakpoint|pdb(?:\..*)?|builtins(?:\..*)?|__builtins__(?:\..*)?|types\.(?:FunctionType|CodeType)|ast\.literal_eval",
    ),
    _power(
        "deserialisation",
        "loads data that can run code",
        r"(?:pickle|cPickle|_pickle|marshal|shelve|dill|cloudpickle|jsonpickle|joblib)(?:\..*)?"
        r"|yaml\.(?:load|load_all|unsafe_load\w*|full_load\w*)|(?:numpy|np|torch|pandas)\.(?:load|read_pickle)",
    ),
    _power(
        "permissions",
        "changes permissions or weakens a check of identity",
        r"os\.(?:l?chmod|fchmod|l?chown|fchown|umask|set\w*id|setgroups|chroot)|.*\.(?:chmod|lchmod)|shutil\.chown"
        r"|ssl\._create_unverified_context|ssl\.CERT_NONE|urllib3\.disable_warnings",
    ),
    _power(
        "file_system",
        "writes or removes files",
        r"os\.(?:remove|unlink|rmdir|removedirs|rename\w*|replace|truncate|symlink|link|mk\w*|open|write)"
        r"|shutil\.(?:rmtree|move|copy\w*)|.*\.(?:write_text|write_bytes|unlink|rmdir|touch|symlink_to|hardlink_to)",
        tests_may=True,
    ),
    _power(
        "background",
        "goes on beside the program",
        r"threading\.(?:Thread|Timer)|_thread(?:\..*)?|concurrent\.futures\.ThreadPoolExecutor|sched\.\w+",
    ),
    _power("logging", "silences the logs", r".*\.setLevel|logging\.(?:disable|raiseExceptions)"),
    _power(
        "interpreter",
        "reaches into the interpreter or into what runs the tests",
        r"(?:gc|inspect|ctypes|cffi|atexit|_pytest|tracemalloc|faulthandler|linecache|dis|bytecode|traceback\.StackSummary)"
        r"(?:\..*)?|sys\.(?:_\w+|modules|settrace|setprofile|excepthook|unraisablehook|stdout|stderr|argv|path|meta_path"
        r"|path_hooks|setrecursionlimit|tracebacklimit|addaudithook|monitoring\..*)|threading\.(?:settrace|setprofile"
        r"|excepthook)|warnings\.(?:filterwarnings|simplefilter|catch_warnings)"
        r"|os\.(?:p?writev?|dup2?|fdopen|closerange|sendfile)",
    ),
    _power(
        "test_tools",
        "uses test tools outside of tests",
        r"(?:pytest|unittest|doctest|nose|mock)(?:\..*)?",
        tests_may=True,
    ),
)

_SECRET_VARIABLE = re.compile(
    r"(?i)AWS_|.*(?:SECRET|TOKEN|PASSWORD|PASSWD|CREDENTIAL|PRIVATE|API_?KEY|PYTEST).*"
)
_IMPORT = re.compile(
    rb"^[ \t]*(?:from|import)[ \t]+(?P<names>[A-Za-z_][\w.]*(?:[ \t]*,[ \t]*[A-Za-z_][\w.]*)*)",
    re.M,
)
_ADDRESS = re.compile(r"(?i)\b(?:https?|ftp|wss?|ldap|smtp|file)://[^\s'\"<>]+|\b\d{1,3}(?:\.\d{1,3}){3}\b")
_ENVIRONMENT = re.compile(r"os\.(?:environb?\b|getenvb?|putenv|unsetenv)")
_FORMAT_REACH = re.compile(r"\{[^{}]*\.__\w+")
_TAMPERING = frozenset(
    {"__class__", "__dict__", "__code__", "__globals__", "__builtins__", "__subclasses__", "__defaults__"}
)
_INSECURE = {
    "verify": False,
    "check_hostname": False,
    "shell": True,
    "unsafe_allow_html": True,
    "debug": True,
}


def findings(candidate: Candidate) -> tuple[str, ...]:
    """What the patch would leak or open, one sentence each with file and line."""
    found: list[str] = []
    dependencies = _imported(candidate.before) | _top_level(candidate.after) | sys.stdlib_module_names
    for change in candidate.changes:
        found += _secrets(change)
        found += hidden_text.findings(change)
        if change.path.endswith(".py"):
            found += _new_powers(candidate, change, dependencies)
    return tuple(found)


def _secrets(change: Change) -> Iterator[str]:
    if change.after is None:
        return
    text = change.after.data.decode(errors="replace")
    redacted = redact(text).split("\n")
    lines = text.split("\n")
    for number in sorted(changed_lines(change).added):
        if number <= len(redacted) and redacted[number - 1] != lines[number - 1]:
            kinds = re.findall(r"\[redacted ([a-z ]+) [0-9a-f]{4}\]", redacted[number - 1])
            if set(kinds) - {"email", "phone"}:
                kind = ", ".join(sorted(set(kinds)))
                yield f"secret: {change.path}:{number}: the added line holds a secret ({kind})"


def _new_powers(
    candidate: Candidate, change: Change, dependencies: frozenset[str] | set[str]
) -> Iterator[str]:
    before, after = parsed(candidate.before, change.path), parsed(candidate.after, change.path)
    if after is None:
        return
    own = _own(candidate.before)
    known = Counter(key for key, _, _ in _uses(before, change.path)) if before else Counter()
    for key, line, text in _uses(after, change.path):
        subject = key.partition(" ")[2].removeprefix("import ")
        if known[key] > 0:
            known[key] -= 1
        elif subject.partition(".")[0] not in own:
            yield f"{key.partition(' ')[0]}: {change.path}:{line}: {text}"
    for name, line in _imports(after):
        if name not in dependencies:
            yield (
                f"new_dependency: {change.path}:{line}: imports {name!r}, which neither the repository nor "
                "the standard library has"
            )


def _uses(module: ast.Module, path: str) -> Iterator[tuple[str, int, str]]:
    """(key, line, sentence) of every watched construct; equal keys are the same construct."""
    aliases = _aliases(module)
    test = is_test(path)
    inner = {id(node.value) for node in ast.walk(module) if isinstance(node, ast.Attribute)}
    for node in ast.walk(module):
        line = getattr(node, "lineno", 0)
        if isinstance(node, ast.Import | ast.ImportFrom):
            for name in _import_names(node):
                for power in _powers(name, test):
                    yield f"{power.name} import {name}", line, f"imports {name}, which {power.what}"
        elif isinstance(node, ast.Name | ast.Attribute) and id(node) not in inner:
            name = _dotted(node, aliases)
            if name in aliases.values() and isinstance(node, ast.Attribute):
                continue
            for power in _powers(name, test):
                yield f"{power.name} {name}", line, f"{name} {power.what}"
            if isinstance(node, ast.Attribute) and node.attr in _TAMPERING:
                yield f"interpreter {node.attr}", line, f"{node.attr} reaches into objects of the interpreter"
        if isinstance(node, ast.Call):
            yield from _risky_call(node, aliases, test)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            if _FORMAT_REACH.search(node.value):
                yield f"interpreter {node.value}", line, "a format reaches into objects of the interpreter"
            for address in _ADDRESS.findall(node.value):
                yield f"network {address}", line, f"holds the address {address}, which was not there"
        elif isinstance(node, ast.Subscript) and _dotted(node.value, aliases) == "os.environ":
            yield from _environment(node.slice, line)
        name = _dotted(node, aliases) if isinstance(node, ast.Name | ast.Attribute) else ""
        if not test and id(node) not in inner and _ENVIRONMENT.match(name):
            yield "environment", line, "reads or changes a variable of the environment"
    yield from _module_patches(module, aliases)


def _risky_call(node: ast.Call, aliases: dict[str, str], test: bool) -> Iterator[tuple[str, int, str]]:
    name = _dotted(node.func, aliases)
    arguments = [*node.args, *(k.value for k in node.keywords)]
    if (name == "open" or name.endswith(".open")) and not test:
        modes = [a.value for a in arguments if isinstance(a, ast.Constant) and isinstance(a.value, str)]
        if any(re.fullmatch(r"[rbt]*[wax+][wax+rbt]*", mode) for mode in modes):
            yield f"file_system {name}", node.lineno, f"{name} opens a file for writing"
    if not test and name.rpartition(".")[2] in ("open", "read_text", "read_bytes"):
        texts = [n.value for n in ast.walk(node) if isinstance(n, ast.Constant) and isinstance(n.value, str)]
        if any(text.startswith(("/", "~")) for text in texts):
            yield f"file_system {texts}", node.lineno, f"{name} reads a file of the system"
    statement = node.args[0] if node.args else None
    joined = isinstance(statement, ast.JoinedStr | ast.BinOp) or (
        isinstance(statement, ast.Call) and _dotted(statement.func, aliases).endswith(".format")
    )
    if joined and name.rpartition(".")[2] in ("execute", "executemany", "executescript"):
        yield f"injection {name}", node.lineno, f"{name} runs a statement put together from text"
    if name in ("os.environ.get", "os.getenv") and node.args:
        yield from _environment(node.args[0], node.lineno)
    if name in ("getattr", "setattr", "delattr") and len(node.args) > 1:
        attribute = node.args[1]
        if not isinstance(attribute, ast.Constant) or attribute.value in _TAMPERING:
            yield f"dynamic_code {name}", node.lineno, f"{name} reaches a name by text"
        else:
            reached = f"{_dotted(node.args[0], aliases)}.{attribute.value!s}"
            for power in _powers(reached, test):
                yield f"{power.name} {reached}", node.lineno, f"{reached} {power.what}"
    for keyword in node.keywords:
        if (
            keyword.arg in _INSECURE
            and isinstance(keyword.value, ast.Constant)
            and keyword.value.value is _INSECURE[keyword.arg]
        ):
            yield (
                f"permissions {keyword.arg}",
                node.lineno,
                f"{keyword.arg}={keyword.value.value} switches a protection off",
            )


def _environment(name: ast.expr, line: int) -> Iterator[tuple[str, int, str]]:
    if (
        isinstance(name, ast.Constant)
        and isinstance(name.value, str)
        and _SECRET_VARIABLE.fullmatch(name.value)
    ):
        yield f"secret {name.value}", line, f"reads the secret variable {name.value}"


def _module_patches(module: ast.Module, aliases: dict[str, str]) -> Iterator[tuple[str, int, str]]:
    """Assignments to attributes of imported modules: code elsewhere would change its meaning."""
    for node in ast.walk(module):
        if not isinstance(node, ast.Assign | ast.Delete):
            continue
        for target in node.targets:
            if not isinstance(target, ast.Attribute) or not isinstance(target.value, ast.Name):
                continue
            if target.value.id in aliases:
                name = _dotted(target, aliases)
                yield f"interpreter {name}", node.lineno, f"{name} of another module is replaced"


def _powers(name: str, test: bool) -> Iterator[_Power]:
    for power in _POWERS:
        if power.names.fullmatch(name) and not (test and power.tests_may):
            yield power


def _aliases(module: ast.Module) -> dict[str, str]:
    """Local name → dotted name, for everything imported anywhere in the module."""
    aliases = {}
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.partition(".")[0]
                aliases[alias.asname or top] = alias.name if alias.asname else top
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                aliases[alias.asname or alias.name] = f"{'.' * node.level}{node.module or ''}.{alias.name}"
    return aliases


def _dotted(node: ast.expr, aliases: dict[str, str]) -> str:
    """`a.b.c` with its first name resolved through the imports; `?` is neither imported nor built in."""
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value, aliases)}.{node.attr}"
    if isinstance(node, ast.Name):
        return aliases.get(node.id, node.id if hasattr(builtins, node.id) else "?")
    return "?"


def _import_names(node: ast.Import | ast.ImportFrom) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [] if node.level else [f"{node.module}.{alias.name}" for alias in node.names]


def _imports(module: ast.Module) -> Iterator[tuple[str, int]]:
    for node in ast.walk(module):
        if isinstance(node, ast.Import | ast.ImportFrom):
            for name in _import_names(node):
                yield name.partition(".")[0], node.lineno


def _imported(tree: Tree) -> set[str]:
    """Top-level modules that the repository imports anywhere.

    Read by lines: parsing thousands of files took most of the time of these gates, and a line that only
    looks like an import can do no more than name a library that the repository mentions.
    """
    names: set[str] = set()
    for path, file in tree.items():
        for match in _IMPORT.finditer(file.data) if path.endswith(".py") else ():
            imported = match["names"].decode(errors="replace").split(",")
            names.update(part.split()[0].partition(".")[0] for part in imported if part.strip())
    return names


def _own(tree: Tree) -> set[str]:
    """Packages and modules at the top of the repository: what is imported by their name is its own code."""
    tops = (path.removeprefix("src/") for path in tree if path.endswith(".py"))
    return {top.partition("/")[0].removesuffix(".py") for top in tops}


def _top_level(tree: Tree) -> set[str]:
    """Names that the repository itself can be imported by: folders and modules, anywhere in it."""
    names = {"pytest"}
    for path in tree:
        names.update(part.removesuffix(".py") for part in path.split("/"))
    return names
