"""ValueError and JSONDecodeError: text from outside that does not parse."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from infra.local.model import convention, scope
from infra.local.model.rule import Crash, Refusal, Repair, RepairExample, Rule
from infra.local.model.source import Splice, walk

_PARSERS = {
    "int": "ValueError",
    "float": "ValueError",
    "Decimal": "InvalidOperation",
    "json.loads": "json.JSONDecodeError",
    "date.fromisoformat": "ValueError",
    "datetime.fromisoformat": "ValueError",
}


class UnparsableText(Rule):
    crash_class = "text that does not parse"
    errors = ("ValueError", "JSONDecodeError", "InvalidOperation", "TypeError")
    message = (
        "invalid literal|could not convert|Invalid isoformat|ConversionSyntax|Expecting value|JSON object "
        "must be"
    )
    precondition = (
        "one conversion on the failing line, and the file converts the same kind of text with `value or "
        "default` "
        "elsewhere (for empty text), has an exception of its own for bad input of this name, or may return "
        "None"
    )
    repair = "follows that: the same default for empty text, or the own exception raised from the original"
    examples = (
        RepairExample(
            before=(
                "class InvalidQuantity(ValueError):\n    pass\n\n\n"
                "def parse(row):\n    quantity = int(row['quantity'])\n    return quantity\n"
            ),
            call="parse({'quantity': ''})",
            after=(
                "class InvalidQuantity(ValueError):\n    pass\n\n\n"
                "def parse(row):\n    try:\n        quantity = int(row['quantity'])\n"
                "    except ValueError as error:\n"
                "        raise InvalidQuantity(f\"invalid quantity: {row['quantity']!r}\") from error\n"
                "    return quantity\n"
            ),
        ),
        RepairExample(
            before=(
                "import json\n\n\ndef head(event):\n    return json.loads(event['meta'] or '{}')\n\n\n"
                "def body(event):\n    return json.loads(event['body'])\n"
            ),
            call="body({'body': ''})",
            after=(
                "import json\n\n\ndef head(event):\n    return json.loads(event['meta'] or '{}')\n\n\n"
                "def body(event):\n    return json.loads(event['body'] or '{}')\n"
            ),
        ),
    )

    def candidates(self, crash: Crash) -> Iterator[Repair | Refusal]:
        empty = bool(
            crash.matches(
                r"(invalid literal for int\(\) with base 10|could not convert string to float): '\s*'$"
            )
            or crash.matches(r"Expecting value: line 1 column 1 \(char 0\)")
            or crash.matches("JSON object must be .* not NoneType")
        )
        bad = bool(crash.matches("invalid literal|could not convert|Invalid isoformat|ConversionSyntax"))
        if not empty and not bad and crash.error != "JSONDecodeError":
            return
        calls = [
            c for c in crash.failing(cst.Call) if crash.file.code(c.func) in _PARSERS and len(c.args) == 1
        ]
        if len(calls) != 1:
            return
        call = calls[0]
        if empty:
            yield from self._usual_default(crash, call)
        if crash.error != "TypeError":
            yield from self._own_error(crash, call)

    def _usual_default(self, crash: Crash, call: cst.Call) -> Iterator[Repair]:
        """`int(x or 0)` elsewhere in the file, always with the same default."""
        code = crash.file.code
        defaults = {
            code(arg.right)
            for other in crash.file.all(cst.Call)
            if code(other.func) == code(call.func)
            and other is not call
            and other.args
            and isinstance(arg := other.args[0].value, cst.BooleanOperation)
            and isinstance(arg.operator, cst.Or)
        }
        value = call.args[0].value
        whitespace = crash.matches(r"'\s+'$")
        if (
            len(defaults) != 1
            or not isinstance(value, cst.Name | cst.Attribute | cst.Subscript | cst.Call)
            or whitespace
        ):
            return
        default = defaults.pop()
        yield Repair(
            title=f"Read empty text as {default} in {crash.function_name}"[:72],
            root_cause=f"`{code(call)}` on line {crash.line} gets an empty text, which does not parse.",
            explanation=(
                f"The file reads an empty text as `{default}` elsewhere; this line now does too. Text that "
                "is not empty is parsed as before, and still fails when it is malformed."
            ),
            confidence=0.8,
            file=crash.file,
            splices=(crash.file.replace(value, f"{code(value)} or {default}"),),
        )

    def _own_error(self, crash: Crash, call: cst.Call) -> Iterator[Repair]:
        file, value = crash.file, call.args[0].value
        statement = crash.statement_of(call)
        if not isinstance(statement, cst.SimpleStatementLine) or not scope.is_plain(value):
            return
        if len(list(walk(statement, cst.Call))) > 1:
            return  # another call's error would be taken for this one's
        names = list(scope.stores(statement))
        about = convention.words_of(file, value, *names)
        caught = _PARSERS[file.code(call.func)]
        if caught not in scope.BUILTINS and caught.split(".")[0] not in scope.imported(file):
            return
        unit, line = file.indent_unit, file.start(statement)[0]
        indent = file.indent(statement)
        for own in convention.domain_raises(crash, about, file.code(value)):
            body = [file.lines[n] for n in range(line, file.end(statement)[0] + 1)]
            text = [f"{indent}try:", *[f"{unit}{b}" for b in body]]
            text += [f"{indent}except {caught} as error:", f"{indent}{unit}{own.statement} from error"]
            yield Repair(
                title=f"Raise {own.error} for text that does not parse",
                root_cause=(
                    f"`{file.code(call)}` on line {crash.line} takes text from outside without allowing "
                    "for bad text."
                ),
                explanation=(
                    f"Bad text now raises `{own.error}`, the code's own error for it, with the original as "
                    "its cause. Nothing else is caught, and good text is parsed as before."
                ),
                confidence=0.75,
                file=file,
                splices=(Splice((line, 0), (file.end(statement)[0] + 1, 0), "\n".join(text) + "\n"),),
            )
