"""The repair rules, one class of crash each."""

from infra.local.model.rule import Rule
from infra.local.model.rules.missing_key import MissingKey
from infra.local.model.rules.none_value import NoneValue
from infra.local.model.rules.refusals import OutsideTheCode
from infra.local.model.rules.text import TextConcatenation
from infra.local.model.rules.zero_division import ZeroDivision

RULES: tuple[Rule, ...] = (
    MissingKey(),
    NoneValue(),
    ZeroDivision(),
    TextConcatenation(),
    OutsideTheCode(),
)
"""Asked in this order; of several repairs the one with the highest confidence comes first."""
