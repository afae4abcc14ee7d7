# Really raises what it is told to, under whatever Python runs it (2.7 to 3.14), and says what was raised.
#
# Reads one JSON object per line: {"files": [[name, source], ...], "call": expression, "module": name}. Each
# source is written to a file and executed in one namespace; then the expression is evaluated. Answers one JSON
# object per line: "module" (what the traceback module printed), "printer" (what the interpreter's own printer
# wrote), and "truth" (read from the exception and traceback objects).
from __future__ import print_function

import io
import json
import linecache
import os
import sys
import traceback

PY2 = sys.version_info[0] == 2
ROOT = sys.argv[1]
SAME = 3  # traceback._RECURSIVE_CUTOFF


def frames_of(exc, tb):
    frames, last, same = [], None, 0
    while tb is not None:
        code = tb.tb_frame.f_code
        frame = [code.co_filename, tb.tb_lineno, code.co_name]
        same = same + 1 if frame == last else 1
        if same <= SAME or PY2:
            frames.append(frame)
        last, tb = frame, tb.tb_next
    if isinstance(exc, SyntaxError) and exc.lineno is not None:
        frames.append([exc.filename or "<string>", exc.lineno, None])
    return frames


def truth_of(exc, seen):
    seen.add(id(exc))
    kind = type(exc)
    name = getattr(kind, "__qualname__", kind.__name__)
    module = kind.__module__
    if module not in ("builtins", "__main__", "exceptions"):
        name = module + "." + name
    chain = []
    cause = getattr(exc, "__cause__", None)
    context = getattr(exc, "__context__", None)
    if cause is not None and id(cause) not in seen:
        before = truth_of(cause, seen)
        chain = before["chain"] + [dict(before, chain=[], relation="cause")]
    elif context is not None and not exc.__suppress_context__ and id(context) not in seen and cause is None:
        before = truth_of(context, seen)
        chain = before["chain"] + [dict(before, chain=[], relation="context")]
    message = exc.msg if isinstance(exc, SyntaxError) else str(exc)
    truth = {"type": name, "message": message, "chain": chain, "members": []}
    truth["notes"] = [str(note) for note in getattr(exc, "__notes__", [])]
    truth["frames"] = frames_of(exc, exc.__traceback__ if not PY2 else sys.exc_info()[2])
    if hasattr(exc, "exceptions"):
        truth["members"] = [truth_of(one, set()) for one in exc.exceptions]
    return truth


def printed(exc_info):
    out, real = io.StringIO() if not PY2 else io.BytesIO(), sys.stderr
    sys.stderr = out
    try:
        sys.__excepthook__(*exc_info)
    finally:
        sys.stderr = real
    return out.getvalue()


def answer(case):
    linecache.clearcache()
    space = {"__name__": str(case["module"])}
    for name, source in case["files"]:
        path = os.path.join(ROOT, name)
        with io.open(path, "w", encoding="utf-8") as file:
            file.write(source)
        exec(compile(source.encode("utf-8") if PY2 else source, path, "exec"), space)
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(260)
    try:
        eval(compile(case["call"], "<case>", "eval"), space)
    except BaseException as exc:
        sys.setrecursionlimit(limit)
        info = sys.exc_info()
        return {"truth": truth_of(exc, set()), "module": traceback.format_exc(), "printer": printed(info)}
    sys.setrecursionlimit(limit)
    return {"error": "nothing was raised"}


for line in iter(sys.stdin.readline, ""):
    try:
        result = answer(json.loads(line))
    except BaseException:
        result = {"error": traceback.format_exc()}
    print(json.dumps(result))
    sys.stdout.flush()
