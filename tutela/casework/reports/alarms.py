"""What about reports cannot wait: clocks that run out, and reports that need a person.

NCMEC deletes a report that is not finished 24 hours after it was opened, or one hour after its last change, whichever
is later. The law wants a report as soon as reasonably possible; a filing that is not finished after a day is an alarm.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from tutela.casework.reports.ledger import Ledger
from tutela.casework.reports.model import AT_NCMEC, MOVING, Filing, FilingState
from tutela.foundation.store.database import moment

OPEN_FOR = timedelta(hours=24)
AFTER_LAST_CHANGE = timedelta(hours=1)
EARLY = timedelta(hours=6)
"""An open report is an alarm this long before NCMEC deletes it."""
OVERDUE = timedelta(hours=24)


class AlarmKind(StrEnum):
    """What an alarm is about."""

    NEEDS_A_PERSON = "needs-a-person"
    EXPIRES = "expires"
    OVERDUE = "overdue"


@dataclass(frozen=True, slots=True)
class Alarm:
    """One thing that somebody must look at now. It names a report, and nothing of what that says."""

    kind: AlarmKind
    filing_id: str
    case_id: str | None
    number: int | None
    message: str
    deadline: datetime | None


def deadline(filing: Filing) -> datetime | None:
    """When NCMEC deletes an open report; None where none is open."""
    stuck_open = filing.state is FilingState.ATTENTION and filing.stuck_in in AT_NCMEC
    if filing.opened_at is None or not (filing.state in AT_NCMEC or stuck_open):
        return None
    return max(filing.opened_at + OPEN_FOR, (filing.changed_at or filing.opened_at) + AFTER_LAST_CHANGE)


def alarms(ledger: Ledger) -> list[Alarm]:
    """Every alarm that holds now, the most pressing first."""
    at = moment(ledger.clock())
    found = [
        alarm
        for filing in ledger.all(states=(*MOVING, FilingState.ATTENTION), limit=10_000)
        if (alarm := _alarm(filing, at)) is not None
    ]
    return sorted(found, key=lambda alarm: (alarm.deadline is None, alarm.deadline or at, alarm.filing_id))


def _alarm(filing: Filing, at: datetime) -> Alarm | None:
    ends = deadline(filing)
    if filing.state is FilingState.ATTENTION:
        kind, message = AlarmKind.NEEDS_A_PERSON, str(filing.reason or "it stopped")
    elif ends is not None and at > ends - EARLY:
        left = max(timedelta(0), ends - at)
        kind, message = AlarmKind.EXPIRES, f"NCMEC deletes it in {left.total_seconds() / 3600:.1f} hours"
    elif at > filing.created_at + OVERDUE:
        kind, message = AlarmKind.OVERDUE, f"it is not filed since {filing.created_at:%Y-%m-%d %H:%M} UTC"
    else:
        return None
    return Alarm(kind, filing.id, filing.case_id, filing.number, message, ends)
