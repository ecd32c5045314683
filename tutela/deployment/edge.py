"""A network's edge, put together: the lists of pages and names, appeals and counts, without anything that screens
content.

Every door there (the stop page, the proxy's helper, ICAP for pages) asks one `Edge`. A thread keeps list changes
visible within a quarter of a second; the index is built by the service.
"""

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

from tutela.casework.appeals import Appeals
from tutela.content.signals.registry import signal_types
from tutela.deployment.casework import CaseworkOptions, open_casework
from tutela.errors import TutelaError
from tutela.foundation.background import BackgroundLoop
from tutela.foundation.home import database_url, prepare_home
from tutela.foundation.store.database import Changes, Store, now
from tutela.lists.banks.guard import ListingGuard
from tutela.lists.banks.model import BankUse, EntryState
from tutela.lists.banks.service import Banks
from tutela.lists.exchanges.hygiene import Flag, set_flags
from tutela.lists.index.service import Indexes
from tutela.screening.check.counts import CheckCounts, What
from tutela.screening.check.requests import DRY_RUN, RequestRuling, Requests, Ruled, Surge

log = logging.getLogger(__name__)

REFRESH_S = 0.25
_REFRESH_ALL_S = 10.0
_COUNTED_EVERY_S = 60.0
_SURGED = "asked for far more often than others of its list while it ran dry: it needs a second look"
_WHAT = {RequestRuling.REFUSE: What.REFUSED, RequestRuling.DRY: What.DRY, RequestRuling.GUARDED: What.GUARDED}


class Edge:
    """What every door at a network's edge asks. Thread-safe."""

    def __init__(
        self,
        store: Store,
        banks: Banks,
        indexes: Indexes,
        appeals: Appeals,
        *,
        dry_run: timedelta = DRY_RUN,
        clock: Callable[[], int] = now,
    ) -> None:
        self.store = store
        self.banks = banks
        self.appeals = appeals
        self.guard = ListingGuard(banks)
        self.counts = CheckCounts(store, clock)
        self._indexes = indexes
        self._requests = Requests(indexes, banks, self.guard, dry_run=dry_run, on_surge=self._mark)
        self._changes = Changes(store, at_least_every_s=_REFRESH_ALL_S)
        self._refreshing = threading.Lock()
        self._loops = [
            BackgroundLoop(
                self.counts.write, name="tutela-counts", every_s=lambda: _COUNTED_EVERY_S, failed="no counts"
            )
        ]

    def passes(self, url: str) -> bool:
        """As `Requests.passes`: at once, and counted nowhere. Raises NotReadyError."""
        return self._requests.passes(url)

    def rule(self, url: str, use: BankUse) -> Ruled:
        """What is done with a request, counted. Raises NotReadyError where lists cannot be searched, StoreError."""
        ruled = self._requests.rule(url, use)
        if ruled.ruling is not RequestRuling.PASS:
            self.counts.add(ruled.rule_set, _WHAT[ruled.ruling])
        return ruled

    def reference(self, ruled: Ruled) -> str:
        """The reference number that the stop page shows."""
        return self.appeals.references.of(ruled.entry_id) if ruled.entry_id is not None else ""

    @property
    def version(self) -> int:
        """Rises whenever lists of links or names change."""
        return sum(self._indexes.sequences.values()) + self.banks.known_version

    def refresh(self) -> None:
        """Make committed list changes visible now; waits for whoever is at it already. Raises StoreError."""
        with self._refreshing:
            if self._changes.any():
                try:
                    self.banks.refresh()
                    self._indexes.refresh()
                except BaseException:
                    self._changes.again()
                    raise

    def start(self, *, refreshes: bool) -> None:
        """Write counts in the background, and take list changes in where nobody else `refreshes`; until `stop`."""
        if refreshes:
            failed = "the lists could not be refreshed"
            self._loops.append(
                BackgroundLoop(self.refresh, name="tutela-refresh", every_s=lambda: REFRESH_S, failed=failed)
            )
        for loop in self._loops:
            loop.start()

    def stop(self) -> None:
        """End that; the hours that are over are written."""
        for loop in self._loops:
            loop.stop()
        with contextlib.suppress(TutelaError):
            self.counts.write()

    def _mark(self, surge: Surge) -> None:
        """Mark an entry for a person; in its dry run it is set aside, before it takes anything from anybody."""
        log.warning("entry %d is asked for far more often than others of its list", surge.entry_id)
        try:
            with self.store.write() as connection:
                set_flags(connection, {(surge.entry_id, Flag.SURGE): "asked for far more often than others"}, now())
            if surge.in_dry_run:
                self.banks.set_state(surge.entry_id, EntryState.DISABLED, reason=_SURGED, actor="edge")
        except TutelaError as error:
            log.error("entry %d could not be marked: %s", surge.entry_id, error)


@contextlib.contextmanager
def opened_edge(
    home: Path, database: str | None, casework: CaseworkOptions, dry_run: timedelta = DRY_RUN
) -> Iterator[Edge]:
    """An edge in a process of its own; closed at the end of the block. Raises InputError, StoreError."""
    prepare_home(home)
    store = Store.create(database_url(home, database))
    try:
        banks = Banks(store, home)
        links = {name: kind for name, kind in signal_types().items() if name in ("url", "url-tree", "domain")}
        indexes = Indexes(home / "index", links, banks, store.identity)
        appeals = open_casework(store, banks, home, casework).appeals
        edge = Edge(store, banks, indexes, appeals, dry_run=dry_run)
        edge.start(refreshes=True)
        try:
            yield edge
        finally:
            edge.stop()
    finally:
        store.close()
