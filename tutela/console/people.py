"""The people of the console: invited by an admin, with roles, preferences and passkeys.

An invitation is a link that works once and for a short time. The first admin's is made on the command line.
"""

import hashlib
import secrets
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update

from tutela.casework.audit.log import append, lock
from tutela.console.roles import Permission, Role, permissions, read_roles
from tutela.errors import ConflictError, InputError, NotFoundError
from tutela.foundation.store.console_tables import console_session, invitation, passkey, person
from tutela.foundation.store.database import Store, moment, now

INVITATION_LASTS = timedelta(hours=24)


class Theme(StrEnum):
    """Colours of the pages."""

    SYSTEM = "system"
    LIGHT = "light"
    DARK = "dark"


@dataclass(frozen=True, slots=True)
class Preferences:
    """How a person likes the console."""

    theme: Theme = Theme.SYSTEM
    shortcuts: bool = True
    """Single-letter shortcuts (WCAG 2.1.4 asks that they can be switched off)."""
    press_to_reveal: bool = False
    """A press uncovers for a few seconds, for hands that cannot hold a key down."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who may sign in."""

    id: str
    name: str
    roles: frozenset[Role]
    preferences: Preferences
    created_at: datetime
    disabled: bool
    passkeys: int = 0
    by_oidc: bool = False

    @property
    def actor(self) -> str:
        """The name in histories and the audit log."""
        return f"person:{self.id}"

    def may(self, permission: Permission) -> bool:
        """Whether one of the person's roles permits it."""
        return permission in permissions(self.roles)


class People:
    """The people of one store. Thread-safe."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def add(self, name: str, roles: Iterable[str], *, by: str) -> Person:
        """A new person, who cannot sign in before an invitation was used. Raises InputError."""
        person_id, wanted = uuid.uuid4().hex, read_roles(roles)
        with self._store.write() as connection:
            lock(connection)
            _insert(connection, person_id, _checked(name), wanted, by)
            append(connection, by, "console.person-added", f"person:{person_id}", {"roles": _listed(wanted)})
        return self.get(person_id)

    def invite(self, person_id: str, *, by: str) -> str:
        """The token of a new invitation; earlier ones of the person stop working. Raises NotFoundError."""
        self.get(person_id)
        token, at = secrets.token_urlsafe(32), now()
        with self._store.write() as connection:
            lock(connection)
            append(connection, by, "console.invited", f"person:{person_id}")
            connection.execute(
                update(invitation)
                .where(invitation.c.person_id == person_id, invitation.c.used_at.is_(None))
                .values(used_at=at)
            )
            connection.execute(
                insert(invitation).values(
                    token_sha256=digest(token),
                    person_id=person_id,
                    created_by=by,
                    created_at=at,
                    expires_at=at + INVITATION_LASTS // timedelta(microseconds=1),
                )
            )
        return token

    def invited(self, token: str) -> Person | None:
        """Whom an unused, unexpired invitation is for."""
        with self._store.read() as connection:
            row = connection.execute(
                select(invitation.c.person_id).where(
                    invitation.c.token_sha256 == digest(token),
                    invitation.c.used_at.is_(None),
                    invitation.c.expires_at > now(),
                )
            ).first()
        found = self.get(row.person_id) if row else None
        return None if found is None or found.disabled else found

    def enrol(self, token: str, credential_id: bytes, public_key: bytes, sign_count: int) -> Person:
        """Use up an invitation and keep the passkey that was made. Raises InputError when it is used or expired."""
        at = now()
        with self._store.write() as connection:
            used = connection.execute(
                update(invitation)
                .where(
                    invitation.c.token_sha256 == digest(token),
                    invitation.c.used_at.is_(None),
                    invitation.c.expires_at > at,
                )
                .values(used_at=at)
                .returning(invitation.c.person_id)
            ).first()
            if used is None:
                raise InputError("the invitation was used already or has expired; ask for a new one")
            key = hashlib.sha256(credential_id).hexdigest()
            if connection.execute(select(passkey.c.id).where(passkey.c.id == key)).first():
                raise ConflictError("this passkey is already in use")
            connection.execute(
                insert(passkey).values(
                    id=key,
                    person_id=used.person_id,
                    credential_id=credential_id,
                    public_key=public_key,
                    sign_count=sign_count,
                    created_at=at,
                )
            )
        return self.get(used.person_id)

    def from_oidc(self, issuer: str, subject: str, name: str, roles: frozenset[Role]) -> Person:
        """The person of an identity provider's subject, made on the first sign-in. Their roles are the provider's.

        Raises InputError when the person is disabled here.
        """
        with self._store.write() as connection:
            known = connection.execute(
                select(person.c.id).where(person.c.oidc_issuer == issuer, person.c.oidc_subject == subject)
            ).first()
            person_id = known.id if known else uuid.uuid4().hex
            if known is None:
                _insert(connection, person_id, _checked(name), roles, "oidc", oidc_issuer=issuer, oidc_subject=subject)
            else:
                connection.execute(
                    update(person)
                    .where(person.c.id == person_id)
                    .values(name=_checked(name), roles=sorted(role.value for role in roles))
                )
        found = self.get(person_id)
        if found.disabled:
            raise InputError("this person is disabled in the console")
        return found

    def get(self, person_id: str) -> Person:
        """The person of that id. Raises NotFoundError."""
        with self._store.read() as connection:
            row = connection.execute(_with_passkeys().where(person.c.id == person_id)).first()
        if row is None:
            raise NotFoundError("there is no such person")
        return _person(row)

    def named(self, name: str) -> Person:
        """The one person of that name or id. Raises NotFoundError, and InputError where several have the name."""
        found = [one for one in self.all() if name in (one.name, one.id)]
        if not found:
            raise NotFoundError("there is no person called {name!r}", name=name[:128])
        if len(found) > 1:
            raise InputError(
                "several people are called {name!r}; say which by id: {id}",
                name=name,
                id=", ".join(p.id for p in found),
            )
        return found[0]

    def all(self) -> Sequence[Person]:
        """Everybody, oldest first."""
        with self._store.read() as connection:
            return [_person(row) for row in connection.execute(_with_passkeys().order_by(person.c.created_at))]

    def names(self) -> Mapping[str, str]:
        """Everybody's name by actor, for histories."""
        return {found.actor: found.name for found in self.all()}

    def set_roles(self, person_id: str, roles: Iterable[str], *, by: str) -> Person:
        """Give other roles. Raises InputError when nobody would be admin any more."""
        wanted = read_roles(roles)
        with self._store.write() as connection:
            lock(connection)
            _must_exist(connection, person_id)
            append(connection, by, "console.roles-changed", f"person:{person_id}", {"roles": _listed(wanted)})
            connection.execute(
                update(person).where(person.c.id == person_id).values(roles=sorted(role.value for role in wanted))
            )
            _leave_an_admin(connection)
        return self.get(person_id)

    def set_disabled(self, person_id: str, disabled: bool, *, by: str) -> Person:
        """Let a person in no more (and end their sessions), or in again. Raises InputError, as `set_roles` does."""
        at, action = now(), "console.person-disabled" if disabled else "console.person-enabled"
        with self._store.write() as connection:
            lock(connection)
            _must_exist(connection, person_id)
            append(connection, by, action, f"person:{person_id}")
            connection.execute(
                update(person).where(person.c.id == person_id).values(disabled_at=at if disabled else None)
            )
            if disabled:
                connection.execute(
                    update(console_session)
                    .where(console_session.c.person_id == person_id, console_session.c.ended_at.is_(None))
                    .values(ended_at=at)
                )
                connection.execute(
                    update(invitation)
                    .where(invitation.c.person_id == person_id, invitation.c.used_at.is_(None))
                    .values(used_at=at)
                )
            _leave_an_admin(connection)
        return self.get(person_id)

    def set_preferences(self, person_id: str, preferences: Preferences) -> None:
        """Keep how a person likes the console."""
        document = {
            "theme": preferences.theme.value,
            "shortcuts": preferences.shortcuts,
            "press_to_reveal": preferences.press_to_reveal,
        }
        with self._store.write() as connection:
            connection.execute(update(person).where(person.c.id == person_id).values(preferences=document))


def digest(token: str) -> bytes:
    """What is kept of a random token."""
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()


def _checked(name: str) -> str:
    name = " ".join(name.split())
    if not 0 < len(name) <= 128 or not name.isprintable():
        raise InputError("a person needs a printable name of at most 128 characters", field="name")
    return name


def _insert(connection: Connection, person_id: str, name: str, roles: frozenset[Role], by: str, **oidc: str) -> None:
    connection.execute(
        insert(person).values(
            id=person_id,
            name=name,
            roles=sorted(role.value for role in roles),
            preferences={},
            created_by=by,
            created_at=now(),
            **oidc,
        )
    )


def _listed(roles: frozenset[Role]) -> str:
    return ", ".join(sorted(roles))


def _must_exist(connection: Connection, person_id: str) -> None:
    if connection.execute(select(person.c.id).where(person.c.id == person_id)).first() is None:
        raise NotFoundError("there is no such person")


def _leave_an_admin(connection: Connection) -> None:
    active = connection.execute(select(person.c.roles).where(person.c.disabled_at.is_(None)))
    if not any(Role.ADMIN.value in roles for (roles,) in active):
        raise InputError("somebody must stay admin; give another person that role first")


def _with_passkeys() -> Any:
    counted = (
        select(passkey.c.person_id, func.count().label("passkeys")).group_by(passkey.c.person_id).subquery("counted")
    )
    return select(person, func.coalesce(counted.c.passkeys, 0).label("passkeys")).outerjoin(
        counted, counted.c.person_id == person.c.id
    )


def _person(row: Row[Any]) -> Person:
    preferred: Mapping[str, Any] = row.preferences
    return Person(
        id=row.id,
        name=row.name,
        roles=frozenset(Role(role) for role in row.roles),
        preferences=Preferences(
            Theme(preferred.get("theme", Theme.SYSTEM)),
            bool(preferred.get("shortcuts", True)),
            bool(preferred.get("press_to_reveal", False)),
        ),
        created_at=moment(row.created_at),
        disabled=row.disabled_at is not None,
        passkeys=int(row.passkeys),
        by_oidc=row.oidc_subject is not None,
    )
