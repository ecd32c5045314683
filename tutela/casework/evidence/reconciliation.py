"""Comparing what the database says of evidence with what lies in the store, after a kill or a restored backup."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select

from tutela.casework.audit.log import append
from tutela.casework.evidence.retention import Retention
from tutela.casework.evidence.vault import EvidenceState, Vault, evidence_of
from tutela.foundation.store.database import microseconds, now
from tutela.foundation.store.evidence_tables import evidence as table

RECENT = timedelta(hours=1)
"""Younger objects may belong to a transaction that is under way."""


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """What comparing the database with the stored objects found."""

    orphans: tuple[str, ...]
    """Objects that no row knows: of an upload that was never answered, or of a database that is not the latest."""
    missing: tuple[str, ...]
    """Ids of evidence whose objects are not there: a fault that a person must look into."""
    finished: tuple[str, ...]
    """Ids of shredded evidence whose objects were removed now."""


def reconcile(vault: Vault, *, actor: str, recent: timedelta = RECENT) -> Reconciliation:
    """Compare the database with the stored objects, and finish what a kill interrupted. Raises EvidenceError.

    Orphans are named and left: after an old database was restored they may be evidence.
    """
    young = now() - int(recent.total_seconds() * 1e6)
    stored = {item.sha256: item for item in vault.objects.all()}
    with vault.store.read() as connection:
        rows = [evidence_of(row) for row in connection.execute(select(table))]
    known = {name for item in rows for name in item.objects}
    orphans = tuple(
        sorted(name for name, item in stored.items() if name not in known and microseconds(item.changed_at) <= young)
    )
    missing = tuple(
        item.id
        for item in rows
        if item.state is EvidenceState.KEPT
        and not all(name in stored or vault.objects.has(name) for name in item.objects)
    )
    finished = tuple(item.id for item in rows if item.state is EvidenceState.SHREDDED)
    for item in rows:
        if item.state is EvidenceState.SHREDDED:
            Retention(vault).remove_objects(item, actor=actor)
    if missing or finished:
        detail = {"missing": list(missing[:500]), "finished": list(finished[:500])}
        with vault.store.write() as connection:
            append(connection, actor, "evidence.reconciled", "evidence", detail)
    return Reconciliation(orphans, missing, finished)


def remove_orphans(vault: Vault, names: Sequence[str], *, actor: str) -> None:
    """Remove objects that no row knows. Nobody can open them: their keys were never written down, or are lost."""
    for begin in range(0, len(names), 500):
        part = list(names[begin : begin + 500])
        with vault.store.write() as connection:
            append(connection, actor, "evidence.orphans-removed", "evidence", {"objects": part})
        for name in part:
            vault.objects.delete(name)
