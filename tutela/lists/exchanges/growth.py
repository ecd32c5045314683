"""A guard of lists that a network's customers are blocked by: a pull that changes far more than lists do is not
believed.

In one pull at most a tenth of the list is new, and domains do not take the place of pages. What is more is applied
only when a person says so: `tutela exchange pull NAME --accept-growth`.
"""

from collections.abc import Sequence

from sqlalchemy import Connection, select

from tutela.content.links.link import DOMAIN, URL, URL_TREE
from tutela.errors import TutelaError
from tutela.foundation.store import tables
from tutela.foundation.store.entry_tables import entry_text
from tutela.lists.banks.model import CLEAR_USES, Bank, EntryState
from tutela.lists.exchanges.hygiene import NewValue

MAX_GROWTH = 0.1
"""A pull that lists more than this share of what the list had is taken for a broken one."""
GROWTH_ALWAYS = 100
"""But so many are always believed."""
MAX_WIDENED = 5
"""Domains whose pages the same list has: more in one pull, and the list has turned pages into domains."""


class GrownError(TutelaError):
    """A list grew, or widened, as none does: it is not believed until a person says so."""

    code = "grown"


class Growth:
    """Watches one pull of one list. Where its bank blocks nothing at a network's edge, everything is believed."""

    def __init__(self, name: str, bank: Bank, source: str, listed: int, *, accepted: bool) -> None:
        """`listed` is how many entries the list had; the first pull of a list is believed."""
        self._name = name
        self._bank = bank
        self._source = source
        self._most = max(GROWTH_ALWAYS, int(MAX_GROWTH * listed))
        self._watches = bool(CLEAR_USES & bank.uses) and listed > 0 and not accepted
        self._new = 0
        self._widened = 0

    def check(self, connection: Connection, growth: int, values: Sequence[NewValue]) -> None:
        """Take in what a page brought, in its transaction. Raises GrownError, which undoes the page."""
        if not self._watches:
            return
        self._new += max(0, growth)
        if self._new > self._most:
            raise GrownError(
                "the list has more than {most:,} new entries at once: the rest was not applied. If that "
                "is right: tutela exchange pull {name} --accept-growth",
                most=self._most,
                name=self._name,
            )
        self._widened += self._pages_of(connection, [item.entry_id for item in values if item.signal == DOMAIN])
        if self._widened > MAX_WIDENED:
            raise GrownError(
                "the list names {widened} domains of which it named pages until now: it was not applied. "
                "If that is right: tutela exchange pull {name} --accept-growth",
                widened=self._widened,
                name=self._name,
            )

    def _pages_of(self, connection: Connection, entry_ids: Sequence[int]) -> int:
        """How many of these domains have pages in the same list."""
        texts = select(entry_text.c.text).where(entry_text.c.entry_id.in_(entry_ids[:1_000]))
        hosts = list(connection.execute(texts).scalars()) if entry_ids else []
        entry, signal = tables.entry, tables.signal
        count = 0
        for host in hosts:
            pages = (
                select(entry.c.id)
                .join(entry_text, entry_text.c.entry_id == entry.c.id)
                .join(signal, signal.c.id == entry.c.signal_id)
                .where(entry.c.bank_id == self._bank.id, entry.c.source == self._source)
                .where(entry.c.state != EntryState.DISABLED.value, signal.c.type.in_((URL, URL_TREE)))
                .where(entry_text.c.text.startswith(f"{host}/", autoescape=True))
                .limit(1)
            )
            count += connection.execute(pages).first() is not None
        return count
