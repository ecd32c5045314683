"""What is done with reports by itself. Two kinds of processes do it: those that only watch, and the one with the key.

`Watch` tells of clocks that run out; it needs no key, and every service runs it. `ReportWorker` files: it has the
review key and NCMEC's credentials, and runs apart from whatever takes uploads.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tutela.casework.reports.alarms import Alarm, alarms
from tutela.casework.reports.incident import Evidence
from tutela.casework.reports.ledger import Ledger
from tutela.casework.reports.listeners import AT_MATCH, REJECTED
from tutela.casework.reports.model import State
from tutela.casework.reports.notices import Notice, Notices
from tutela.errors import TutelaError
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
class Watch:
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
        evidence: Evidence,
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
        self._every_s = every_s
        handlers: dict[str, Handler] = {AT_MATCH: self._file_at_match, REJECTED: self._take_back}
        self._dispatcher = Dispatcher(outbox, handlers)
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def run_due(self) -> int:
        """Do what is due now, in this thread; how many things that was."""
        done = self._dispatcher.run_due()
        return done + (self._filer.run_due() if self._filer is not None else 0)

    def run(self, report: Callable[[int], None] = lambda _: None) -> None:
        """Do what is due, again and again, until `stop`."""
        while not self._stopping.is_set():
            try:
                report(self.run_due())
            except TutelaError as error:
                log.error("reports could not be moved on: %s", error)
            except Exception:
                log.exception("reports could not be moved on")
            self._stopping.wait(self._every_s)

    def start(self) -> None:
        """Run in the background until `stop`."""
        if self._thread is None:
            self._thread = threading.Thread(target=self.run, name="tutela-reports", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End after the step that is under way."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _file_at_match(self, delivery: Delivery, progress: Progress) -> None:
        filing = self._desk.file_at_match(delivery.payload["item"], self._evidence, actor=ACTOR)
        if filing is None:
            log.info("item %s is decided or reported; nothing is filed at match time", delivery.payload["item"])

    def _take_back(self, delivery: Delivery, progress: Progress) -> None:
        filing = self._desk.take_back(delivery.payload["item"], actor=ACTOR)
        if filing is None or filing.state is not State.FINISHED:
            return
        log.error("report %s was filed at match time and a person rejects the match: tell NCMEC", filing.id)
        data = {"report": filing.id, "case": filing.case_id, "number": filing.number}
        with self._desk.ledger.store.write() as connection:
            self._webhooks.announce(connection, "report.rejected-after-filing", f"rejected/{filing.id}", data)
