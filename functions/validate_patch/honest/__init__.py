"""Gate 4: a patch does not merely hide the error. Rules over syntax trees, before against after."""

from functions.validate_patch.honest.gate import findings

__all__ = ["findings"]
