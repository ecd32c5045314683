"""Alarms by mail: the people the operator named are notified, repeatedly, of cases that stay undecided too long."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select

from tutela.casework.cases.model import CaseChange, Change
from tutela.foundation.outbox.mail import write_mail
from tutela.foundation.store.case_tables import case as cases
from tutela.foundation.store.database import moment


@dataclass(frozen=True, slots=True)
class AlarmMail:
    """Listens to cases and writes mail into the outbox. It names a case by its id and says nothing of its content."""

    to: Sequence[str]
    console: str = ""
    """The console's address, for a link."""

    def __call__(self, connection: Connection, change: CaseChange) -> None:
        """Write the mail of an alarm."""
        if change.change is not Change.ALARM:
            return
        row = connection.execute(select(cases).where(cases.c.id == change.case_id)).one()
        opened = moment(row.opened_at).isoformat(timespec="minutes")
        lines = [
            f"Case {row.id} has been undecided since {opened} UTC.",
            f"Queue: {row.queue}. Label: {row.label or 'none'}. Urgency: {row.urgency} of 100.",
            f"This is alarm {row.alarms}. It repeats until the case is decided.",
        ]
        if self.console:
            lines.append(f"{self.console.rstrip('/')}/cases/{row.id}")
        subject = f"Tutela: a case of urgency {row.urgency} waits since {opened}"
        write_mail(connection, f"alarm/{row.id}/{row.alarms}", self.to, subject, "\n".join(lines) + "\n")
