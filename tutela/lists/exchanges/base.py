"""What an exchange is: an outside hash list that is pulled from a checkpoint, and that may take something back.

A new exchange is one file with one class that keeps this protocol, one `ExchangeKind` that describes it, and one entry
point in the group `tutela.exchanges`. An exchange only talks: what it yields is applied by
`tutela.lists.exchanges.puller`.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from tutela.errors import InputError, TutelaError
from tutela.foundation.http import Http

MAX_MOMENT_S = 253_402_300_799
"""The last second of the year 9999: no record was made later."""


class ExchangeError(TutelaError):
    """The other side did not keep to its own form: nothing of the page was applied."""

    code = "exchange"


class MalformedError(ExchangeError):
    """One record is not of the list's form: it is left out and counted, and the rest of the page is applied."""

    code = "malformed"


class RestartError(ExchangeError):
    """The place that a checkpoint names is no longer known over there: the pull begins anew from an earlier one."""

    code = "restart"

    def __init__(self, sentence: str, /, checkpoint: str | None, **values: object) -> None:
        super().__init__(sentence, **values)
        self.checkpoint = checkpoint
        """Where to begin; None for the very beginning."""


@dataclass(frozen=True, slots=True)
class Listing:
    """What an outside list says of one of its entries now. It replaces whatever the list said of it before."""

    owner: str
    """The list's own name of who listed it, "" where the list has no members."""
    id: str
    """The list's own name of the entry among its owner's."""
    at: int = 0
    """Seconds since the epoch by the list's clock; 0 where it does not say. An older word never replaces a newer."""
    withdrawn: bool = False
    media: str = ""
    """image, video, or what else the list says."""
    labels: tuple[str, ...] = ()
    """Classifications, the one that counts first. What no scheme of the installation knows goes into the note."""
    fingerprints: tuple[tuple[str, str], ...] = ()
    """(type, text). The type is a signal type's name, or the list's own word for one that is not known here."""
    note: str = ""
    upvotes: int = 0
    downvotes: int = 0

    def __post_init__(self) -> None:
        """Raise MalformedError for a time that no database holds."""
        if not 0 <= self.at <= MAX_MOMENT_S:
            raise MalformedError("its time is no time")

    @property
    def key(self) -> str:
        """The entry's identity among all of the exchange; its entries in the bank carry it as their reference."""
        return f"{self.owner}/{self.id}" if self.owner else self.id


@dataclass(frozen=True, slots=True)
class Page:
    """A piece of a pull: applied whole, in one transaction with its checkpoint."""

    listings: Sequence[Listing]
    checkpoint: str
    """Where a pull may go on once this page is applied. Only its exchange reads it."""
    final: bool
    """Whether everything up to now has been read."""
    begins: bool = False
    """Whether this is the first page of a list that is read whole, from its start."""
    rejected: int = 0
    """Records of it that could not be read and were left out."""
    unreadable: tuple[str, ...] = ()
    """Of the first of those: page, record and why, for a person."""


class Opinion(StrEnum):
    """What reviewers found of content that matched an entry."""

    CONFIRMED = "confirmed"
    REJECTED = "rejected"
    SEEN = "seen"
    """It matched and has not been decided."""


@dataclass(frozen=True, slots=True)
class Feedback:
    """One opinion on one entry, for whoever listed it."""

    key: str
    """As `Listing.key`."""
    signal: str
    """The signal type that matched."""
    value: str
    """The listed value as text."""
    opinion: Opinion
    reason: str = ""
    """Why it was rejected, in the words of the exchange's own list of reasons where it has one."""


@dataclass(frozen=True, slots=True)
class Share:
    """A confirmed entry of ours, for the others."""

    id: str
    """Our own lasting name of it: sharing it twice is sharing it once."""
    media: str
    label: str | None
    fingerprints: tuple[tuple[str, str], ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Option:
    """A setting of an exchange."""

    name: str
    meaning: str
    required: bool = False
    secret: bool = False
    """Whether only a reference to it is kept: env:NAME or file:/path."""
    choices: tuple[str, ...] = ()
    default: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a look-up exchange knows of one asked value."""

    signal: str
    value: str
    label: str
    listings: tuple[Listing, ...]
    """The entries that it names as known."""


class Exchange(ABC):
    """An open connection to one outside list. Used by one thread at a time; close it."""

    def __init__(self, http: Http) -> None:
        self.http = http

    @abstractmethod
    def test(self) -> str:
        """Who we are over there, in a line. Raises HttpError, ExchangeError."""

    @abstractmethod
    def pull(self, checkpoint: str | None) -> Iterator[Page]:
        """The pages since a checkpoint, from the very beginning without one. The last one is final.

        A checkpoint is given only with what it proves: all before it was in this page or earlier ones.
        Raises HttpError, ExchangeError, RestartError.
        """

    def give_feedback(self, feedback: Feedback) -> None:
        """Hand in an opinion; handing it in again changes nothing. Raises HttpError, InputError."""
        raise InputError("this exchange takes no feedback")

    def share(self, share: Share) -> None:
        """Hand in an entry of ours; handing it in again changes nothing. Raises HttpError, InputError."""
        raise InputError("this exchange takes no entries")

    def look_up(self, values: Sequence[tuple[str, str]]) -> list[Finding]:
        """What the other side knows of (signal type, value) pairs. Only hashes are sent. Raises HttpError."""
        raise InputError("this exchange cannot be asked about single values")

    def close(self) -> None:
        """Let go of connections."""
        self.http.close()


@dataclass(frozen=True, slots=True)
class ExchangeKind:
    """A sort of exchange: what an entry point of the group `tutela.exchanges` names."""

    name: str
    summary: str
    options: tuple[Option, ...]
    open: Callable[[Mapping[str, str], Http], Exchange] = field(repr=False)
    """Makes the connection from complete options, secrets in clear. Raises InputError for a wrong option."""
    whole: bool = False
    """Whether every pull brings the whole list, so that what is missing from it was withdrawn."""
    max_age_s: int | None = None
    """How old a checkpoint may be before the other side forgets withdrawals, so that all must be pulled anew."""
