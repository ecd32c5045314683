"""Events as they are sent: a JSON object each, whether it is a line of a request's body or a message of a broker."""

from enum import StrEnum
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from tutela.errors import InputError
from tutela.foundation.moments import EARLIEST, LATEST
from tutela.screening.conversations.events import (
    MAX_ID,
    MAX_TEXT,
    UNKNOWN_MINUTE,
    AgeBand,
    AgeSource,
    Event,
    EventKind,
)

Id = Annotated[str, Field(min_length=1, max_length=MAX_ID, pattern=r"^[^\x00-\x1f\x7f]+$")]


class Band(StrEnum):
    """Age bands as they are sent."""

    UNKNOWN = "unknown"
    UNDER_13 = "under-13"
    FROM_13 = "13-15"
    FROM_16 = "16-17"
    ADULT = "adult"


class Known(StrEnum):
    """How an age is known, as it is sent."""

    UNKNOWN = "unknown"
    DECLARED = "declared"
    ESTIMATED = "estimated"
    ASSURED = "assured"
    DISPUTED = "disputed"


_BANDS = {band: AgeBand[band.name] for band in Band}
_SOURCES = {known: AgeSource[known.name] for known in Known}


class EventIn(BaseModel):
    """One event, as it is sent."""

    # pydantic keeps what it parsed last of short texts, to share them; a text of a message must go.
    model_config = ConfigDict(extra="forbid", populate_by_name=True, cache_strings="keys")

    id: Id
    type: EventKind
    at: Annotated[AwareDatetime, Field(ge=EARLIEST, lt=LATEST)]
    sender: Id = Field(alias="from")
    recipient: Id | None = Field(default=None, alias="to")
    conversation: Id | None = None
    text: str = Field(default="", max_length=MAX_TEXT, description="Scored only where content may be; never kept.")
    asked: bool = Field(default=False, description="Of an answer: accepted. Of media: asked for. Of payment: demanded.")
    acquainted: bool = Field(default=False, description="They have a mutual contact, or are family.")
    group: bool = Field(default=False, description="Said to a group or in public.")
    moves: bool = Field(default=False, description="A handle, link or contact card of elsewhere is in it.")
    role: bool = Field(default=False, description="The sender has a declared role: teacher, coach, support.")
    minute: int = Field(default=UNKNOWN_MINUTE, ge=0, description="Minute of the day at the recipient's place.")
    from_age: Band = Band.UNKNOWN
    from_age_known: Known = Known.UNKNOWN
    to_age: Band = Band.UNKNOWN
    to_age_known: Known = Known.UNKNOWN

    def event(self) -> Event:
        """As the room has it. Raises InputError."""
        return Event(
            self.id, self.type, self.at.timestamp(), self.sender, self.recipient or "", self.conversation or "",
            self.text, self.asked, self.acquainted, self.group, self.moves, self.role,
            self.minute if self.minute < 1440 else UNKNOWN_MINUTE,
            _BANDS[self.from_age], _SOURCES[self.from_age_known], _BANDS[self.to_age], _SOURCES[self.to_age_known],
        )  # fmt: skip


_EVENT = TypeAdapter(EventIn)


class UnreadableEventError(InputError):
    """What was sent is no event; `at` says which part, and nothing of what is in it is repeated."""

    code = "unreadable-event"

    def __init__(self, at: str, what: str) -> None:
        super().__init__("{what}", what=what)
        self.at = at


def read_event(line: bytes) -> Event:
    """The event of a JSON object. Raises UnreadableEventError."""
    try:
        return _EVENT.validate_json(line).event()
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        raise UnreadableEventError("/".join(map(str, first["loc"])), first["msg"]) from None
    except UnreadableEventError:
        raise
    except InputError as error:
        raise UnreadableEventError("", str(error)) from None
