"""API keys: made on the command line, shown once, kept only as a hash.

A key is 256 random bits, so a plain SHA-256 of it cannot be searched backwards; a slow password hash would only make
every request slow.
"""

import hashlib
import hmac
import secrets
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Row, Select, and_, insert, select, update

from tutela.casework.audit.log import append, lock
from tutela.errors import InputError, NotFoundError
from tutela.foundation.store.console_tables import person
from tutela.foundation.store.database import Store, microseconds, moment, now
from tutela.foundation.store.ids import full_id
from tutela.foundation.store.tables import api_key

_PREFIX = "tutela"
_CACHE_S = 0.9
"""A key that is revoked stops working within this time."""


class Scope(StrEnum):
    """What a key may do."""

    SCREEN = "screen"
    """Screen, look up, list signal types and labels."""
    CURATE = "curate"
    """Read and change banks and entries, import and export, read recorded verdicts."""
    FOLLOW = "follow"
    """Read the feeds that it was admitted to."""
    REVIEW = "review"
    """List, claim and decide cases."""
    LEAD = "lead"
    """Decide what was escalated, reopen cases."""
    RISK = "risk"
    """Read what is known of an account's contacts and conversations."""
    REPORT = "report"
    """See the state of reports, retract or resume them, register and answer takedown notices, read transparency
    figures."""
    FLAG = "flag"
    """Report as a trusted flagger, identified by the key's name."""
    ADMIN = "admin"
    """Exchanges and feeds, and everything that the other scopes allow."""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What is known of a key; not its secret."""

    id: str
    name: str
    scopes: frozenset[Scope]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    person_id: str | None = None
    """The person of the console whose key it is; None for a program's."""

    @property
    def actor(self) -> str:
        """Who acts with it, in histories and second reviews: its person, by whatever key or page they come."""
        return f"key:{self.id}" if self.person_id is None else f"person:{self.person_id}"

    def may(self, scope: Scope) -> bool:
        """Whether the key has that scope."""
        return scope in self.scopes or Scope.ADMIN in self.scopes


class Keys:
    """The API keys of one store. Thread-safe."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._known: dict[bytes, tuple[float, ApiKey]] = {}
        self._used: dict[str, int] = {}
        self._lock = threading.Lock()

    def create(
        self,
        name: str,
        scopes: Iterable[str],
        *,
        by: str,
        expires_at: datetime | None = None,
        person_id: str | None = None,
    ) -> tuple[ApiKey, str]:
        """A new key and its text, which cannot be had again; `person_id` makes it a person's. Raises InputError.

        `by` made it, as the audit log has it.
        """
        try:
            wanted = sorted({Scope(scope) for scope in scopes})
        except ValueError:
            raise InputError("scopes are {scope}", scope=", ".join(Scope)) from None
        if not wanted or not 0 < len(name) <= 128 or not name.isprintable():
            raise InputError("a key needs a printable name of at most 128 characters and at least one scope")
        key_id, secret = secrets.token_hex(8), secrets.token_urlsafe(32)
        text = f"{_PREFIX}_{key_id}_{secret}"
        detail = {"scopes": [scope.value for scope in wanted]} | ({"person": person_id} if person_id else {})
        with self.store.write() as connection:
            lock(connection)
            connection.execute(
                insert(api_key).values(
                    id=key_id,
                    name=name,
                    secret_sha256=_digest(text),
                    scopes=[scope.value for scope in wanted],
                    person_id=person_id,
                    created_at=now(),
                    expires_at=microseconds(expires_at) if expires_at else None,
                )
            )
            append(connection, by, "key.created", f"key:{key_id}", detail)
        return self.get(key_id), text

    def get(self, key_id: str) -> ApiKey:
        """The key of that id. Raises NotFoundError."""
        with self.store.read() as connection:
            key_id = full_id(connection, api_key.c.id, key_id)
            row = connection.execute(select(api_key).where(api_key.c.id == key_id)).first()
        if row is None:
            raise NotFoundError("there is no API key {key_id!r}", key_id=key_id)
        return _key(row)

    def all(self) -> Sequence[ApiKey]:
        """Every key, oldest first."""
        with self.store.read() as connection:
            return [_key(row) for row in connection.execute(select(api_key).order_by(api_key.c.created_at))]

    def revoke(self, key_id: str, *, by: str) -> ApiKey:
        """Make a key useless within a second, in every process; nothing where it is already. Raises NotFoundError."""
        key_id = self.get(key_id).id
        with self.store.write() as connection:
            lock(connection)
            counts = (api_key.c.id == key_id, api_key.c.revoked_at.is_(None))
            if connection.execute(update(api_key).where(*counts).values(revoked_at=now())).rowcount:
                append(connection, by, "key.revoked", f"key:{key_id}")
        return self.get(key_id)

    def verify(self, text: str) -> ApiKey | None:
        """The key whose text this is, if it counts now. Raises StoreError."""
        key = self._look_up(text)
        if key is not None:
            with self._lock:
                self._known[_digest(text)] = (time.monotonic(), key)
                self._used[key.id] = now()
        return key

    def cached(self, text: str) -> ApiKey | None:
        """The key whose text this is, if it was verified a moment ago."""
        with self._lock:
            found = self._known.get(_digest(text))
        return found[1] if found is not None and time.monotonic() - found[0] < _CACHE_S else None

    def write_used(self) -> None:
        """Write down when keys were last used; done from time to time, not on every request. Raises StoreError."""
        with self._lock:
            used, self._used = self._used, {}
        if used:
            with self.store.write() as connection:
                for key_id, at in used.items():
                    connection.execute(update(api_key).where(api_key.c.id == key_id).values(last_used_at=at))

    def _look_up(self, text: str) -> ApiKey | None:
        parts = text.split("_", 2)
        if len(parts) != 3 or parts[0] != _PREFIX or len(parts[1]) != 16:
            return None
        with self.store.read() as connection:
            row = connection.execute(_with_persons().where(api_key.c.id == parts[1])).first()
        at = now()
        if row is None or not hmac.compare_digest(bytes(row.secret_sha256), _digest(text)):
            return None
        if row.revoked_at is not None or (row.expires_at is not None and row.expires_at <= at):
            return None
        if row.person_id is not None and not row.person_counts:
            return None
        return _key(row)


def _with_persons() -> Select[Any]:
    """Keys, and whether the person of each is there and not disabled."""
    counts = and_(person.c.id.is_not(None), person.c.disabled_at.is_(None))
    return select(api_key, counts.label("person_counts")).outerjoin(person, person.c.id == api_key.c.person_id)


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "replace")).digest()


def _key(row: Row[Any]) -> ApiKey:
    return ApiKey(
        id=row.id,
        name=row.name,
        scopes=frozenset(Scope(scope) for scope in row.scopes),
        created_at=moment(row.created_at),
        expires_at=moment(row.expires_at) if row.expires_at is not None else None,
        revoked_at=moment(row.revoked_at) if row.revoked_at is not None else None,
        last_used_at=moment(row.last_used_at) if row.last_used_at is not None else None,
        person_id=row.person_id,
    )
