"""Comparing an index with the lists that it was made from."""

from collections.abc import Iterator

from tutela.lists.index.feed import ChangeFeed
from tutela.lists.index.signal_index import SignalIndex

PAGE = 5_000


def differences(index: SignalIndex, feed: ChangeFeed) -> Iterator[str]:
    """What is wrong with an index, one line each: a fault, or values that are found or missing against the lists."""
    if index.fault is not None:
        yield index.fault
        return
    after = 0
    while page := feed.changes(index.signal_type.name, after, PAGE):
        after = page[-1].sequence
        for change, hits in zip(page, index.search_many([change.value for change in page], 0), strict=True):
            found = any(hit.key == change.key for hit in hits)
            if found and not change.active:
                yield f"value {change.key} is not listed and is found"
            if change.active and not found:
                yield f"value {change.key} is listed and is not found"
