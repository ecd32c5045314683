"""Which items show nearly the same picture: by equal digest, or by PDQ within its threshold.

Every process keeps the hashes of all items in memory, 32 bytes each, and reads what came since before it searches.
"""

import threading
import uuid
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, Row, select

from tutela.foundation.store.case_tables import case_item

DISTANCE = 31
"""As far apart as PDQ hashes of one picture are taken to be."""
_WORDS = 4
_BATCH = 50_000


class Similarity:
    """The pictures of all items. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._transaction: object = None
        self._read = 0
        self._hashes: npt.NDArray[np.uint64] = np.empty((0, _WORDS), np.uint64)
        self._names: list[str] = []

    def name(self, connection: Connection, sha256: str | None, pdq: bytes | None) -> str:
        """The name of the pictures that this one is like, or a fresh name when there are none.

        Called before each item is added, while no other process can add one, so that two like ones never get two
        names.
        """
        if sha256 is not None:
            query = select(case_item.c.similar).where(case_item.c.sha256 == sha256).limit(1)
            found = connection.execute(query).scalar_one_or_none()
            if found is not None:
                return str(found)
        if pdq is not None:
            with self._lock:
                nearest = self._nearest(connection, np.frombuffer(pdq, np.uint64))
            if nearest is not None:
                return nearest
        return uuid.uuid4().hex

    def _nearest(self, connection: Connection, pdq: npt.NDArray[np.uint64]) -> str | None:
        rows = self._rows_since(connection)
        if connection.get_transaction() is not self._transaction:
            # The first look of a transaction sees only what is committed; what it adds itself may yet be undone.
            self._remember(rows)
            self._transaction, rows = connection.get_transaction(), ()
        own = np.array([np.frombuffer(bytes(row.pdq), np.uint64) for row in rows], np.uint64).reshape(-1, _WORDS)
        hashes = np.concatenate([self._hashes[: len(self._names)], own])
        if not len(hashes):
            return None
        distances = _ones(hashes ^ pdq)
        nearest = int(distances.argmin())
        if distances[nearest] > DISTANCE:
            return None
        known = len(self._names)
        return self._names[nearest] if nearest < known else str(rows[nearest - known].similar)

    def _rows_since(self, connection: Connection) -> Sequence[Row[int, bytes, str]]:
        columns = (case_item.c.id, case_item.c.pdq, case_item.c.similar)
        query = select(*columns).where(case_item.c.id > self._read, case_item.c.pdq.is_not(None))
        return connection.execute(query.order_by(case_item.c.id)).all()

    def _remember(self, rows: Sequence[Row[int, bytes, str]]) -> None:
        for row in rows:
            if len(self._names) == len(self._hashes):
                room = np.empty((max(1024, 2 * len(self._names)), _WORDS), np.uint64)
                room[: len(self._names)] = self._hashes
                self._hashes = room
            self._hashes[len(self._names)] = np.frombuffer(bytes(row.pdq), np.uint64)
            self._names.append(row.similar)
            self._read = row.id


def items_near(connection: Connection, pdq: bytes, limit: int) -> list[tuple[int, int]]:
    """The ids of the items whose pictures are nearly this one, with their distances, the nearest first.

    Reads the hashes of all items: for rare questions.
    """
    wanted = np.frombuffer(pdq, np.uint64)
    found: list[tuple[int, int]] = []
    query = select(case_item.c.id, case_item.c.pdq).where(case_item.c.pdq.is_not(None))
    for rows in connection.execution_options(yield_per=_BATCH).execute(query).partitions():
        hashes = np.frombuffer(b"".join(bytes(row.pdq) for row in rows), np.uint64).reshape(-1, _WORDS)
        distances = _ones(hashes ^ wanted)
        found += [(int(distances[place]), rows[place].id) for place in np.flatnonzero(distances <= DISTANCE).tolist()]
    return [(item_id, distance) for distance, item_id in sorted(found)[:limit]]


_ONES = np.array([bin(byte).count("1") for byte in range(256)], np.uint8)


def _ones(words: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
    """How many bits of each row are set."""
    octets = np.ascontiguousarray(words).view(np.uint8).reshape(len(words), -1)
    counted: npt.NDArray[np.int64] = _ONES[octets].sum(axis=1, dtype=np.int64)
    return counted
