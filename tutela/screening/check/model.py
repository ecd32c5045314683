"""What is asked of a check, and what it answers."""

from dataclasses import dataclass
from enum import StrEnum

from tutela.lists.banks.model import BankUse
from tutela.screening.verdict import Verdict


class Purpose(StrEnum):
    """What the text is for."""

    POST = "post"
    """Shown to many: a post, a profile, a comment."""
    CHAT = "chat"
    """Sent to a few."""
    SEARCH = "search"
    """Asked of a search engine: nothing is published, and who asks is offered help."""

    @property
    def use(self) -> BankUse:
        """The banks that count for it."""
        return BankUse.SEARCH if self is Purpose.SEARCH else BankUse.PLATFORM


@dataclass(frozen=True, slots=True)
class CheckQuestion:
    """A text and links that belong to it."""

    text: str = ""
    urls: tuple[str, ...] = ()
    purpose: Purpose = Purpose.POST

    def content(self) -> bytes:
        """What is sealed as evidence where it is held: the links a line each, then the text, in UTF-8."""
        return "\n".join((*self.urls, self.text)).encode("utf-8", "surrogatepass")


@dataclass(frozen=True, slots=True)
class CheckAnswer:
    """The verdict, and whether a search is to be answered with help in place of results."""

    verdict: Verdict
    deters: bool
