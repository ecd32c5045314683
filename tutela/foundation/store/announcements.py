"""What PostgreSQL says to those who listen (LISTEN, NOTIFY): something was written that others wait for.

A process listens with one connection of its own. Whether it is heard is tried out, and again every minute: through a
pooler that lends connections for a transaction nobody is, and then those who wait go on asking.
"""

import contextlib
import logging
import time
from typing import TYPE_CHECKING, cast

from sqlalchemy import Connection, Engine, text

if TYPE_CHECKING:
    import psycopg

log = logging.getLogger(__name__)

_CHANNEL = "tutela"
_TRIED_EVERY_S = 60.0
_HEARD_WITHIN_S = 3.0
_AGAIN_AFTER_S = 60.0


def announce(connection: Connection) -> None:
    """Say so when this transaction is committed. SQLite needs no word: whoever looks sees that its file changed."""
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"NOTIFY {_CHANNEL}"))


class Listener:
    """One process's ear. Used by one thread at a time."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._connection: psycopg.Connection[object] | None = None
        self._heard = 0
        self._asked_at: float | None = None
        self._tried_at = 0.0
        self._again_at = 0.0

    def heard(self) -> int | None:
        """How often something was announced until now; None while it is not known that this process would hear."""
        now = time.monotonic()
        try:
            if self._connection is None:
                if now < self._again_at:
                    return None
                self._connection = self._listening()
                self._try(now)
            self._take()
            if self._asked_at is not None and now - self._asked_at > _HEARD_WITHIN_S:
                raise TimeoutError("nobody is heard; is there a pooler that lends connections for a transaction?")
            if self._asked_at is None and now - self._tried_at > _TRIED_EVERY_S:
                self._try(now)
        except Exception as error:  # of the driver's own kinds, too
            log.warning("changes in the database are asked for, as they are not announced: %s", error)
            self.close()
            self._again_at = now + _AGAIN_AFTER_S
        return self._heard if self._connection is not None and self._asked_at is None else None

    def close(self) -> None:
        """Listen no longer."""
        connection, self._connection, self._asked_at = self._connection, None, None
        if connection is not None:
            with contextlib.suppress(Exception):
                connection.close()

    def _listening(self) -> "psycopg.Connection[object]":
        lent = self._engine.raw_connection()
        connection = cast("psycopg.Connection[object]", lent.driver_connection)
        lent.detach()
        connection.autocommit = True
        connection.execute(f"LISTEN {_CHANNEL}")
        return connection

    def _try(self, now: float) -> None:
        """Announce something oneself, by another connection."""
        with self._engine.begin() as other:
            announce(other)
        self._asked_at = self._tried_at = now

    def _take(self) -> None:
        """What has come, without waiting for more."""
        assert self._connection is not None
        self._connection.pgconn.consume_input()
        while self._connection.pgconn.notifies() is not None:
            self._heard += 1
            self._asked_at = None
