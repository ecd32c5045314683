"""The one error hierarchy. A message says what was wrong, with which input, and what to do about it.

`InputError` and its children are answers to the caller (HTTP 4xx, exit code 2); every other `TutelaError`
is a fault on our side (HTTP 5xx, exit code 3) and makes screening *hold*, never allow.
"""


class TutelaError(Exception):
    """Root of every error that Tutela raises on purpose."""


class InputError(TutelaError):
    """The caller's input is wrong and only the caller can mend it. `field` names the part that is wrong, if one."""

    def __init__(self, *message: object, field: str | None = None) -> None:
        super().__init__(*message)
        self.field = field


class NotFoundError(InputError):
    """The named thing does not exist."""


class ConflictError(InputError):
    """The request contradicts what already exists."""


class InvalidSignalError(InputError):
    """A hash text or value is not of the form that its signal type needs."""


class UnscreenableError(TutelaError):
    """Content could not be screened; the caller must hold it. `reason` is a stable machine-readable code."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class StoreError(TutelaError):
    """The database is unreachable, of another version, or refused a write."""


class IndexCorruptError(TutelaError):
    """An index file is torn, truncated or not ours; it is never served."""


class NotReadyError(TutelaError):
    """The engine has not finished loading what it needs to answer safely."""


class BusyError(NotReadyError):
    """Too much is under way: nothing was decided and nothing written down; ask again in a moment."""
