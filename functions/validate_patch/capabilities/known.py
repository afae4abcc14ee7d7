"""What a fix for a crash has no business to begin doing, by resolved names (see `names.Names.of`)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Capability:
    """`what` continues a name: "os.system starts processes or ends this one"."""

    name: str
    what: str
    names: re.Pattern[str]
    tests_may: bool = False
    reaches_out: bool = False
    """Whether something outside of the process notices: what it is given counts, and who calls it."""


def _power(
    name: str, what: str, names: str, *, tests_may: bool = False, reaches_out: bool = False
) -> Capability:
    return Capability(name, what, re.compile(names), tests_may, reaches_out)


CAPABILITIES = (
    _power(
        "network",
        "talks to the network",
        r"(?:requests|httpx|aiohttp|urllib3|urllib\.(?:request|robotparser)|http\.(?:client|server|cookiejar)|socket|ssl"
        r"|smtplib|ftplib|telnetlib|poplib|imaplib|xmlrpc|paramiko|websockets?|grpc|dns|boto3|botocore|socketserver"
        r"|webbrowser|nntplib|wsgiref|multiprocessing\.connection|logging\.(?:handlers|config))(?:\..*)?"
        r"|asyncio\.(?:open_\w*connection|start_\w*server|streams.*|\w*[lL]oop.*)",
        reaches_out=True,
    ),
    _power(
        "process",
        "starts processes or ends this one",
        r"(?:subprocess|pty|multiprocessing|concurrent\.futures\.(?:process|ProcessPoolExecutor)|pexpect|sh|signal)(?:\..*)?"
        r"|os\.(?:system|popen|exec\w*|spawn\w*|posix_spawn\w*|fork\w*|kill\w*|_exit|abort|startfile)"
        r"|asyncio\.(?:create_subprocess_\w+|subprocess.*)|sys\.exit|exit|quit|pytest\.exit",
        reaches_out=True,
    ),
    _power(
        "dynamic_code",
        "runs text as code or reaches names by text",
        r"eval|exec|compile|__import__|__builtins__|__loader__|__spec__|globals|locals|vars|breakpoint|builtins\.(?:eval|exec"
        r"|compile|__import__|globals|locals|vars|open)|(?:importlib|runpy|code|codeop|pdb|bdb|timeit|cProfile|profile|trace"
        r"|pkgutil|zipimport|zipapp|symtable)(?:\..*)?|operator\.(?:attrgetter|methodcaller)|string\.(?:Formatter|formatter_\w+)"
        r"|types\.(?:FunctionType|CodeType|LambdaType|new_class|DynamicClassAttribute)|ast\.literal_eval|builtins|__builtins__\..*",
        reaches_out=True,
    ),
    _power(
        "deserialisation",
        "loads data that can run code",
        r"(?:pickle|cPickle|marshal|shelve|dill|cloudpickle|jsonpickle|joblib|copyreg)(?:\..*)?"
        r"|yaml\.(?:load|load_all|unsafe_load\w*|full_load\w*)|(?:numpy|np|torch|pandas)\.(?:load|read_pickle)",
        reaches_out=True,
    ),
    _power(
        "permissions",
        "changes permissions or weakens a check of identity",
        r"os\.(?:l?chmod|fchmod|l?chown|fchown|umask|set\w*id|setgroups|chroot)|.*\.(?:chmod|lchmod)|shutil\.chown"
        r"|ssl\._create_unverified_context|ssl\.CERT_NONE|urllib3\.disable_warnings",
        reaches_out=True,
    ),
    _power(
        "file_system",
        "writes or removes files",
        r"os\.(?:remove|unlink|rmdir|removedirs|rename\w*|replace|truncate|symlink|link|mk\w*|open|write)"
        r"|shutil\..*|.*\.(?:write_text|write_bytes|unlink|rmdir|touch|mkdir|symlink_to|hardlink_to)|logging\.FileHandler"
        r"|(?:codecs\.open|gzip|bz2|lzma|tarfile|zipfile|fileinput|tempfile|dbm|mmap|sqlite3\.connect)(?:\..*)?",
        tests_may=True,
        reaches_out=True,
    ),
    _power(
        "files",
        "reads files or lists directories",
        r"os\.(?:walk|fwalk|listdir|scandir|stat|readlink|getcwdb?|chdir)|glob\..*|linecache\..*"
        r"|.*\.(?:iterdir|rglob|read_text|read_bytes)|pathlib\.Path\.(?:home|cwd)|io\.(?:open|open_code|FileIO)",
        tests_may=True,
    ),
    _power(
        "background",
        "goes on beside the program, or waits",
        r"threading\.(?:Thread|Timer)|_thread(?:\..*)?|concurrent\.futures\.(?:thread|ThreadPoolExecutor).*|sched\.\w+"
        r"|weakref\.finalize|time\.sleep",
    ),
    _power(
        "logging",
        "changes what is logged, or depends on it",
        r".*\.(?:setLevel|addHandler|removeHandler|addFilter|removeFilter|isEnabledFor|getEffectiveLevel|hasHandlers)"
        r"|logging\.(?:disable|raiseExceptions|root|lastResort|basicConfig|captureWarnings|shutdown|setLoggerClass)(?:\..*)?",
    ),
    _power(
        "interpreter",
        "reaches into the interpreter or into what runs the tests",
        r"(?:gc|inspect|ctypes|cffi|atexit|_pytest|tracemalloc|faulthandler|dis|bytecode|traceback\.StackSummary)"
        r"(?:\..*)?|sys\.(?:_\w+|modules|settrace|setprofile|excepthook|unraisablehook|std\w+|__\w+|argv|path|meta_path"
        r"|path_hooks|setrecursionlimit|tracebacklimit|addaudithook|monitoring)(?:\..*)?|threading\.(?:settrace|setprofile"
        r"|excepthook)|warnings\.(?:filterwarnings|simplefilter|catch_warnings)"
        r"|os\.(?:p?writev?|p?readv?|dup2?|fdopen|closerange|sendfile|pipe2?)",
    ),
    _power(
        "test_tools",
        "uses test tools outside of tests",
        r"(?:pytest|unittest|doctest|nose|mock)(?:\..*)?",
        tests_may=True,
    ),
)

CLOCK = re.compile(
    r"datetime\.\w+\.(?:now|today|utcnow)|time\.(?:time|monotonic|perf_counter|gmtime|localtime)\w*"
)
INPUTS = (
    ("clock", CLOCK),
    ("chance", re.compile(r"random\..*|uuid\.uuid[14]|secrets\.(?:token\w*|rand\w*|choice)")),
    (
        "place",
        re.compile(
            r"__file__|__debug__|(?:getpass|platform|pwd|grp)\..*|os\.(?:get\w+|uname|cpu_count|times)"
            r"|sys\.(?:platform|executable|flags|prefix)|locale\.\w+|input"
        ),
    ),
)
"""What a program knows of when and where it runs: a kind, and names."""

TAMPERING = re.compile(
    r"__(?:class|dict|code|globals|builtins|subclasses|defaults|kwdefaults|self|func|mro|bases?|closure|reduce|reduce_ex"
    r"|getattribute|getattr|loader|spec|import|wrapped|weakref|annotations|slots|abstractmethods|init_subclass|prepare)__"
    r"|(?:gi|cr|ag|tb|f)_(?:frame|code|globals|locals|builtins|back)|mro"
)
"""Attributes by which any object leads into the interpreter."""


def capabilities_of(name: str, *, test: bool) -> Iterator[Capability]:
    for power in CAPABILITIES:
        if power.names.fullmatch(name) and not (test and power.tests_may):
            yield power
