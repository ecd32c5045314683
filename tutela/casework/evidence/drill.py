"""The restore drill: whether a copy of a deployment would do if the deployment itself were lost."""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import select

from tutela.casework.audit.log import AuditLog
from tutela.casework.audit.verification import verify_log
from tutela.casework.evidence.reconciliation import reconcile
from tutela.casework.evidence.seal import ReviewKey
from tutela.casework.evidence.vault import EvidenceState, Vault, evidence_of
from tutela.errors import TutelaError
from tutela.foundation.store.evidence_tables import evidence as table

PURPOSE = "restore drill"


@dataclass(frozen=True, slots=True)
class Drill:
    """What a drill found."""

    rows: int
    """Of the audit log."""
    faults: tuple[str, ...]
    """Of the audit log."""
    missing: tuple[str, ...]
    """Evidence whose objects are not there."""
    opened: int
    unopened: tuple[str, ...]
    """Evidence that the review key did not open, each with the reason."""

    @property
    def sound(self) -> bool:
        """Whether the copy would do."""
        return not (self.faults or self.missing or self.unopened)

    def lines(self) -> Iterator[str]:
        """What was found, for people."""
        yield f"audit log: {self.rows:,} rows, {len(self.faults)} faults"
        yield from self.faults
        yield f"evidence: {len(self.missing)} items are missing"
        yield from self.missing
        yield f"review key: opened {self.opened:,} items, {len(self.unopened)} could not be opened"
        yield from self.unopened


def try_restored(vault: Vault, key: ReviewKey, *, sample: int, actor: str) -> Drill:
    """Verify a copy's log, look for all its evidence, and open its latest items."""
    log = verify_log(AuditLog(vault.store))
    missing = reconcile(vault, actor=actor).missing
    latest = select(table).where(table.c.state == EvidenceState.KEPT.value).order_by(table.c.created_at.desc())
    with vault.store.read() as connection:
        items = [evidence_of(row) for row in connection.execute(latest.limit(sample))]
    opened, unopened = 0, []
    for item in items:
        try:
            vault.context(item.id, key, actor=actor, purpose=PURPOSE)
            if item.content_object is not None:
                vault.content(item.id, key, actor=actor, purpose=PURPOSE)
            opened += 1
        except TutelaError as error:
            unopened.append(f"{item.id}: {error}")
    return Drill(log.rows, tuple(fault.what for fault in log.faults), missing, opened, tuple(unopened))
