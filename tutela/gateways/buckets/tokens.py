"""Access tokens (RFC 6749, 5.1) of whoever asks a store: each is kept until shortly before it ends."""

import json
import time
from collections.abc import Callable
from threading import Lock

from tutela.gateways.buckets.calls import Calls, Request
from tutela.gateways.buckets.store import ChangedError, GoneError, StoreUnreachableError

_EARLY_S = 120
"""A token is replaced so long before it ends."""


class AccessTokens:
    """The tokens that one service gives. Thread-safe."""

    def __init__(self, calls: Calls, request: Callable[[], Request]) -> None:
        """`request` asks for a token."""
        self._calls = calls
        self._request = request
        self._lock = Lock()
        self._token, self._until = "", 0.0

    def header(self) -> dict[str, str]:
        """What proves who asks. Raises StoreUnreachableError."""
        with self._lock:
            if time.monotonic() > self._until:
                self._renew()
            return {"Authorization": f"Bearer {self._token}"}

    def _renew(self) -> None:
        try:
            answer = json.loads(self._calls.ask(self._request()).body)
            self._token, lasts_s = str(answer["access_token"]), float(answer["expires_in"])
        except (GoneError, ChangedError):  # which is not about any object
            raise StoreUnreachableError("no access token is to be had") from None
        except (KeyError, TypeError, ValueError):
            raise StoreUnreachableError("no access token was given") from None
        self._until = time.monotonic() + max(0.0, lasts_s - _EARLY_S)
