"""Pages, fetched by a thread while earlier ones are applied; those that came meanwhile are joined.

So a slow list is applied page by page as it comes, and a fast one in fewer, larger transactions.
"""

import queue
import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from tutela.lists.exchanges.base import Page

_WAITING = 6
"""Pages that are held in memory at most, beside those that are applied."""
_END = object()


@dataclass(frozen=True, slots=True)
class Batch:
    """Pages that follow each other, as one: its checkpoint is that of the last."""

    page: Page
    pages: int


@dataclass(frozen=True, slots=True)
class _Raised:
    error: BaseException


def read_ahead(pages: Iterator[Page], together: int) -> Generator[Batch, None, None]:
    """The same pages in their order, those that are there at once joined up to so many listings.

    What fetching raises is raised when all before it was given out.
    """
    with _fetched(pages) as places:
        item = places.get()
        while isinstance(item, Page):
            batch, size, following = [item], len(item.listings), None
            while size < together and not batch[-1].final:
                try:
                    following = places.get_nowait()
                except queue.Empty:
                    break
                # The beginning of a whole list is the beginning of a generation.
                if not isinstance(following, Page) or following.begins or size + len(following.listings) > together:
                    break
                batch.append(following)
                size, following = size + len(following.listings), None
            yield _joined(batch)
            item = places.get() if following is None else following
        if isinstance(item, _Raised):
            raise item.error


def _joined(batch: Sequence[Page]) -> Batch:
    first, last = batch[0], batch[-1]
    if len(batch) == 1:
        return Batch(first, 1)
    listings = [listing for page in batch for listing in page.listings]
    page = replace(
        last,
        listings=listings,
        begins=first.begins,
        rejected=sum(page.rejected for page in batch),
        unreadable=tuple(place for page in batch for place in page.unreadable),
    )
    return Batch(page, len(batch))


@contextmanager
def _fetched(pages: Iterator[Page]) -> Iterator["queue.Queue[object]"]:
    """Where a thread puts the pages, then the end or what was raised. It ends with the block."""
    places: queue.Queue[object] = queue.Queue(maxsize=_WAITING)
    stopping = threading.Event()

    def put(item: object) -> bool:
        while not stopping.is_set():
            try:
                places.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def fetch() -> None:
        try:
            for page in pages:
                if not put(page):
                    return
            put(_END)
        except BaseException as error:
            put(_Raised(error))

    thread = threading.Thread(target=fetch, name="tutela-pull", daemon=True)
    thread.start()
    try:
        yield places
    finally:
        stopping.set()
        thread.join()
