"""Signing in with a passkey (W3C Web Authentication, level 2): enrolment by invitation, then no name and no password.

User verification is required: a stolen authenticator without its PIN or finger opens nothing.
"""

import base64
import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import ColumnElement, select, update
from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    options_to_json,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import parse_authentication_credential_json, parse_registration_credential_json
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from tutela.casework.audit.log import append, lock
from tutela.console.ceremonies import Ceremonies
from tutela.console.people import People, Person
from tutela.errors import ConflictError, InputError, NotFoundError
from tutela.foundation.store.console_tables import passkey
from tutela.foundation.store.database import Store, moment, now

_REFUSED = "this passkey was not accepted"
_WRONG = (WebAuthnException, ValueError, KeyError, TypeError, RecursionError)
"""What reading a hostile answer may raise."""


@dataclass(frozen=True, slots=True)
class Passkey:
    """A passkey as its person sees it."""

    id: str
    name: str
    created_at: datetime
    last_used_at: datetime | None


class Passkeys:
    """Enrolment and sign-in at one origin. Thread-safe."""

    def __init__(self, store: Store, people: People, ceremonies: Ceremonies, origin: str) -> None:
        """`origin` as the browser writes it: https://console.example."""
        self._store = store
        self._people = people
        self._ceremonies = ceremonies
        self._origin = origin
        self._party = urlsplit(origin).hostname or ""

    def enrolment(self, invitation: str) -> tuple[str, str]:
        """(ceremony token, options as JSON for navigator.credentials.create). Raises InputError."""
        person = self._people.invited(invitation)
        if person is None:
            raise InputError("the invitation was used already or has expired; ask for a new one")
        options = generate_registration_options(
            rp_id=self._party,
            rp_name="Tutela",
            user_name=person.name,
            user_id=bytes.fromhex(person.id),
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.REQUIRED, user_verification=UserVerificationRequirement.REQUIRED
            ),
        )
        remembered = {"challenge": _text(options.challenge), "invitation": invitation}
        return self._ceremonies.begin("enrol", remembered), options_to_json(options)

    def enrol(self, token: str, answer: str) -> Person:
        """Check what the authenticator made and keep it. Raises InputError."""
        remembered = self._ceremonies.take("enrol", token)
        try:
            verified = verify_registration_response(
                credential=parse_registration_credential_json(answer),
                expected_challenge=_bytes(remembered["challenge"]),
                expected_rp_id=self._party,
                expected_origin=self._origin,
                require_user_verification=True,
            )
        except _WRONG as error:
            raise InputError(_REFUSED) from error
        return self._people.enrol(
            remembered["invitation"], verified.credential_id, verified.credential_public_key, verified.sign_count
        )

    def of(self, person: Person) -> list[Passkey]:
        """A person's passkeys, oldest first."""
        query = select(passkey).where(passkey.c.person_id == person.id).order_by(passkey.c.created_at)
        with self._store.read() as connection:
            return [
                Passkey(
                    row.id,
                    row.name or "",
                    moment(row.created_at),
                    moment(row.last_used_at) if row.last_used_at is not None else None,
                )
                for row in connection.execute(query)
            ]

    def name(self, person: Person, passkey_id: str, name: str) -> None:
        """Call one's own passkey something. Raises NotFoundError, InputError."""
        name = " ".join(name.split())
        if not 0 < len(name) <= 64 or not name.isprintable():
            raise InputError("a passkey's name has 1 to 64 printable characters", field="name")
        with self._store.write() as connection:
            changed = connection.execute(update(passkey).where(*_own(person, passkey_id)).values(name=name))
        if changed.rowcount == 0:
            raise NotFoundError("you have no such passkey")

    def remove(self, person: Person, passkey_id: str) -> None:
        """Let one's own passkey in no more. Raises NotFoundError, ConflictError for the last way in."""
        with self._store.write() as connection:
            lock(connection)
            own = set(connection.execute(select(passkey.c.id).where(passkey.c.person_id == person.id)).scalars())
            if passkey_id not in own:
                raise NotFoundError("you have no such passkey")
            if len(own) == 1 and not person.by_oidc:
                raise ConflictError("this is your only passkey: without it you could not sign in again")
            connection.execute(passkey.delete().where(*_own(person, passkey_id)))
            append(connection, person.actor, "console.passkey-removed", person.actor)

    def sign_in_options(self) -> tuple[str, str]:
        """(ceremony token, options as JSON for navigator.credentials.get). The authenticator knows who it is."""
        options = generate_authentication_options(
            rp_id=self._party, user_verification=UserVerificationRequirement.REQUIRED
        )
        return self._ceremonies.begin("passkey", {"challenge": _text(options.challenge)}), options_to_json(options)

    def sign_in(self, token: str, answer: str) -> Person:
        """Whose passkey answered the challenge. Raises InputError, with one message whatever is wrong."""
        remembered = self._ceremonies.take("passkey", token)
        try:
            credential = parse_authentication_credential_json(answer)
            row = self._row(credential.raw_id)
            verified = verify_authentication_response(
                credential=credential,
                expected_challenge=_bytes(remembered["challenge"]),
                expected_rp_id=self._party,
                expected_origin=self._origin,
                credential_public_key=bytes(row.public_key),
                credential_current_sign_count=row.sign_count,
                require_user_verification=True,
            )
        except _WRONG as error:
            raise InputError(_REFUSED) from error
        with self._store.write() as connection:
            connection.execute(
                update(passkey)
                .where(passkey.c.id == row.id)
                .values(sign_count=verified.new_sign_count, last_used_at=now())
            )
        person = self._people.get(row.person_id)
        if person.disabled:
            raise InputError(_REFUSED)
        return person

    def _row(self, credential_id: bytes) -> Any:
        with self._store.read() as connection:
            row = connection.execute(
                select(passkey).where(passkey.c.id == hashlib.sha256(credential_id).hexdigest())
            ).first()
        if row is None:
            raise KeyError("unknown credential")
        return row


def _own(person: Person, passkey_id: str) -> tuple[ColumnElement[bool], ...]:
    return passkey.c.person_id == person.id, passkey.c.id == passkey_id


def _text(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode()


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text)
