"""What a sign-in under way needs to remember: kept on the server, used once, for a few minutes.

The browser holds only a random token. It never becomes a session's token.
"""

import secrets
from collections.abc import Mapping

from sqlalchemy import delete, insert

from tutela.console.people import digest
from tutela.errors import InputError
from tutela.foundation.store.console_tables import ceremony
from tutela.foundation.store.database import Store, now

LASTS_S = 10 * 60


class Ceremonies:
    """The sign-ins and enrolments under way in one store. Thread-safe."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def begin(self, purpose: str, remembered: Mapping[str, str]) -> str:
        """The token of a new ceremony."""
        token, at = secrets.token_urlsafe(32), now()
        with self._store.write() as connection:
            connection.execute(delete(ceremony).where(ceremony.c.expires_at <= at))
            connection.execute(
                insert(ceremony).values(
                    token_sha256=digest(token),
                    purpose=purpose,
                    secrets=dict(remembered),
                    expires_at=at + LASTS_S * 1_000_000,
                )
            )
        return token

    def take(self, purpose: str, token: str) -> Mapping[str, str]:
        """What was remembered; the ceremony is over with it. Raises InputError when there is none."""
        with self._store.write() as connection:
            row = connection.execute(
                delete(ceremony)
                .where(
                    ceremony.c.token_sha256 == digest(token),
                    ceremony.c.purpose == purpose,
                    ceremony.c.expires_at > now(),
                )
                .returning(ceremony.c.secrets)
            ).first()
        if row is None:
            raise InputError("this sign-in has expired; start again")
        return dict(row.secrets)
