"""What happens to reports automatically, in two kinds of processes: those that only watch, and the one with the key.

`ReportWatch` tells of clocks that run out; it needs no key, and every service runs it. `ReportWorker` files: it has the
review key and NCMEC's credentials, and runs apart from whatever takes uploads.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tutela.casework.reports.alarms import Alarm, alarms
from tutela.casework.reports.incident import EvidenceSource
from tutela.casework.reports.ledger import Ledger
from tutela.casework.reports.listeners import AT_MATCH, REJECTED
from tutela.casework.reports.model import FilingState
from tutela.casework.reports.notices import Notice, Notices
from tutela.foundation.background import BackgroundLoop
from tutela.foundation.outbox.mail import write_mail
from tutela.foundation.outbox.service import Delivery, Outbox
from tutela.foundation.outbox.webhooks import Webhooks
from tutela.foundation.outbox.worker import Dispatcher, Handler, Progress

if TYPE_CHECKING:
    from tutela.casework.reports.desk import Desk
    from tutela.casework.reports.filer import Filer

log = logging.getLogger(__name__)

ACTOR = "report-worker"
EVERY_S = 5.0
_HOUR = 3_600_000_000


@dataclass(frozen=True, slots=True)
class ReportWatch:
    """Tells the operator's people and the platform of reports and notices that cannot wait, every hour again."""

    ledger: Ledger
    notices: Notices
    webhooks: Webhooks = field(default_factory=Webhooks)
    mail: Sequence[str] = ()

    def run_due(self) -> None:
        """Tell what is to be told now. Any number of processes may; each thing is told once an hour."""
        hour = self.ledger.clock() // _HOUR
        for alarm in alarms(self.ledger):
            self._tell_of_report(alarm, hour)
        for notice in self.notices.escalate():
            self._tell_of_notice(notice)

    def _tell_of_report(self, alarm: Alarm, hour: int) -> None:
        key = f"report.alarm/{alarm.filing_id}/{alarm.kind}/{hour}"
        data = {
            "report": alarm.filing_id,
            "case": alarm.case_id,
            "kind": alarm.kind.value,
            "deadline": alarm.deadline.isoformat() if alarm.deadline else None,
        }
        with self.ledger.store.write() as connection:
            self.webhooks.announce(connection, "report.alarm", key, data)
            text = (
                f"Report {alarm.filing_id} ({alarm.kind}): {alarm.message}.\n\n`tutela report show {alarm.filing_id}`"
            )
            write_mail(connection, key, self.mail, f"Tutela: a report needs attention ({alarm.kind})", text + "\n")

    def _tell_of_notice(self, notice: Notice) -> None:
        text = (
            f"Notice {notice.reference} of {notice.authority} is due {notice.due_at:%Y-%m-%d %H:%M} UTC"
            f" and not answered.\n\n`tutela notice show {notice.id}`\n"
        )
        with self.ledger.store.write() as connection:
            key = f"notice.alarm/{notice.id}/{notice.alarms}"
            write_mail(connection, key, self.mail, "Tutela: a takedown notice is not answered", text)


class ReportWorker:
    """Files what is to be filed. Needs the review key; any number may run."""

    def __init__(
        self,
        desk: "Desk",
        evidence: EvidenceSource,
        filer: "Filer | None",
        outbox: Outbox,
        webhooks: Webhooks | None = None,
        *,
        every_s: float = EVERY_S,
    ) -> None:
        """`filer` is None where nothing is filed by itself, as without credentials."""
        self._desk = desk
        self._evidence = evidence
        self._filer = filer
        self._webhooks = webhooks or Webhooks()
        handlers: dict[str, Handler] = {AT_MATCH: self._file_at_match, REJECTED: self._take_back}
        self._dispatcher = Dispatcher(outbox, handlers)
        self._report: Callable[[int], None] = lambda _: None
        self._loop = BackgroundLoop(
            self._turn, name="tutela-reports", every_s=lambda: every_s, failed="reports could not be moved on"
        )

    def run_due(self) -> int:
        """Do what is due now, in this thread; how many things that was."""
        done = self._dispatcher.run_due()
        return done + (self._filer.run_due() if self._filer is not None else 0)

    def run(self, report: Callable[[int], None]) -> None:
        """Do what is due, again and again, in this thread, until `stop`; `report` is told how much it was."""
        self._report = report
        self._loop.run()

    def start(self) -> None:
        """Run in the background until `stop`."""
        self._loop.start()

    def stop(self) -> None:
        """End after the step that is under way."""
        self._loop.stop()

    def _turn(self) -> None:
        self._report(self.run_due())

    def _file_at_match(self, delivery: Delivery, progress: Progress) -> None:
        filing = self._desk.file_at_match(delivery.payload["item"], self._evidence, actor=ACTOR)
        if filing is None:
            log.info("item %s is decided or reported; nothing is filed at match time", delivery.payload["item"])

    def _take_back(self, delivery: Delivery, progress: Progress) -> None:
        filing = self._desk.take_back(delivery.payload["item"], actor=ACTOR)
        if filing is None or filing.state is not FilingState.FINISHED:
            return
        log.error("report %s was filed at match time and a person rejects the match: tell NCMEC", filing.id)
        data = {"report": filing.id, "case": filing.case_id, "number": filing.number}
        with self._desk.ledger.store.write() as connection:
            self._webhooks.announce(connection, "report.rejected-after-filing", f"rejected/{filing.id}", data)
