"""The names that the lists have for resolvers: those of every bank marked for DNS, following the change feed."""

from collections import Counter
from collections.abc import Mapping, Sequence

from tutela.content.links.link import DOMAIN
from tutela.gateways.dns.covering import CoveringNames
from tutela.lists.banks.guard import ListingGuard
from tutela.lists.banks.model import BankUse
from tutela.lists.banks.service import Banks

_PAGE = 20_000


class ListedNames:
    """Refreshed in one thread at a time."""

    def __init__(self, banks: Banks) -> None:
        self._banks = banks
        self._guard = ListingGuard(banks)
        self._sequence = -1
        self._version = -1
        self._texts: dict[int, str] = {}
        self._counts: Counter[str] = Counter()
        self.names = CoveringNames()

    def refresh(self) -> tuple[set[str], set[str]]:
        """The topmost names that are none any more, and the new ones, since the last time. Raises StoreError."""
        self._banks.refresh()
        version, head = self._banks.version(), self._banks.head(DOMAIN)
        if version != self._version or head < self._sequence:
            removed, added = self._all_anew()
        elif head != self._sequence:
            removed, added = self._by_the_feed()
        else:
            return set(), set()
        self._sequence, self._version = head, version
        return self.names.change(removed, added)

    def _all_anew(self) -> tuple[set[str], set[str]]:
        texts = self._listed(None)
        counts = Counter(texts.values())
        removed, added = self._counts.keys() - counts.keys(), counts.keys() - self._counts.keys()
        self._texts, self._counts = texts, counts
        return removed, added

    def _by_the_feed(self) -> tuple[set[str], set[str]]:
        pages: list[tuple[list[int], dict[int, str]]] = []
        after = self._sequence
        while page := self._banks.changes(DOMAIN, after, _PAGE):
            keys = [change.key for change in page]
            pages.append((keys, self._listed(keys)))
            after = page[-1].sequence
        removed: set[str] = set()
        added: set[str] = set()
        for keys, now in pages:
            self._follow(keys, now, removed, added)
        return removed - added, added - removed

    def _follow(self, keys: Sequence[int], now: Mapping[int, str], removed: set[str], added: set[str]) -> None:
        for key in keys:
            before, text = self._texts.pop(key, None), now.get(key)
            if text is not None:
                self._texts[key] = text
                self._counts[text] += 1
                if self._counts[text] == 1:
                    (removed.discard if text in removed else added.add)(text)
            if before is not None:
                self._counts[before] -= 1
                if not self._counts[before]:
                    del self._counts[before]
                    (added.discard if before in added else removed.add)(before)

    def _listed(self, signal_ids: Sequence[int] | None) -> dict[int, str]:
        """The name of each signal row, but for names that would take a shared host away."""
        found = self._banks.names_in_clear(DOMAIN, BankUse.DNS, signal_ids)
        return {signal_id: text for signal_id, entry_id, text in found if self._guard.admits(entry_id, text)}
