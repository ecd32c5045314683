"""The guard of shared hosts: what blocks a network's customers from a host of many needs two curators.

In 2008 one listed page took an encyclopaedia from a country. Here such an entry counts for nothing at a resolver or
proxy until two people, each with a reason, confirmed it.
"""

import threading

from sqlalchemy import select

from tutela.foundation.store import tables
from tutela.lists.banks.service import CONFIRMED, Banks
from tutela.lists.banks.shared_hosts import SharedHosts, shared_hosts

CURATORS = 2


class ListingGuard:
    """Knows shared hosts, and who confirmed what. Thread-safe."""

    def __init__(self, banks: Banks, shared: SharedHosts | None = None) -> None:
        """`shared` is what is shipped and what the operator's home says, by default. Raises InputError."""
        self.shared = shared if shared is not None else shared_hosts(banks.home)
        self._banks = banks
        self._confirmed: dict[int, bool] = {}
        self._version = -1
        self._lock = threading.Lock()

    def admits(self, entry_id: int, host: str) -> bool:
        """Whether an entry may block this host. Raises StoreError."""
        return not self.shared.touched_by(host) or self._is_confirmed(entry_id)

    def _is_confirmed(self, entry_id: int) -> bool:
        version = self._banks.known_version
        with self._lock:
            if version != self._version:
                self._confirmed, self._version = {}, version
            known = self._confirmed.get(entry_id)
        if known is None:
            known = len(self.curators(entry_id)) >= CURATORS
            with self._lock:
                self._confirmed[entry_id] = known
        return known

    def curators(self, entry_id: int) -> frozenset[str]:
        """Who confirmed an entry."""
        event = tables.event
        query = select(event.c.actor).where(
            event.c.subject == "entry", event.c.subject_id == entry_id, event.c.action == CONFIRMED
        )
        with self._banks.store.read() as connection:
            return frozenset(connection.execute(query).scalars())
