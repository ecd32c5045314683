"""Why a verdict is what it is, beyond what content itself falls short of (`Shortcoming`): codes for programs."""

from enum import StrEnum


class ReasonCode(StrEnum):
    """What screening adds to the codes of content. A match has `match-` and the bank's action."""

    NOT_FOLLOWED = "not-followed"
    """A shortened link could not be followed to its end."""
    LOOKS_LIKE = "looks-like"
    """A link's host looks like a listed one, and is another."""
    EVIDENCE_NOT_KEPT = "evidence-not-kept"
    """The content could not be sealed as evidence: keep it yourself and ask again."""
    ENGINE_FAULT = "engine-fault"
    """A fault of Tutela itself; the service's log says which."""
    LISTS_STALE = "lists-stale"
    """The lists could not be brought up to date for 30 seconds."""
