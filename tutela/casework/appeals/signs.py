"""What points to an error of an entry, from what the lists know already; nothing of who appeals counts."""

from collections.abc import Iterator

from sqlalchemy import select

from tutela.casework.appeals.model import Sign
from tutela.foundation.store.exchange_tables import entry_flag
from tutela.lists.banks.guard import ListingGuard
from tutela.lists.banks.model import BankKind, Entry, EntryState
from tutela.lists.banks.service import Banks
from tutela.lists.exchanges.hygiene import Flag

_OF_FLAG = {Flag.SURGE: Sign.SURGE, Flag.ALLOW_LIST: Sign.ALLOW_LIST}


class Signs:
    """Looks for signs of error."""

    def __init__(self, banks: Banks, guard: ListingGuard) -> None:
        self._banks = banks
        self._guard = guard

    def of(self, entry: Entry) -> frozenset[Sign]:
        """All that point to an error of an entry."""
        return frozenset(self._found(entry))

    def _found(self, entry: Entry) -> Iterator[Sign]:
        text = self._banks.text_in_clear(entry.id)
        if text is not None and not self._guard.admits(entry.id, host_of(text)):
            yield Sign.SHARED_HOST
        query = select(entry_flag.c.flag).where(entry_flag.c.entry_id == entry.id, entry_flag.c.cleared_at.is_(None))
        with self._banks.store.read() as connection:
            flags = set(connection.execute(query).scalars())
        for flag, sign in _OF_FLAG.items():
            if flag.value in flags:
                yield sign
        kinds = {bank.name: bank.kind for bank in self._banks.all()}
        for other in self._banks.find(entry.signal, entry.value):
            if other.id == entry.id:
                continue
            if kinds.get(other.bank) is BankKind.ALLOW:
                if other.state is EntryState.ACTIVE:
                    yield Sign.ALLOW_LIST
            elif other.state is not EntryState.ACTIVE:
                yield Sign.GIVEN_UP


def host_of(text: str) -> str:
    """The host of an entry's text: of a page, a folder or a domain."""
    return text.partition("/")[0]
