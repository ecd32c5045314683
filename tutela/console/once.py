"""Forms that count once: each carries a token of its own, so that sending it a second time, as by loading its answer
again, makes nothing new.

Tokens wait in this process. After a restart none is known, and a form from before counts for nothing.
"""

import secrets
import threading

_MOST = 10_000
"""So many forms may be waiting; beyond that the oldest are forgotten, and count for nothing."""


class Once:
    """The tokens of forms that were not sent yet. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[str, str] = {}

    def token(self, session_id: str) -> str:
        """What a form of a session carries."""
        token = secrets.token_urlsafe(16)
        with self._lock:
            self._waiting[token] = session_id
            if len(self._waiting) > _MOST:
                del self._waiting[next(iter(self._waiting))]
        return token

    def spend(self, session_id: str, token: str) -> bool:
        """Whether a form counts: it is the session's own, and was not sent before."""
        with self._lock:
            if self._waiting.get(token) != session_id:
                return False
            del self._waiting[token]
            return True
