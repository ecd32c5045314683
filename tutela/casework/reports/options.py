"""What an operator chooses for reports."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tutela.casework.reports.cybertipline.environment import Environment
from tutela.errors import InputError
from tutela.foundation.options import Secret, require, require_rate

if TYPE_CHECKING:
    from tutela.casework.reports.cybertipline.client import CyberTipline


@dataclass(frozen=True, slots=True)
class Organisation:
    """Who reports: what the operator's settings say."""

    name: str
    """The company."""
    service: str | None = None
    """The name of the application, as its users know it."""
    contact_first_name: str | None = None
    """First name of the contact person for authorities."""
    contact_last_name: str | None = None
    """Their last name."""
    contact_email: str | None = None
    """Their e-mail address."""
    contact_phone: str | None = None
    """Their telephone number."""
    legal_url: str | None = None
    """Where law enforcement sends its requests."""
    terms_of_service: str | None = None
    """Where they can be read, or what they say."""
    country: str | None = None
    """Two-letter code."""

    def __post_init__(self) -> None:
        code = self.country or "AA"
        require(len(code) == 2 and code.isascii() and code.isupper(), "country", "must be two capital letters")


@dataclass(frozen=True, slots=True)
class ReportOptions:
    """Who reports, where, and what is filed automatically."""

    organisation: Organisation | None = None
    """Who reports, as authorities are told."""
    user: str | None = None
    """NCMEC's user name; without it nothing is filed with them."""
    password: Secret | None = None
    """NCMEC's password, as env:NAME or file:path."""
    environment: Environment = Environment.TEST
    """test, whose reports reach nobody, or production."""
    address: str | None = None
    """Address of the CyberTipline, instead of the environment's own."""
    xsd: Path | None = None
    """File of the CyberTipline schema; fetched from NCMEC without it."""
    at_match: frozenset[str] = frozenset()
    """Banks whose matches are reported before anyone has looked: none by default."""
    public_intake: bool = False
    """Whether anyone may report, with the form at /report."""
    intake_rate: str = "10/hour"
    """Reports that one address of the network may make."""
    mail: tuple[str, ...] = ()
    """Who gets mail about deadlines that are running out."""

    def __post_init__(self) -> None:
        require(self.organisation is None or bool(self.organisation.name), "organisation", "must have a name")
        require_rate(self.intake_rate, "intake_rate")
        require(
            (self.user is None) == (self.password is None),
            "user",
            "and password must be given both: NCMEC's credentials",
        )

    @property
    def files_with_ncmec(self) -> bool:
        """Whether there is what NCMEC gave out."""
        return self.user is not None

    def connect(self) -> "CyberTipline":
        """A connection to the CyberTipline; close it. Raises InputError where NCMEC's credentials are missing."""
        from tutela.casework.reports.cybertipline.client import CyberTipline

        if self.user is None or self.password is None:
            raise InputError("filing needs NCMEC's credentials: set user and password in [reports] of tutela.toml")
        return CyberTipline(self.user, self.password.reveal(), environment=self.environment, address=self.address)
