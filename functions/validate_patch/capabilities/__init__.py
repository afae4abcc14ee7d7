"""Gate 4: a patch reaches no capability that the code did not use, as far as reading tells."""

from functions.validate_patch.capabilities.gate import GATE, findings

__all__ = ["GATE", "findings"]
