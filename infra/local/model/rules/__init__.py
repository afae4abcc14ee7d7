"""The repair rules, one class of crash each."""

from infra.local.model.rule import Rule
from infra.local.model.rules.missing_key import MissingKey

RULES: tuple[Rule, ...] = (MissingKey(),)
