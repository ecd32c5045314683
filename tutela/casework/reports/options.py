"""What an operator chooses for reports, and the rooms that this makes, with or without the review key."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tutela.casework.cases.service import Cases
from tutela.casework.evidence.seal import Recipients, ReviewKey
from tutela.casework.evidence.vault import Vault
from tutela.casework.reports.cybertipline.environment import Environment
from tutela.casework.reports.incident import Organisation
from tutela.casework.reports.intake import Intake
from tutela.casework.reports.ledger import Ledger
from tutela.casework.reports.listeners import FilingAtMatch, FilingsFollowed
from tutela.casework.reports.notices import Notices
from tutela.casework.reports.seal import AgeSealing
from tutela.casework.reports.worker import Watch
from tutela.foundation.outbox.webhooks import Endpoint
from tutela.foundation.store.database import Store

if TYPE_CHECKING:
    from tutela.casework.reports.cybertipline.client import CyberTipline
    from tutela.casework.reports.desk import Desk


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


@dataclass(frozen=True, slots=True)
class ReportRooms:
    """Reports, notices and intake of one deployment."""

    options: ReportOptions
    ledger: Ledger
    notices: Notices
    intake: Intake | None
    """None where nothing can be sealed."""
    watch: Watch

    def desk(self, cases: Cases) -> "Desk":
        """The desk, for a process with the review key."""
        from tutela.casework.reports.desk import Desk

        organisation = self.options.organisation or Organisation("")
        return Desk(self.ledger, cases, organisation, self.options.environment)


def open_report_rooms(
    store: Store,
    cases: Cases,
    vault: Vault | None,
    *,
    recipients: Sequence[str],
    options: ReportOptions,
    endpoints: Mapping[str, Endpoint],
    key: ReviewKey | None = None,
) -> ReportRooms:
    """The rooms that these options make; `key` where this process may open reports. Raises InputError."""
    sealing = AgeSealing(Recipients(recipients) if recipients else None, key)
    ledger = Ledger(store, sealing)
    ledger.listen(FilingsFollowed(cases))
    cases.listen(FilingAtMatch(options.at_match))
    notices = Notices(store, endpoints)
    intake = Intake(store, vault, cases) if vault is not None and recipients else None
    return ReportRooms(options, ledger, notices, intake, Watch(ledger, notices, endpoints, options.mail))
