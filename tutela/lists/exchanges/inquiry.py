"""Asking a list that is not given away, and keeping what it answered: known values are listed from then on."""

from collections.abc import Sequence

from sqlalchemy import update

from tutela.content.signals.registry import signal_type
from tutela.foundation.http import Patience
from tutela.foundation.store.database import now
from tutela.foundation.store.exchange_tables import exchange as table
from tutela.lists.exchanges.base import Finding, Listing
from tutela.lists.exchanges.page import Applier
from tutela.lists.exchanges.service import ExchangeRow, Exchanges

ASKS = "asks_about"
"""The option of a kind that the service may ask by itself."""
ALLOWED = "allowed"
"""Its value: pictures that screening allowed."""


def look_up(
    exchanges: Exchanges,
    name: str,
    values: Sequence[tuple[str, str]],
    *,
    actor: str,
    patience: Patience | None = None,
) -> list[Finding]:
    """What an exchange knows of (signal type, text) pairs; the entries that it names are listed in its bank.

    Raises InputError, HttpError, ExchangeError.
    """
    row = exchanges.get(name)
    asked = [(signal, signal_type(signal).format(signal_type(signal).parse(text))) for signal, text in values]
    connection = exchanges.open(row, patience)
    try:
        findings = connection.look_up(asked)
    finally:
        connection.close()
    list_known(exchanges, row, [listing for finding in findings for listing in finding.listings], actor=actor)
    return findings


def list_known(exchanges: Exchanges, row: ExchangeRow, listings: Sequence[Listing], *, actor: str) -> None:
    """List what an exchange named as known in its bank; what is listed already stays as it is."""
    if listings:
        applier = Applier(row, exchanges.banks.labels(), actor)
        with exchanges.store.write() as connection:
            applied = applier.apply(connection, listings, at=now(), generation=row.generation, whole=False)
            connection.execute(update(table).where(table.c.id == row.id).values(listed=table.c.listed + applied.growth))
