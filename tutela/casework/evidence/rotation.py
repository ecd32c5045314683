"""Changing the keys that evidence is sealed to: sealed files get new heads and keep their bodies."""

from sqlalchemy import and_, select, update

from tutela.casework.audit.log import append, lock
from tutela.casework.evidence.seal import Recipients, ReviewKey
from tutela.casework.evidence.vault import Vault
from tutela.foundation.store.evidence_tables import evidence as table


def rotate(vault: Vault, key: ReviewKey, recipients: Recipients, *, actor: str, batch: int = 100) -> int:
    """Seal every item's key to other recipients; how many. The sealed objects stay as they are.

    An interrupted rotation goes on where it was. Raises EvidenceError when the key does not open an item's key.
    """
    wanted, rotated, after = list(recipients.texts), 0, ""
    while True:
        kept = and_(table.c.wrapped_key.is_not(None), table.c.id > after)
        with vault.store.write() as connection:
            lock(connection)
            rows = connection.execute(select(table).where(kept).order_by(table.c.id).limit(batch)).all()
            changed = [row for row in rows if row.recipients != wanted]
            for row in changed:
                wrapped = key.rewrap(bytes(row.wrapped_key), recipients)
                changes = {"wrapped_key": wrapped, "recipients": wanted}
                connection.execute(update(table).where(table.c.id == row.id).values(changes))
            if changed:
                detail = {"recipients": wanted, "items": [row.id for row in changed]}
                append(connection, actor, "evidence.rewrapped", "evidence", detail)
        rotated += len(changed)
        if len(rows) < batch:
            return rotated
        after = rows[-1].id
