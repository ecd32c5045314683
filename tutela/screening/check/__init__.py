"""Links and words as they are posted, sent or searched for: checked before anybody else sees them.

Flow: text and links → `content.links`, `content.words` → samples → the lists → the same verdict, evidence and case as
of an upload. What somebody searched for is answered with help instead of results.
"""

from tutela.screening.check.model import CheckAnswer, CheckQuestion, Purpose
from tutela.screening.check.service import Checker

__all__ = [
    "CheckAnswer",
    "CheckQuestion",
    "Checker",
    "Purpose",
    "counts",
    "deterrence",
    "expansion",
    "requests",
    "service",
]
