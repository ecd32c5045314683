"""Sessions: short, kept on the server, known to the browser by a random token that changes every few minutes.

A token is made only when somebody has signed in, so a token that was planted before means nothing after.
"""

import hmac
import secrets
import uuid
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, insert, or_, select, update

from tutela.casework.audit.log import append, lock
from tutela.console.options import Lifetimes
from tutela.console.people import People, Person, digest
from tutela.errors import NotFoundError
from tutela.foundation.store.console_tables import console_session
from tutela.foundation.store.database import Store, now

_SECOND = 1_000_000
_GRACE_S = 20
"""A token that was just replaced still counts so long, for requests that were under way."""


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody who is signed in."""

    id: str
    person: Person
    csrf: str
    """What every form of this session carries."""
    token: str | None = None
    """A new token for the cookie; None while the old one stays."""

    def proves(self, csrf: str) -> bool:
        """Whether a form came from one of our pages."""
        return hmac.compare_digest(self.csrf.encode(), csrf.encode("utf-8", "replace"))


class Sessions:
    """The sessions of one store. Thread-safe."""

    def __init__(self, store: Store, people: People, lifetimes: Lifetimes | None = None) -> None:
        self._store = store
        self._people = people
        self.lifetimes = lifetimes or Lifetimes()

    def begin(self, person: Person, method: str) -> Session:
        """A new session, with its token. `method` is how the person signed in."""
        session_id, token, csrf, at = uuid.uuid4().hex, secrets.token_urlsafe(32), secrets.token_urlsafe(32), now()
        with self._store.write() as connection:
            lock(connection)
            connection.execute(
                insert(console_session).values(
                    id=session_id,
                    person_id=person.id,
                    token_sha256=digest(token),
                    csrf=csrf,
                    method=method,
                    created_at=at,
                    rotated_at=at,
                    seen_at=at,
                )
            )
            append(connection, person.actor, "console.sign-in", person.actor, {"method": method})
        return Session(session_id, person, csrf, token)

    def refuse(self, method: str) -> None:
        """Write down that somebody unknown was not let in; that is all that a failed sign-in leaves."""
        with self._store.write() as connection:
            append(connection, "nobody", "console.sign-in-failed", method)

    def find(self, token: str) -> Session | None:
        """The session that a cookie's token belongs to, while it lasts; its token is changed when it is due."""
        hashed, at = digest(token), now()
        with self._store.read() as connection:
            row = connection.execute(
                select(console_session).where(
                    or_(console_session.c.token_sha256 == hashed, console_session.c.previous_sha256 == hashed)
                )
            ).first()
        if row is None or not self._lasts(row, at):
            return None
        if bytes(row.token_sha256) != hashed and at - row.rotated_at > _GRACE_S * _SECOND:
            # Two browsers have had this session: one of them stole it, and nobody knows which.
            self.end(row.id)
            return None
        try:
            person = self._people.get(row.person_id)
        except NotFoundError:
            return None
        if person.disabled:
            return None
        return Session(row.id, person, row.csrf, self._touch(row, at, hashed))

    def sign_out(self, session: Session) -> None:
        """End a session because its person said so."""
        with self._store.write() as connection:
            lock(connection)
            ended = console_session.c.id == session.id
            connection.execute(update(console_session).where(ended).values(ended_at=now()))
            append(connection, session.person.actor, "console.sign-out", session.person.actor)

    def end(self, session_id: str) -> None:
        """End a session whose time is over."""
        with self._store.write() as connection:
            connection.execute(update(console_session).where(console_session.c.id == session_id).values(ended_at=now()))

    def _lasts(self, row: Row[Any], at: int) -> bool:
        if row.ended_at is not None:
            return False
        idle, age = int(at - row.seen_at), int(at - row.created_at)
        return idle <= self.lifetimes.idle_s * _SECOND and age <= self.lifetimes.absolute_s * _SECOND

    def _touch(self, row: Row[Any], at: int, hashed: bytes) -> str | None:
        """Note that the session is in use; a new token where one is due."""
        due = bytes(row.token_sha256) == hashed and at - row.rotated_at > self.lifetimes.rotate_s * _SECOND
        if not due and at - row.seen_at < 10 * _SECOND:
            return None
        token = secrets.token_urlsafe(32) if due else None
        changed: dict[str, Any] = {"seen_at": at}
        if token is not None:
            changed |= {"token_sha256": digest(token), "previous_sha256": hashed, "rotated_at": at}
        with self._store.write() as connection:
            # Of two requests at once, one changes the token; the other goes on with the old one for its grace.
            result = connection.execute(
                update(console_session)
                .where(console_session.c.id == row.id, console_session.c.token_sha256 == row.token_sha256)
                .values(**changed)
            )
        return token if result.rowcount == 1 else None
