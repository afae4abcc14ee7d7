"""What a real interpreter raises and prints is read back as it was: property tests over every Python here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from functions.detect_errors.grammar import CAUSE, CONTEXT, HEADER
from functions.detect_errors.model import ParsedError, PrintedException
from functions.detect_errors.read import read_errors

if TYPE_CHECKING:
    from tests.unit.detect_errors.conftest import Interpreter

RAISES = (
    "raise Boom({message})",
    "raise Boom()",
    "raise Outer.Nested({message})",
    "raise ValueError({message})",
    "raise AssertionError",
    "assert None, {message}",
    "1 / 0",
    "{{}}[{message}]",
    "[][3]",
    "None.strip()",
    "undefined_name",
    "int('x')",
    "open('/nowhere/at/all')",
    "import no_such_module_here",
    "compile('a b c', 'rule.py', 'exec')",
    "eval('1 +')",
    "exec('def f(:' + chr(10))",
    "'x'.decode('ascii') if hasattr('x', 'decodes') else b'\\xff'.decode('ascii')",
    "raise KeyboardInterrupt",
    "raise SystemExit(3)",
    "(lambda: 1 / 0)()",
    "return runaway(0)",
    "return there(0)",
)
CALLS = (
    "return {next}()",
    "return {next}(\n        *[\n        ]\n    )",
    "return [{next}() for _ in range(1)]",
    "return list({next}() for _ in range(1))",
    "return {{1: {next}() for _ in range(1)}}",
    "return (lambda: {next}())()",
    "return eval('{next}()', globals())",
    "exec('{next}()', globals())",
    "return deco({next})()",
    "return Holder().method({next})",
    "return sorted([2, 1], key=lambda _: {next}())",
    "try:\n        {next}()\n    except BaseException:\n        raise",
    "try:\n        {next}()\n    except BaseException:\n        raise Boom({message})",
    "try:\n        {next}()\n    finally:\n        [].append(1)",
)
CALLS_3 = (
    "try:\n        {next}()\n    except BaseException as e:\n        raise Boom({message}) from e",
    "try:\n        {next}()\n    except BaseException as e:\n        raise Outer.Nested({message}) from None",
    "raise Boom({message}) from LookupError({message})",
)
CALLS_311 = (
    "try:\n        {next}()\n    except BaseException as e:\n"
    "        raise BaseExceptionGroup('several', [e, ValueError({message})])",
    "try:\n        {next}()\n    except BaseException as e:\n        e.add_note({message})\n        raise",
)
COMMON = """
class Boom(Exception):
    pass

class Outer:
    class Nested(Exception):
        pass

class Holder:
    def method(self, f):
        return f()

def deco(f):
    def wrapper(*a, **k):
        return f(*a, **k)
    return wrapper

def runaway(n):
    return runaway(n + 1)

def there(n):
    return back(n + 1)

def back(n):
    return there(n + 1)
"""

# Shippers translate these, and so does the reader; that has its own tests.
TRANSPORT = "\r\x1b\ufeff\xa0"
# The traceback module draws a group's gutter after these, too, in the middle of the line.
BREAKS = "\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"
words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters=TRANSPORT + BREAKS), max_size=30)
fragments = st.sampled_from(
    [
        HEADER,
        f"quoting {HEADER}",
        f"KeyError: '{HEADER}'",
        '  File "/app/quoted.py", line 3, in quoted',
        "ValueError: inner",
        "child failed:",
        "",
        "  indented",
        CAUSE,
        CONTEXT,
        "[ERROR] TypeError: not really",
        "2026-01-01 00:00:00,000 ERROR no record",
        "  + Exception Group Traceback (most recent call last):",
        "    ^^^^^^",
        "END RequestId: 8f5ffbd2-6d4a-4e7f-9c53-2f7a0a1b7c11",
    ]
)
messages = st.one_of(words, st.lists(st.one_of(words, fragments), min_size=1, max_size=4).map("\n".join))
file_names = st.text(st.sampled_from("abz09 _-.'(),#\"[]{}:;=+@"), min_size=1, max_size=20)
modules = st.sampled_from(["__main__", "shop.errors", "my-handler", "a.b_c.d"])


@st.composite
def cases(draw: st.DrawFn, version: tuple[int, int]) -> dict[str, Any]:
    calls = CALLS + (CALLS_3 if version >= (3, 0) else ()) + (CALLS_311 if version >= (3, 11) else ())
    depth = draw(st.integers(1, 6))
    names = [
        f"{draw(st.sampled_from(['handle', 'f', 'line_3', 'in_', 'File']))}{level}" for level in range(depth)
    ]
    sources = [COMMON]
    for level, name in enumerate(names):
        template = draw(st.sampled_from(calls if level + 1 < depth else RAISES))
        text = draw(messages)
        literal = ascii(text) if version >= (3, 0) else ascii(text.encode("ascii", "replace").decode())
        following = names[level + 1] if level + 1 < depth else ""
        body = template.format(next=following, message=literal)
        sources.append("\n" * draw(st.integers(0, 3)) + f"def {name}():\n    {body}\n")
    files = [[f"m{i}{draw(file_names)}.py", source] for i, source in enumerate(sources)]
    return {"files": files, "call": f"{names[0]}()", "module": draw(modules)}


def is_tame(truth: dict[str, Any]) -> bool:
    """Whether no line of any message can be taken for a piece of a traceback or of another record."""
    texts = ["\n".join(truth["message"].split("\n")[1:]), *truth["notes"]]
    tame = all(not line or line.isalnum() for text in texts for line in text.split("\n"))
    return tame and all(is_tame(part) for part in [*truth["chain"], *truth["members"]])


def first_line(message: str) -> str:
    return message.split("\n")[0]


def shape(raised: ParsedError | PrintedException) -> tuple[Any, ...]:
    frames = [[frame.file, frame.line, frame.function] for frame in raised.frames]
    return ((raised.type or "").rpartition(".")[2], first_line(raised.message or ""), frames)


def true_shape(truth: dict[str, Any]) -> tuple[Any, ...]:
    return (truth["type"].rpartition(".")[2], first_line(truth["message"]), truth["frames"])


def agrees(raised: ParsedError | PrintedException, truth: dict[str, Any]) -> bool:
    got, want = shape(raised), true_shape(truth)
    # Newer versions append a suggestion or a sub-exception count to the message.
    return bool(got[0] == want[0] and got[1].startswith(want[1]) and got[2] == want[2])


def check(text: str, answer: dict[str, Any], version: tuple[int, int], printer: str) -> None:
    truth = answer["truth"]
    found = read_errors(text)
    # Whatever the messages say, the exception that propagated is among what was found.
    candidates: list[ParsedError | PrintedException] = [
        *found,
        *(cause for error in found for cause in error.chain),
    ]
    assert any(agrees(one, truth) for one in candidates), f"lost: {true_shape(truth)}"
    if not is_tame(truth):
        return
    assert len(found) == 1
    error = found[0]
    assert agrees(error, truth)
    assert not error.needs_more
    if version >= (3, 9) or (version >= (3, 0) and printer == "module"):
        # The C printer names the main module where the traceback module leaves it out.
        assert (error.type or "").removeprefix("__main__.") == truth["type"]
    expected = truth["chain"]
    if any(part["members"] for part in [truth, *expected]):
        # The interpreter prints an exception once: what a group holds is left out of the chain above it.
        expected = expected[len(expected) - len(error.chain) :]
    assert len(error.chain) == len(expected)
    for cause, true_cause in zip(error.chain, expected, strict=True):
        assert agrees(cause, true_cause)
        assert cause.relation == true_cause["relation"]
    assert len(error.members) == len(truth["members"])
    for member, true_member in zip(error.members, truth["members"], strict=True):
        assert agrees(member, true_member)


@pytest.mark.parametrize("printer", ["module", "printer"])
@settings(
    # Each is run by an interpreter: fewer than the profile's.
    max_examples=settings().max_examples * 2 // 5,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
    ],
)
@given(data=st.data())
def test_what_was_raised_is_what_is_read(
    interpreters: list[Interpreter], printer: str, data: st.DataObject
) -> None:
    interpreter = data.draw(st.sampled_from(interpreters), label="interpreter")
    case = data.draw(cases(interpreter.version), label="case")
    answer = interpreter.raises(case)
    check(answer[printer], answer, interpreter.version, printer)
