"""Why a verdict is what it is, beyond what content itself falls short of (`Shortcoming`): codes for programs."""

from collections.abc import Collection
from enum import StrEnum

from tutela.foundation.options import OptionError, nearest

OF_A_MATCH = "match-"
"""What the code of a match begins with, before the action of its bank."""


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


class GatewayFault(StrEnum):
    """Why a gateway holds content though nothing is known of it."""

    CUT_SHORT = "cut-short"
    """It is exactly as long as a client's own limit, and that client drops the rest without saying so; or it is one
    piece of a longer upload."""
    TOO_SLOW = "too-slow"
    """It did not come in time."""
    INTERRUPTED = "interrupted"
    """The service was stopped before the content was whole."""
    OVER_LIMIT = "over-limit"
    """Longer than what is screened even later, or there was no room to keep it."""
    NOT_GIVEN = "not-given"
    """What the client handed over cannot be read: a descriptor to write to, a link, a body that is no form."""


def require_overridable(codes: Collection[str], key: str) -> None:
    """Raise OptionError for a code that no verdict has, or that nobody can override."""
    if not codes:
        return
    from tutela.content.media.content import Shortcoming  # with NumPy: settings that name no code are read without

    known = (*Shortcoming, *ReasonCode, *GatewayFault)
    for code in codes:
        if code.startswith(OF_A_MATCH):
            raise OptionError(key, "must not name {code}: what follows from a match is said by its bank", code=code)
        if code not in known:
            raise OptionError(key, "has no code {code!r}{hint}", code=code, hint=nearest(code, known))
