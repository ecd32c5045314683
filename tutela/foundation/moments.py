"""Moments that people and programs give: one form and one range at every door."""

from datetime import UTC, datetime

from tutela.errors import InputError

EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = datetime(2200, 1, 1, tzinfo=UTC)
"""What lies outside is a slip, and what is counted from it (a clock, an expiry) may be no date at all."""


def read_moment(text: str) -> datetime:
    """A day or a time in ISO 8601, in UTC where it names no zone. Raises InputError."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise InputError(
            "{text!r} is no time; write it as 2026-03-01 or 2026-03-01T12:00:00+00:00", text=text
        ) from None
    return in_range(found if found.tzinfo is not None else found.replace(tzinfo=UTC))


def in_range(moment: datetime) -> datetime:
    """The moment, which must name its zone. Raises InputError where it is before 1970 or after 2199."""
    if not EARLIEST <= moment < LATEST:
        raise InputError("{moment} is not between 1970 and 2199", moment=moment.isoformat())
    return moment
