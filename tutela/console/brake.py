"""The brake on guessing at the sign-in, by address and for all addresses together. Counted in this one process."""

from fastapi import Request

from tutela.errors import InputError
from tutela.foundation.rates import Rate, Windows

_OF_AN_ADDRESS, _OF_EVERYBODY = Rate(10, 60), Rate(300, 60)


class TooManyAttemptsError(InputError):
    """Sign-in failed too often from one address."""

    code = "too-many-attempts"


class Brake:
    """Counts failures. Thread-safe."""

    def __init__(self) -> None:
        self._windows = Windows()

    def check(self, request: Request) -> None:
        """Raises TooManyAttemptsError after too many failures."""
        if self._windows.full(_OF_AN_ADDRESS, "address", _address(request)) or self._windows.full(_OF_EVERYBODY, "all"):
            raise TooManyAttemptsError("too many failed attempts; wait a minute")

    def failed(self, request: Request) -> None:
        """Count a failure."""
        self._windows.hit(_OF_AN_ADDRESS, "address", _address(request))
        self._windows.hit(_OF_EVERYBODY, "all")


def _address(request: Request) -> str:
    return request.client.host if request.client else "unknown"
