"""The principles that a patch is judged by, once it has run: each a module with a sentence.

A principle looks at the candidate and at what the runs showed, and gives findings: it refuses what is plainly
wrong, and asks about what nothing in the repository tells.
"""

from functions.validate_patch.principles.aim import AIMS_AT_THE_INCIDENT
from functions.validate_patch.principles.finding import Finding, Principle, Severity
from functions.validate_patch.principles.kept import TESTS_ARE_THE_REPOSITORYS
from functions.validate_patch.principles.seen import NO_ERROR_UNSEEN
from functions.validate_patch.principles.stated import RESULT_IS_STATED
from functions.validate_patch.principles.stays import WHAT_WORKED_STAYS

PRINCIPLES = (
    RESULT_IS_STATED,
    WHAT_WORKED_STAYS,
    NO_ERROR_UNSEEN,
    TESTS_ARE_THE_REPOSITORYS,
    AIMS_AT_THE_INCIDENT,
)

__all__ = ["PRINCIPLES", "Finding", "Principle", "Severity"]
