"""What the model sees of a repository, and in which order."""

from __future__ import annotations

import textwrap

import pytest

from functions.core.incidents.incident import Frame
from functions.core.model.requests import estimate_tokens
from functions.core.source.archive import Member, MemberKind
from functions.propose_patch.context import Context, Part, build_context, map_frames
from functions.propose_patch.repository import SourceTree

FILLER = "\n".join(f"def filler_{n}():\n    return {n}\n\n" for n in range(40))

PRICING = textwrap.dedent("""\
    from __future__ import annotations

    from decimal import Decimal

    from orders import rates
    from orders.models import Cart, Line
    from .money import round_to

    DEFAULT = "DE"
    UNUSED = "nobody"


    class Pricing:
        \"\"\"Prices of a cart.\"\"\"

        currency = "EUR"

        def __init__(self, table: dict[str, Decimal]) -> None:
            self.table = table

        def total(self, cart: Cart) -> Decimal:
            customer = find_customer(cart)
            shipping = rates.rate_for(customer.country or DEFAULT)
            return round_to(self.subtotal(cart) + self.table[customer.country] + shipping + cart.weight())

        def subtotal(self, cart: Cart) -> Decimal:
            return sum(line.price for line in cart.lines)


    def find_customer(cart: Cart) -> Line:
        return cart.lines[0]
    """)
RATES = f"""{FILLER}
RATES = {{"DE": 4}}


def rate_for(country):
    return RATES[country]
"""
MODELS = FILLER + textwrap.dedent("""\
    class Base:
        def weight(self):
            return 1


    class Cart(Base):
        lines: list


    class Line:
        price = 1
        country = "DE"
    """)
HANDLER = FILLER + textwrap.dedent("""\
    from orders.pricing import Pricing


    def handle(event):
        return Pricing({}).total(event["cart"])
    """)
TESTS = FILLER + textwrap.dedent("""\
    from orders.pricing import Pricing


    def test_total():
        assert Pricing({}).total(None) == 1


    def test_nothing():
        pass
    """)
FILES = {
    "handler.py": HANDLER,
    "orders/__init__.py": "",
    "orders/pricing.py": PRICING + FILLER,
    "orders/rates.py": RATES,
    "orders/models.py": MODELS,
    "orders/money.py": FILLER + "def round_to(amount):\n    return amount\n",
    "tests/test_pricing.py": TESTS,
    "tests/test_other.py": "from orders import rates\n",
    "AGENTS.md": "# Rules\nNever touch the ledger.\n",
}


def repository(**more: str) -> SourceTree:
    files = FILES | {path.replace("__", "/"): text for path, text in more.items()}
    return SourceTree(Member(path, text.encode()) for path, text in files.items())


def line_of(path: str, code: str) -> int:
    return 1 + next(i for i, line in enumerate(FILES[path].split("\n")) if code in line)


def frame(path: str, function: str, code: str, root: str = "/var/task/", in_app: bool = True) -> Frame:
    return Frame(root + path, line_of(path, code), function, code, in_app)


HANDLE = frame("handler.py", "handle", 'return Pricing({}).total(event["cart"])')
TOTAL = frame("orders/pricing.py", "total", "self.table[customer.country]")
LIBRARY = Frame("/opt/python/lib/decimal.py", 9, "add", "raise TypeError", in_app=False)
ROOTS = {"/var/task": ""}


def build(*frames: Frame, budget: int = 12_000, **more: str) -> Context:
    return build_context(repository(**more), frames, ROOTS, budget)


def part(context: Context, why: str) -> Part:
    return next(part for part in context.parts if why in part.why)


def text(part: Part) -> str:
    return "\n".join(part.lines.values())


def test_the_failing_function_comes_first_with_real_line_numbers_and_its_failing_line_marked() -> None:
    first = build(HANDLE, TOTAL).parts[0]
    assert (first.path, first.why, first.function) == (
        "orders/pricing.py",
        "frame 2 of 2, where it failed",
        "total",
    )
    assert TOTAL.line
    start = line_of("orders/pricing.py", "def total")
    assert list(first.lines) == [start, start + 1, start + 2, TOTAL.line]
    assert first.failing == {TOTAL.line}
    assert "self.table[customer.country]" in first.lines[TOTAL.line]


def test_then_comes_what_an_engineer_would_look_at_most_relevant_first() -> None:
    context = build(HANDLE, TOTAL)
    assert [(part.path, part.why) for part in context.parts] == [
        ("orders/pricing.py", "frame 2 of 2, where it failed"),
        ("orders/pricing.py", "imports and constants of orders/pricing.py"),
        ("handler.py", "frame 1 of 2, a caller"),
        ("orders/pricing.py", "outline of class Pricing"),
        ("orders/money.py", "definition of round_to"),
        ("orders/pricing.py", "definition of Pricing.subtotal"),
        ("orders/pricing.py", "definition of Pricing.table"),
        ("orders/models.py", "definition of Line.country"),
        ("orders/models.py", "definition of Base.weight"),
        ("orders/models.py", "definition of Cart"),
        ("orders/pricing.py", "definition of find_customer"),
        ("orders/rates.py", "definition of rate_for"),
        ("orders/models.py", "where the value may come from: sets 'country'; sets 'price'; class Base"),
        ("orders/rates.py", "where the value may come from: sets 'RATES'"),
        ("tests/test_pricing.py", "tests that import pricing"),
        ("AGENTS.md", "the repository's own rules"),
        ("handler.py", "imports and constants of handler.py"),
    ]
    assert context.left_out == ()


def test_constants_are_those_that_the_function_uses() -> None:
    head = text(part(build(TOTAL), "imports and constants"))
    assert 'DEFAULT = "DE"' in head
    assert "from orders.models import Cart, Line" in head
    assert "UNUSED" not in head


def test_a_class_is_shown_by_its_outline() -> None:
    outline = text(part(build(TOTAL), "outline of class Pricing"))
    assert "def subtotal(self, cart: Cart) -> Decimal:" in outline
    assert 'currency = "EUR"' in outline
    assert "sum(" not in outline


def test_tests_that_name_the_function_are_shown_with_their_imports() -> None:
    shown = text(part(build(TOTAL), "tests that import pricing"))
    assert "def test_total" in shown
    assert "from orders.pricing import Pricing" in shown
    assert "test_nothing" not in shown
    assert not any(part.path == "tests/test_other.py" for part in build(TOTAL).parts)


def test_tokens_are_estimated_on_the_high_side_in_other_scripts_too() -> None:
    assert estimate_tokens("return x\n" * 100) == pytest.approx(273, abs=1)
    assert estimate_tokens("\u4fa1\u683c" * 100) > 200


def test_no_line_is_shown_twice() -> None:
    seen = [(part.path, number) for part in build(HANDLE, TOTAL).parts for number in part.lines]
    assert len(seen) == len(set(seen))


def test_every_app_frames_function_is_shown_even_without_budget_and_what_is_left_out_is_listed() -> None:
    context = build(HANDLE, TOTAL, budget=0)
    assert [part.why for part in context.parts] == [
        "frame 2 of 2, where it failed",
        "imports and constants of orders/pricing.py",
        "frame 1 of 2, a caller",
    ]
    assert any(
        line.startswith("orders/rates.py lines") and "over the budget" in line for line in context.left_out
    )
    assert any(line.startswith("AGENTS.md") for line in context.left_out)


def test_a_library_frame_is_not_shown_but_counted() -> None:
    context = build(HANDLE, TOTAL, LIBRARY)
    assert context.parts[0].why == "frame 2 of 3, where it failed, inside what this line calls"
    assert [mapped.number for mapped in context.frames] == [1, 2]


def test_a_frame_without_a_file_is_said() -> None:
    lost = Frame("/srv/else/pricing.py", 3, "total", "x", in_app=True)
    context = build(lost, TOTAL)
    assert context.left_out[0] == (
        "frame 1 of 2, /srv/else/pricing.py line 3 in total: "
        "no file of the repository ends in the same directory and name"
    )


def test_nothing_is_shown_when_no_app_frame_has_a_file() -> None:
    assert build(LIBRARY).parts == ()
    assert build(Frame("/srv/x.py", 3, "f", "x", in_app=True)).parts == ()


def test_a_file_at_the_top_counts_when_the_printed_line_stands_there() -> None:
    elsewhere = "/tmp/ministack-lambda-orders-abc123/code/"
    there = frame("handler.py", "handle", 'return Pricing({}).total(event["cart"])', root=elsewhere)
    assert [m.path for m in map_frames([there], repository(), ROOTS)] == ["handler.py"]
    moved = Frame(there.file, 1, "handle", there.code, in_app=True)
    assert [m.path for m in map_frames([moved], repository(), ROOTS)] == [None]


def test_of_a_small_file_the_rest_is_shown_too() -> None:
    small = "RATES = {}\n\n\ndef rate(country):\n    return RATES[country]\n\n\ndef other(): ...\n"
    context = build(Frame("/var/task/lib/rates.py", 5, "rate", "", in_app=True), lib__rates_py="")
    assert context.parts == ()
    files = [Member("lib/rates.py", small.encode())]
    context = build_context(
        SourceTree(files), [Frame("/var/task/lib/rates.py", 5, "rate", "", in_app=True)], ROOTS
    )
    assert [(list(part.lines), part.why) for part in context.parts] == [
        ([4, 5], "frame 1 of 1, where it failed"),
        ([1], "imports and constants of lib/rates.py"),
        ([2, 3, 6, 7, 8], "the rest of lib/rates.py"),
    ]


REVISIONS = {
    "moved": (9, "return RATES[country]", 5, "what was logged as line 9 stands in line 5 of this revision"),
    "gone": (4, "return TABLE[country]", 4, "line 4 reads differently in this revision"),
    "same": (5, "return RATES[country]", 5, ""),
    "not logged": (4, "", 4, ""),
    "logged in part": (5, "return RATES[", 5, ""),
    "twice, but once in this function": (1, "pass", 8, "stands in line 8"),
}


@pytest.mark.parametrize("case", REVISIONS)
def test_a_line_that_moved_is_found_again_and_said(case: str) -> None:
    line, code, stands, said = REVISIONS[case]
    source = "RATES = {}\n\n\ndef rate(country):\n    return RATES[country]\n\n"
    source += "def one():\n    pass\n\ndef two():\n    pass\n"
    name = "one" if code == "pass" else "rate"
    at = Frame("/var/task/lib/rates.py", line, name, code, in_app=True)
    context = build_context(SourceTree([Member("lib/rates.py", source.encode())]), [at], ROOTS)
    assert context.frames[0].line == stands
    assert context.parts[0].failing == {stands}
    assert said in " ".join(context.left_out)
    assert bool(said) == bool(context.left_out)


def test_frames_of_the_exceptions_that_led_to_it_are_shown_after_its_own() -> None:
    rate = frame("orders/rates.py", "rate_for", "return RATES[country]")
    context = build_context(repository(), [HANDLE], ROOTS, causes=[TOTAL, rate])
    assert [(part.function, part.why) for part in context.parts if part.function] == [
        ("handle", "frame 1 of 1, where it failed"),
        ("rate_for", "a frame of an exception that led to this one"),
        ("total", "a frame of an exception that led to this one"),
    ]


def test_a_nested_function_is_shown_with_the_one_around_it() -> None:
    source = FILLER + textwrap.dedent("""\
        def retried(times):
            allowed = times or None

            def wrapper(call):
                return range(allowed)

            return wrapper
        """)
    line = 1 + source.split("\n").index("        return range(allowed)")
    at = Frame("/var/task/lib/retry.py", line, "wrapper", "return range(allowed)", in_app=True)
    context = build_context(SourceTree([Member("lib/retry.py", source.encode())]), [at], ROOTS)
    assert [(part.function, part.why) for part in context.parts] == [
        ("wrapper", "frame 1 of 1, where it failed"),
        ("", "around it: retried"),
    ]
    assert "allowed = times or None" in text(context.parts[1])


def test_optional_parts_stay_a_quarter_of_the_files_of_the_traceback() -> None:
    files = [Member("lib/big.py", ("def f():\n    return g()\n\n" + FILLER * 40 + PRICING).encode())]
    files += [
        Member(f"tests/test_{n}.py", f"from lib import big\n\n\ndef test_f():\n    big.f({n!r})\n".encode())
        for n in range(900)
    ]
    at = Frame("/var/task/lib/big.py", 2, "f", "return g()", in_app=True)
    context = build_context(SourceTree(files), [at], ROOTS)
    whole = len(files[0].data) / 3.3
    assert 0.15 * whole < sum(part.tokens for part in context.parts) <= 0.25 * whole
    assert any("over the budget" in line for line in context.left_out)


def test_a_long_function_is_shown_around_the_failing_line() -> None:
    body = "\n".join(f"    a{n} = {n}" for n in range(2, 500))
    files = [Member("lib/long.py", f"def long():\n{body}\n".encode())]
    context = build_context(
        SourceTree(files), [Frame("/var/task/lib/long.py", 300, "long", "a300 = 300", in_app=True)], ROOTS
    )
    lines = context.parts[0].lines
    assert list(lines) == [*range(1, 13), *range(230, 331)]
    assert lines[300] == "    a300 = 300"
    assert "386 lines of long" in context.left_out[0]


def test_secrets_in_source_are_masked_and_line_numbers_stay() -> None:
    key = "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEAuq3mZ8\n-----END RSA PRIVATE KEY-----"
    source = f'KEY = """{key}"""\nPASSWORD = "hunter2-hunter2"\n\n\ndef sign():\n    return KEY + PASSWORD\n'
    context = build_context(
        SourceTree([Member("a/sign.py", source.encode())]),
        [Frame("/var/task/a/sign.py", 8, "sign", "", in_app=True)],
        ROOTS,
    )
    assert context.parts[0].lines[8] == "    return KEY + PASSWORD"
    assert "MIIE" not in text(context.parts[0])
    assert "hunter2" not in text(context.parts[0])


@pytest.mark.parametrize(
    "source",
    [
        "def broken(:\n    x = 1\n    y = 2\n",
        "x = 1\ny = 2\nz = 3\n",
        "\tx = '\0'\ny\nz\n",
        "x\r\ny\r\nz\r\n",
    ],
    ids=["syntax error", "module level", "control character", "windows line ends"],
)
def test_source_that_has_no_function_there_is_shown_around_the_line(source: str) -> None:
    context = build_context(
        SourceTree([Member("a/b.py", source.encode())]),
        [Frame("/var/task/a/b.py", 2, "<module>", "", in_app=True)],
        ROOTS,
    )
    assert sorted(line for part in context.parts for line in part.lines) == [1, 2, 3]
    assert context.parts[0].failing == {2}


def test_files_that_are_no_text_do_no_harm() -> None:
    members = [
        Member("a/b.py", b"\xff\xfe\x00"),
        Member("a/link.py", b"b.py", MemberKind.SYMLINK),
        Member("tests/test_b.py", b"\xff import b"),
        Member("AGENTS.md", b"\xff"),
    ]
    for name in ("b", "link"):
        frames = [Frame(f"/var/task/a/{name}.py", 1, "f", "", in_app=True)]
        assert build_context(SourceTree(members), frames, ROOTS).parts == ()


def test_recursion_shows_the_function_once_with_all_its_lines_marked() -> None:
    source = FILLER + "def walk(n):\n    if n:\n        return walk(n - 1)\n    return 1 / n\n"
    start = source.split("\n").index("def walk(n):") + 1
    frames = [
        *(
            Frame("/var/task/a/walk.py", start + 2, "walk", "return walk(n - 1)", in_app=True)
            for _ in range(3)
        ),
        Frame("/var/task/a/walk.py", start + 3, "walk", "return 1 / n", in_app=True),
    ]
    context = build_context(SourceTree([Member("a/walk.py", source.encode())]), frames, ROOTS)
    assert [part.failing for part in context.parts] == [{start + 2, start + 3}]


def test_a_statement_of_the_module_is_shown_as_a_whole_and_not_the_file() -> None:
    routes = "ROUTES = {\n    'a': lambda event: event['a'],\n    'b': lambda event: event['b'],\n}\n"
    source = FILLER + routes + FILLER.replace("filler", "more")
    line = source.split("\n").index("    'b': lambda event: event['b'],") + 1
    context = build_context(
        SourceTree([Member("lib/routes.py", source.encode())]),
        [Frame("/var/task/lib/routes.py", line, "<lambda>", "", in_app=True)],
        ROOTS,
    )
    assert text(context.parts[0]) == routes.rstrip()


def test_hostile_source_is_shown_without_being_understood() -> None:
    nested = "x = " + "(" * 5_000 + ")" * 5_000 + "\n"
    for source in (nested, "f'" + "{" * 5_000, 'y = "\\d"\n', "\n" * 100_000 + "z", "x" * 900_000):
        files = [
            Member("a/b.py", source.encode()),
            Member("tests/test_b.py", b"import b\n" + source.encode()),
        ]
        frames = [Frame("/var/task/a/b.py", 1, "f", "", in_app=True), LIBRARY]
        build_context(SourceTree(files), frames, ROOTS)


@pytest.mark.parametrize(
    "head", ["for one in rates:", "while rates[0]:", "with open(rates) as file:", "if rates['x']:"]
)
def test_a_compound_statement_that_failed_in_its_head_is_read_by_its_head(head: str) -> None:
    source = f"rates = []\n\n\ndef run():\n    {head}\n        pass\n"
    frame = Frame("/var/task/run.py", 5, "run", head, True)
    repository = SourceTree([Member("run.py", source.encode())])
    context = build_context(repository, (frame,), {"/var/task": ""})
    assert any(part.path == "run.py" for part in context.parts)
