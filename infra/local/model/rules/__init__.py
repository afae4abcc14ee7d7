"""The repair rules, one class of crash each."""

from infra.local.model.rule import Rule
from infra.local.model.rules.arguments import WrongArguments
from infra.local.model.rules.calls import CallOrNot
from infra.local.model.rules.datetimes import NaiveDatetime
from infra.local.model.rules.empty import EmptySequence
from infra.local.model.rules.in_place import InPlaceResult
from infra.local.model.rules.iteration import ChangedWhileIterating, WrongIterable
from infra.local.model.rules.missing_import import MissingImport
from infra.local.model.rules.missing_key import MissingKey
from infra.local.model.rules.misspelt import MisspeltAttribute, MisspeltName
from infra.local.model.rules.none_value import NoneValue
from infra.local.model.rules.off_by_one import OffByOne
from infra.local.model.rules.parsing import UnparsableText
from infra.local.model.rules.refusals import OutsideTheCode
from infra.local.model.rules.text import TextConcatenation
from infra.local.model.rules.unbound import UnboundLocal
from infra.local.model.rules.zero_division import ZeroDivision

RULES: tuple[Rule, ...] = (
    MissingKey(),
    NoneValue(),
    InPlaceResult(),
    ZeroDivision(),
    OffByOne(),
    EmptySequence(),
    MisspeltName(),
    MisspeltAttribute(),
    MissingImport(),
    TextConcatenation(),
    UnboundLocal(),
    WrongArguments(),
    ChangedWhileIterating(),
    WrongIterable(),
    NaiveDatetime(),
    CallOrNot(),
    UnparsableText(),
    OutsideTheCode(),
)
"""Asked in this order; of several repairs the one with the highest confidence comes first."""
