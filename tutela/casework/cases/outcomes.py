"""What a person can decide of an item, and what the platform can be asked to do about it."""

from enum import StrEnum


class Outcome(StrEnum):
    """What a person decided of an item."""

    CONFIRM = "confirm"
    """It is what the match says, with a label."""
    REJECT = "reject"
    """A false match, or harmless content."""
    AGAINST_RULES = "against-rules"
    """Not illegal, but not wanted here."""
    ESCALATE = "escalate"
    """A lead decides."""
    NOT_OURS = "not-ours"
    """Of a report: what it names is not with us."""
    PASS_ON = "pass-on"  # noqa: S105
    """Of a report: somebody else must act, and is told."""
    NO_GROUND = "no-ground"
    """Of a report: there is nothing to act on."""
    UPHOLD = "uphold"
    """Of an appeal: what is listed stays listed."""
    LIFT = "lift"
    """Of an appeal: it was listed in error, and counts no more."""


class Effect(StrEnum):
    """What the platform is asked to do. The first two are about content, the others about an account."""

    HIDE = "hide"
    RESTORE = "restore"
    SUSPEND = "suspend"
    LOCK = "lock"
    NOTICE_RECIPIENT = "notice-recipient"
    """Show neutral safety words to whoever is contacted; of nobody in particular."""
    NOTICE_SENDER = "notice-sender"
    """Show whoever contacts others a message with help services."""
    HIDE_FROM_SUGGESTIONS = "hide-from-suggestions"
    LIMIT_CONTACT = "limit-contact"
    STEP_UP = "step-up"
    """Ask for a better proof of age."""


ACCOUNT_EFFECTS = frozenset({Effect.SUSPEND, Effect.LOCK})
CONTACT_EFFECTS = frozenset(
    {
        Effect.NOTICE_RECIPIENT,
        Effect.NOTICE_SENDER,
        Effect.HIDE_FROM_SUGGESTIONS,
        Effect.LIMIT_CONTACT,
        Effect.STEP_UP,
    }
)
"""Of contacts: reversible, and of no meaning for content."""
