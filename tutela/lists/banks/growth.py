"""A guard of lists that a network's customers are blocked by: a list that changes far more than lists do is not
believed.

At once at most a tenth of the list is new, and domains do not take the place of pages. What is more is applied only
when a person says so, with `--accept-growth`.
"""

from collections.abc import Sequence

from sqlalchemy import Connection, select

from tutela.content.links.link import URL, URL_TREE
from tutela.errors import ConflictError
from tutela.foundation.store import tables
from tutela.foundation.store.bulk import select_in
from tutela.foundation.store.entry_tables import entry_text
from tutela.lists.banks.model import CLEAR_USES, Bank, EntryState

MAX_GROWTH = 0.1
"""A list that names more than this share of what it had is taken for a broken one."""
GROWTH_ALWAYS = 100
"""But so many are always believed."""
MAX_WIDENED = 5
"""Domains whose pages the same list has: more at once, and the list has turned pages into domains."""


class GrownError(ConflictError):
    """A list grew, or widened, as none does: it is not believed until a person says so."""

    code = "grown"


class Growth:
    """Watches one pull or import of one list. Where its bank blocks nothing at a network's edge, everything is
    believed, and so is the first list of all."""

    def __init__(
        self, bank: Bank, listed: int, *, accepted: bool, remedy: str, source: str | None = None, new: int = 0
    ) -> None:
        """`listed` is how many entries the list had: those of one source, or of the whole bank; `new`, how many more it
        has got since. `remedy` is the command that applies it anyway."""
        self._bank = bank
        self._source = source
        self._remedy = remedy
        self._most = max(GROWTH_ALWAYS, int(MAX_GROWTH * listed))
        self.watches = bool(CLEAR_USES & bank.uses) and listed > 0 and not accepted
        """Whether anything is checked at all."""
        self._new = new
        self._widened = 0

    def check(self, connection: Connection, growth: int, domains: Sequence[int]) -> None:
        """Take in how many entries a part of the list brought, and which new ones are domains, in its transaction.
        Raises GrownError, which undoes that part."""
        if not self.watches:
            return
        self._new += max(0, growth)
        if self._new > self._most:
            raise GrownError(
                "the list has more than {most:,} new entries at once: the rest was not applied. If that "
                "is right: {remedy}",
                most=self._most,
                remedy=self._remedy,
            )
        self._widened += self._pages_of(connection, domains)
        if self._widened > MAX_WIDENED:
            raise GrownError(
                "the list names {widened} domains of which it named pages until now: it was not applied. "
                "If that is right: {remedy}",
                widened=self._widened,
                remedy=self._remedy,
            )

    def _pages_of(self, connection: Connection, entry_ids: Sequence[int]) -> int:
        """How many of these domains have pages in the same list."""
        entry, signal = tables.entry, tables.signal
        same = [entry.c.bank_id == self._bank.id] + ([entry.c.source == self._source] if self._source else [])
        count = 0
        for (host,) in select_in(connection, (entry_text.c.text,), entry_text.c.entry_id, entry_ids):
            pages = (
                select(entry.c.id)
                .join(entry_text, entry_text.c.entry_id == entry.c.id)
                .join(signal, signal.c.id == entry.c.signal_id)
                .where(*same, entry.c.state != EntryState.DISABLED.value, signal.c.type.in_((URL, URL_TREE)))
                .where(entry_text.c.text.startswith(f"{host}/", autoescape=True))
                .limit(1)
            )
            count += connection.execute(pages).first() is not None
        return count
