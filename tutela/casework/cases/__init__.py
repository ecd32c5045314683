"""Cases: what is held or blocked, until a person has decided it and the decision has had its effects.

Flow: held verdict → evidence and item → case → claim → decision (→ second look, → lead) → effects, feedback, report.
"""

__all__ = [
    "addresses",
    "alarms",
    "contacts",
    "custody",
    "decisions",
    "documents",
    "effects",
    "feedback",
    "lessons",
    "model",
    "options",
    "outcomes",
    "pseudonyms",
    "rows",
    "rules",
    "safety_notices",
    "service",
    "similarity",
    "upkeep",
]
