"""What an operator chooses for reports."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tutela.casework.reports.cybertipline.environment import Environment
from tutela.casework.reports.incident import Organisation

if TYPE_CHECKING:
    from tutela.casework.reports.cybertipline.client import CyberTipline


@dataclass(frozen=True, slots=True)
class Credentials:
    """What NCMEC gave out."""

    user: str
    password: str = field(repr=False)
    environment: Environment = Environment.TEST
    address: str | None = None
    """Instead of the environment's own."""

    def connect(self) -> "CyberTipline":
        """A connection; close it. Raises InputError."""
        from tutela.casework.reports.cybertipline.client import CyberTipline

        return CyberTipline(self.user, self.password, environment=self.environment, address=self.address)


@dataclass(frozen=True, slots=True)
class ReportOptions:
    """Who reports, where, and what is filed by itself."""

    organisation: Organisation | None = None
    environment: Environment = Environment.TEST
    at_match: frozenset[str] = frozenset()
    """Banks whose matches are filed before anybody looked: none unless the operator says so."""
    public_intake: bool = False
    """Whether anybody may report, by the form at /report."""
    intake_rate: str = "10/hour"
    """Reports that one address of the network may make."""
    mail: tuple[str, ...] = ()
    """Who gets mail about clocks that run out."""
    credentials: Credentials | None = None
    """Without them nothing is filed with NCMEC."""
    xsd: Path | None = None
    """File of the CyberTipline schema that drafts are checked against before they are filed."""
