"""The journal: every verdict that matched or fell short, written down before it is answered."""

from typing import Any

from sqlalchemy import Connection, insert, select

from tutela.errors import NotFoundError
from tutela.foundation.store.database import Store, microseconds
from tutela.foundation.store.ids import full_id
from tutela.foundation.store.tables import verdict as verdicts
from tutela.screening.verdict import Verdict


def write_verdict(connection: Connection, verdict: Verdict) -> None:
    """Write a verdict in the caller's transaction."""
    document = verdict.document()
    document["context"] = {"item": verdict.context.item}
    connection.execute(
        insert(verdicts).values(
            id=verdict.id,
            at=microseconds(verdict.at),
            decision=verdict.decision.value,
            content_sha256=verdict.sha256,
            document=document,
        )
    )


class VerdictJournal:
    """Verdicts in the store. Of the context only the platform's item name is kept, never who uploaded it."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def record(self, verdict: Verdict) -> None:
        """Write the verdict; return only once it is durable. Raises StoreError when it cannot be."""
        with self._store.write() as connection:
            write_verdict(connection, verdict)

    def get(self, verdict_id: str) -> dict[str, Any]:
        """The document of one verdict. Raises NotFoundError."""
        with self._store.read() as connection:
            wanted = full_id(connection, verdicts.c.id, verdict_id)
            row = connection.execute(select(verdicts.c.document).where(verdicts.c.id == wanted)).first()
        if row is None:
            raise NotFoundError(
                "no verdict {verdict_id!r} was written down (only those that match or hold are)", verdict_id=verdict_id
            )
        return dict(row.document)
