"""Events: what a service says happened between two accounts. Text is read once, for numbers, and never kept."""

from dataclasses import dataclass
from enum import Enum, IntEnum, StrEnum

from tutela.errors import InputError

MAX_ID = 128
MAX_TEXT = 4_096
UNKNOWN_MINUTE = 65_535


class EventKind(StrEnum):
    """What happened."""

    MESSAGE = "message"
    CONTACT_REQUEST = "contact-request"
    CONTACT_ANSWER = "contact-answer"
    """`asked` says whether it was accepted; the sender is whoever answers."""
    BLOCK = "block"
    """The sender blocked or restricted the recipient."""
    REPORT = "report"
    """The sender reported the recipient."""
    PROFILE = "profile"
    """The sender's age band is told."""
    PAYMENT = "payment"
    """A gift or currency; `asked` where the sender demands it."""
    CALL = "call"
    MEDIA = "media"
    """A picture or video; `asked` where the sender asks for one."""

    @property
    def number(self) -> int:
        """As the ledger writes it."""
        return NUMBERS[self]


NUMBERS = {kind: number for number, kind in enumerate(EventKind, 1)}
CLEARED = 10
"""In the ledger: people decided that there was nothing to it."""
FORGOTTEN = 11
"""In the ledger: all that is known of the account goes."""
RESTORED = 12
"""In the ledger: that decision was taken back; what the account did follows once more, without ids."""
SOURCE = 13
"""In the ledger of a shard: where its source goes on, behind what was written with it."""
_ABOUT_RECIPIENTS = frozenset({EventKind.CONTACT_ANSWER, EventKind.BLOCK, EventKind.REPORT})


class AgeBand(IntEnum):
    """How old an account's holder is, in the bands that law and platforms use."""

    UNKNOWN = 0
    UNDER_13 = 1
    FROM_13 = 2
    """13 to 15."""
    FROM_16 = 3
    """16 and 17."""
    ADULT = 4

    @property
    def is_minor(self) -> bool:
        """Whether under 18."""
        return AgeBand.UNKNOWN < self < AgeBand.ADULT


class AgeSource(IntEnum):
    """How an age is known; reasons say it."""

    UNKNOWN = 0
    DECLARED = 1
    ESTIMATED = 2
    ASSURED = 3
    DISPUTED = 4


class ConversationStage(Enum):
    """What a message does in Luring Communication Theory's terms. They come in any order, or not at all."""

    TRUST = 1
    PROBING = 2
    ISOLATION = 3
    ELSEWHERE = 4
    OFFER = 5
    PICTURE = 6
    MEETING = 7
    THREAT = 8


@dataclass(frozen=True, slots=True)
class Event:
    """One event. Names of accounts, conversations and events are opaque: never a person's name or address."""

    id: str
    kind: EventKind
    at: float
    """Seconds since the epoch, UTC."""
    sender: str
    recipient: str = ""
    """Empty where it is to nobody in particular."""
    conversation: str = ""
    text: str = ""
    """Only where content may be scored; it is not kept."""
    asked: bool = False
    """Of an answer: accepted. Of media: asked for. Of a payment: demanded."""
    acquainted: bool = False
    """Whether the two have a mutual contact, or are family."""
    group: bool = False
    """Whether it was said to a group or in public."""
    moves: bool = False
    """Whether it carries a handle, link or contact card of another app, by what the platform itself can tell."""
    role: bool = False
    """Whether the sender has a role that the operator declared: teacher, coach, support."""
    minute: int = UNKNOWN_MINUTE
    """Of the day, at the recipient's place."""
    band: AgeBand = AgeBand.UNKNOWN
    known: AgeSource = AgeSource.UNKNOWN
    recipient_band: AgeBand = AgeBand.UNKNOWN
    recipient_known: AgeSource = AgeSource.UNKNOWN

    def __post_init__(self) -> None:
        if not self.id or not self.sender:
            raise InputError("an event needs an id and a sender")
        if len(self.id) > MAX_ID or len(self.sender) > MAX_ID or len(self.recipient) > MAX_ID:
            raise InputError("ids have at most {max_id} characters", max_id=MAX_ID)
        if len(self.conversation) > MAX_ID or len(self.text) > MAX_TEXT:
            raise InputError(
                "a conversation's id has at most {max_id} characters, a text {max_text:,}",
                max_id=MAX_ID,
                max_text=MAX_TEXT,
            )
        if not 0 <= self.at < 4_294_967_296:
            raise InputError("an event's time is in seconds since 1970")
        if self.sender == self.recipient:
            raise InputError("an event is between two accounts")

    @property
    def about(self) -> str:
        """The account that it counts for or against: of answers, blocks and reports the recipient."""
        return self.recipient if self.kind in _ABOUT_RECIPIENTS else self.sender
